//! A client's stream that is attached to the session's log: the standalone one, or one that is resumed.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use everything_proto::{
    events::v1::{Change, ResourcesUpdated, change},
    session::v1::{Event, OpenCall, detached::Reason, event},
};
use futures::stream::{self, Stream, StreamExt};
use http::StatusCode;
use serving::CancellationToken;
use telemetry::propagation::{self, TraceParent};
use tokio::time::Instant;
use tracing::Span;

use super::{
    Mcp,
    calls::LOST,
    event_body::Frames,
    exchange::{Live, LiveFrame},
    link::{Attachment, Link, StreamEvent},
    open_streams::OpenStream,
    operation::Operation,
    refusal::HttpRefusal,
    sessions::{ActiveSession, NoSession},
};
use crate::{
    error::Fault,
    jsonrpc::{self, RequestId, RpcError},
    revisions::WithSessions,
    sse::Frame,
};

/// Traces that one stream's span names. What comes later names the stream.
const MAX_LINKS: usize = 32;
/// How long the session service may take to attach a stream.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(5);

/// How events are written for one client.
pub struct Wording {
    pub revision: &'static dyn WithSessions,
    /// Goes before every event id.
    pub id_prefix: String,
    /// Whether the stream begins with its cursor.
    pub primed: bool,
}

/// Attaches a stream and returns its frames, from `last_event_id` or, where that is empty, the standalone stream's.
pub async fn attach(
    mcp: &Mcp,
    session: Arc<ActiveSession>,
    last_event_id: &str,
    wording: Wording,
) -> Result<Frames, HttpRefusal> {
    let unavailable = || HttpRefusal::from(Fault::Unavailable);
    let open = mcp.open_streams.begin(&session.session_id, &session.user_id)?;
    let mut attachment = mcp
        .link
        .attach(&session.session_id, &session.user_id, last_event_id)
        .map_err(|_| unavailable())?;
    let first = tokio::time::timeout(ATTACH_TIMEOUT, attachment.next()).await;
    let cursor = match first.ok().flatten().ok_or_else(unavailable)? {
        StreamEvent::Attached { event_id } => event_id,
        StreamEvent::Detached(reason) => return refuse(reason),
        // Events come only after `Attached`.
        StreamEvent::Event(_) => return Err(Fault::Internal.into()),
    };
    let retry_ms = mcp.settings.retry_ms;
    let first = if wording.primed {
        Frame::priming(&wording.id(&cursor), Some(retry_ms)).encode()
    } else {
        Frame::retry(retry_ms).encode()
    };
    let end = End::of(mcp, &wording, mcp.leaving.begun());
    let follower = Follower {
        link: mcp.link.clone(),
        session,
        wording,
        last_event_id: cursor,
        source: Source::Log(attachment),
        traced: Traced::current(),
        end,
        retry_ms,
        _open: Some(open),
    };
    Ok(stream::iter([first]).chain(follower.frames()).boxed())
}

/// The frames of a call's own stream: as the call sends them, and from the log where the client fell behind.
pub fn of_call(
    mcp: &Mcp,
    session: Arc<ActiveSession>,
    revision: &'static dyn WithSessions,
    live: Live,
    cursor: String,
) -> Frames {
    let wording = Wording {
        revision,
        id_prefix: String::new(),
        primed: false,
    };
    // Clients that do not know to come back get the answer on this connection.
    let end = if revision.primes_streams() {
        End::of(mcp, &wording, mcp.leaving.short_calls_over())
    } else {
        End::never()
    };
    let follower = Follower {
        link: mcp.link.clone(),
        session,
        wording,
        last_event_id: cursor,
        source: Source::Call(live),
        traced: Traced::current(),
        end,
        retry_ms: mcp.settings.retry_ms,
        // Counts as the call that it is.
        _open: None,
    };
    follower.frames().boxed()
}

/// One client's place in a stream.
struct Follower {
    link: Link,
    session: Arc<ActiveSession>,
    wording: Wording,
    /// Of the last event that was handed to the client's connection.
    last_event_id: String,
    source: Source,
    traced: Traced,
    end: End,
    retry_ms: u64,
    _open: Option<OpenStream>,
}

/// When the connection ends before the stream does; the client comes back for the rest (SEP-1699).
#[derive(Clone)]
struct End {
    at: Option<Instant>,
    leaving: CancellationToken,
}

/// The span of the request that opened the stream, and the traces that it leads to.
struct Traced {
    span: Span,
    linked: HashSet<String>,
}

enum Source {
    Call(Live),
    Log(Attachment),
    Over,
}

