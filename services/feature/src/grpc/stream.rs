use std::future::Future;

use everything_proto::feature::v1::{self as proto, CallEvent, call_event};
use futures::{FutureExt, StreamExt, future::BoxFuture};
use tokio::sync::mpsc;
use tonic::Status;
use tracing::Instrument;

use super::{Events, translate};
use crate::{call::Event, error::Error};

type Terminal = Result<call_event::Event, Error>;

/// What is left of a call.
enum Call {
    Running {
        work: BoxFuture<'static, Terminal>,
        events: mpsc::Receiver<Event>,
    },
    /// The work is done; what it told before comes first.
    Ending {
        terminal: Terminal,
        events: mpsc::Receiver<Event>,
    },
    Over,
}

/// The events of a call, then its terminal event. The stream itself drives the work: dropping it cancels the work.
pub(super) fn of(
    work: impl Future<Output = Terminal> + Send + 'static,
    events: mpsc::Receiver<Event>,
) -> Events {
    let work = work.in_current_span().boxed();
    futures::stream::unfold(Call::Running { work, events }, next).boxed()
}

/// The terminal event of work that tells nothing before.
pub(super) fn once(work: impl Future<Output = Terminal> + Send + 'static) -> Events {
    futures::stream::once(work.in_current_span().map(ended)).boxed()
}

/// An error that was found before there was any work.
pub(super) fn only(error: proto::Error) -> Events {
    let event = CallEvent {
        event: Some(call_event::Event::Error(error)),
    };
    futures::stream::once(async { Ok(event) }).boxed()
}

async fn next(mut call: Call) -> Option<(Result<CallEvent, Status>, Call)> {
    loop {
        call = match call {
            Call::Running { mut work, mut events } => tokio::select! {
                // In the order in which they were told.
                biased;
                Some(event) = events.recv() => {
                    return Some((Ok(translate::event(event)), Call::Running { work, events }));
                }
                terminal = &mut work => Call::Ending { terminal, events },
            },
            Call::Ending { terminal, mut events } => match events.try_recv() {
                Ok(event) => return Some((Ok(translate::event(event)), Call::Ending { terminal, events })),
                Err(_) => return Some((ended(terminal), Call::Over)),
            },
            Call::Over => return None,
        };
    }
}

fn ended(terminal: Terminal) -> Result<CallEvent, Status> {
    let event = match terminal {
        Ok(event) => event,
        Err(error) => call_event::Event::Error(translate::in_band(error)?),
    };
    Ok(CallEvent { event: Some(event) })
}
