use everything_proto::feature::v1::CallEvent;
use futures::{Stream, future::BoxFuture, stream};
use tokio::sync::mpsc;
use tonic::Status;

use super::translate;
use crate::call::{Answer, Report};

struct Running {
    work: BoxFuture<'static, Answer>,
    reports: mpsc::Receiver<Report>,
}

/// What the work reports, then how it ends. The work runs while the stream is read, so dropping the stream ends both.
pub fn of(
    work: impl Future<Output = Answer> + Send + 'static,
    reports: mpsc::Receiver<Report>,
) -> impl Stream<Item = Result<CallEvent, Status>> {
    enum State {
        Running(Running),
        /// The work is done; what it reported last is still to be read.
        Ended(Answer, mpsc::Receiver<Report>),
        Finished,
    }
    let start = State::Running(Running {
        work: Box::pin(work),
        reports,
    });
    stream::unfold(start, async |state| {
        let mut state = state;
        loop {
            match state {
                State::Running(mut running) => {
                    tokio::select! {
                        biased;
                        Some(report) = running.reports.recv() => {
                            return Some((Ok(translate::report(report)), State::Running(running)));
                        }
                        answer = &mut running.work => state = State::Ended(answer, running.reports),
                    }
                }
                State::Ended(answer, mut reports) => {
                    return Some(match reports.try_recv() {
                        Ok(report) => (Ok(translate::report(report)), State::Ended(answer, reports)),
                        Err(_) => (Ok(translate::answer(answer, None)), State::Finished),
                    });
                }
                State::Finished => return None,
            }
        }
    })
}