impl Follower {
    fn frames(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold(self, |mut follower| async move {
            let frame = follower.next().await?;
            Some((frame, follower))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if matches!(self.source, Source::Over) {
            return None;
        }
        let end = self.end.clone();
        tokio::select! {
            biased;
            () = end.reached() => {
                self.source = Source::Over;
                Some(Frame::retry(self.retry_ms).encode())
            }
            frame = self.next_of_source() => frame,
        }
    }

    /// Cancel-safe.
    async fn next_of_source(&mut self) -> Option<Bytes> {
        loop {
            match &mut self.source {
                Source::Call(live) => match live.next().await {
                    Some(LiveFrame::Frame { event_id, frame }) => {
                        if let Some(event_id) = event_id {
                            self.last_event_id = event_id;
                        }
                        return Some(frame);
                    }
                    Some(LiveFrame::FellBehind) => self.catch_up()?,
                    None => self.source = Source::Over,
                },
                Source::Log(attachment) => match attachment.next().await {
                    Some(StreamEvent::Event(event)) => {
                        self.last_event_id.clone_from(&event.event_id);
                        if event.r#final {
                            self.source = Source::Over;
                        }
                        if let Some(frame) = self.wording.frame(event, &self.session, &mut self.traced) {
                            return Some(frame);
                        }
                    }
                    Some(StreamEvent::Attached { .. }) => {}
                    Some(StreamEvent::Detached(_)) => self.source = Source::Over,
                    None => self.catch_up()?,
                },
                Source::Over => return None,
            }
        }
    }

    /// The client took what waited for it, and more came meanwhile than could wait: that is in the log.
    fn catch_up(&mut self) -> Option<()> {
        let Self { link, session, .. } = self;
        let attached = link.attach(&session.session_id, &session.user_id, &self.last_event_id);
        self.source = Source::Log(attached.ok()?);
        Some(())
    }
}

impl Traced {
    fn current() -> Self {
        Self {
            span: Span::current(),
            linked: HashSet::new(),
        }
    }

    /// The stream delivers what belongs to another trace.
    fn link(&mut self, cause: &TraceParent) {
        if let Some(trace_id) = cause.trace_id()
            && self.linked.len() < MAX_LINKS
            && self.linked.insert(trace_id.to_owned())
        {
            propagation::link(&self.span, cause);
        }
    }
}

impl End {
    fn of(mcp: &Mcp, wording: &Wording, leaving: &CancellationToken) -> Self {
        let age = mcp.settings.max_stream_age;
        Self {
            at: age
                .filter(|_| wording.revision.primes_streams())
                .map(|age| Instant::now() + age),
            leaving: leaving.clone(),
        }
    }

    fn never() -> Self {
        Self {
            at: None,
            leaving: CancellationToken::new(),
        }
    }

    async fn reached(&self) {
        let aged = async {
            match self.at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = aged => {}
            () = self.leaving.cancelled() => {}
        }
    }
}

impl Wording {
    fn id(&self, event_id: &str) -> String {
        format!("{}{event_id}", self.id_prefix)
    }

    fn frame(&self, event: Event, session: &ActiveSession, traced: &mut Traced) -> Option<Bytes> {
        let cause = TraceParent::from(event.trace);
        traced.link(&cause);
        let message = match event.payload? {
            event::Payload::MessageJson(message) => message,
            event::Payload::Change(change) => {
                let message = self.change(&change)?;
                let operation = Operation::of_change(&change, &cause, &traced.span)
                    .in_revision(self.revision.version())
                    .in_session(&session.session_id);
                let operation = match &change.change {
                    Some(change::Change::ResourcesUpdated(updated)) if updated.uris.len() == 1 => {
                        operation.on_resource(&updated.uris[0])
                    }
                    _ => operation,
                };
                operation.succeeded(b"");
                operation.carried_by(message)
            }
            event::Payload::CallInterrupted(interrupted) => interruption(interrupted.call.as_ref()?)?,
        };
        Some(Frame::message(Some(&self.id(&event.event_id)), &message).encode())
    }

    fn change(&self, change: &Change) -> Option<Bytes> {
        match &change.change {
            Some(change::Change::ResourcesUpdated(ResourcesUpdated { uris, .. })) => {
                uris.first().map(|uri| self.revision.resource_updated(uri))
            }
            _ => self.revision.change(change),
        }
    }
}

/// The edge that ran the call is gone, and with it the answers; several of a batch come as one (2025-03-26).
fn interruption(call: &OpenCall) -> Option<Bytes> {
    let mut errors: Vec<Bytes> = call
        .requests
        .iter()
        .filter_map(|request| RequestId::from_json(&request.request_id_json).ok())
        .map(|id| jsonrpc::error(Some(&id), &RpcError::internal(LOST)))
        .collect();
    match errors.len() {
        0 | 1 => errors.pop(),
        _ => Some(jsonrpc::batch(&errors)),
    }
}

fn refuse<T>(reason: Reason) -> Result<T, HttpRefusal> {
    let invalid = |status, sentence| HttpRefusal::new(status, RpcError::invalid_request(sentence));
    Err(match reason {
        Reason::SessionNotFound => NoSession::NotFound.into(),
        Reason::CursorInvalid => invalid(
            StatusCode::BAD_REQUEST,
            "Last-Event-ID is not the id of an event of this session",
        ),
        Reason::CursorExpired => invalid(
            StatusCode::GONE,
            "the events after Last-Event-ID are no longer kept; open the stream without Last-Event-ID",
        ),
        Reason::StreamFinished => invalid(
            StatusCode::GONE,
            "the stream of Last-Event-ID has ended and was delivered whole",
        ),
        Reason::Unspecified | Reason::Unavailable => Fault::Unavailable.into(),
    })
}
