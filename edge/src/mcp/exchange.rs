//! Where the messages of one POST go.
//!
//! A plain answer is one JSON body. As soon as anything precedes it, the answer becomes an SSE stream, and everything on
//! it is logged by the session service before it is sent, so that the client can resume it from any edge. In the
//! 2024-11-05 transport everything goes onto the session's one stream instead.

mod live;

use std::sync::Arc;

use bytes::Bytes;
use everything_proto::session::v1::{
    AppendRequest, Entry, OpenCall, entry, session_service_client::SessionServiceClient,
};
use serving::{GrpcChannel, retry::backoff};
use tokio::sync::{Mutex, oneshot};
use tonic::{Code, Status};

pub use live::{Live, LiveFrame};

use self::live::{LiveSender, live};
use super::{refusal::HttpRefusal, sessions::ActiveSession};
use crate::{jsonrpc, revisions::WithSessions, sse::Frame};

/// Attempts to log an answer while the session service is away: half a minute.
const LATE_ATTEMPTS: u32 = 14;
/// The stream that is there as long as the session.
pub const STANDALONE: &str = "g";

/// What the POST is answered with.
pub enum Opening {
    /// The whole answer.
    Json(Bytes),
    /// The only request could not be served.
    Refused(HttpRefusal),
    /// An event stream follows.
    Stream(Live),
    /// Nothing is left to answer.
    Nothing,
}

/// The messages of one POST, or of one message of the 2024-11-05 transport.
pub struct Exchange {
    session: Arc<ActiveSession>,
    client: SessionServiceClient<GrpcChannel>,
    kind: Kind,
    progress: Mutex<Progress>,
}

enum Kind {
    Post {
        revision: &'static dyn WithSessions,
        stream: String,
        call: OpenCall,
        batch: bool,
    },
    Standalone,
}

struct Progress {
    /// Requests that are still to be answered, or given up.
    outstanding: usize,
    /// Answers held back while the exchange may still be one JSON body.
    answers: Vec<Bytes>,
    opening: Option<oneshot::Sender<Opening>>,
    /// The client's connection, once the exchange is a stream and while the client keeps up.
    live: Option<LiveSender>,
    streaming: bool,
}

/// The session is over, or its messages cannot be logged now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    SessionEnded,
    /// The stream has its last entry, or none yet.
    StreamOver,
    Unavailable,
}

impl Exchange {
    /// For a POST on `/mcp` with `requests` requests. `call` describes the (first) request, in case this edge dies.
    pub fn post(
        session: Arc<ActiveSession>,
        client: SessionServiceClient<GrpcChannel>,
        revision: &'static dyn WithSessions,
        call: OpenCall,
        requests: usize,
        batch: bool,
    ) -> (Arc<Self>, oneshot::Receiver<Opening>) {
        let (opening, opened) = oneshot::channel();
        let stream = format!("p{}", uuid::Uuid::new_v4().simple());
        let kind = Kind::Post {
            revision,
            stream,
            call,
            batch,
        };
        let progress = Progress {
            outstanding: requests,
            answers: Vec::new(),
            opening: Some(opening),
            live: None,
            streaming: false,
        };
        (
            Arc::new(Self {
                session,
                client,
                kind,
                progress: Mutex::new(progress),
            }),
            opened,
        )
    }

    /// For messages that are answered on the session's standalone stream.
    pub fn standalone(session: Arc<ActiveSession>, client: SessionServiceClient<GrpcChannel>) -> Arc<Self> {
        let progress = Progress {
            outstanding: 1,
            answers: Vec::new(),
            opening: None,
            live: None,
            streaming: true,
        };
        Arc::new(Self {
            session,
            client,
            kind: Kind::Standalone,
            progress: Mutex::new(progress),
        })
    }

    /// Becomes a stream before there is anything to send.
    pub async fn open(&self) -> Result<(), NotSent> {
        let mut progress = self.progress.lock().await;
        if progress.streaming {
            return Ok(());
        }
        let ids = self.append(self.open_entry().into_iter().collect()).await?;
        self.start_stream(&mut progress, ids.first().map(String::as_str).unwrap_or_default());
        Ok(())
    }

    /// Sends a notification ahead of the answer.
    pub async fn notify(&self, message: Bytes) -> Result<(), NotSent> {
        self.send_ahead(message, String::new()).await
    }

    /// Sends a request to the client, whose answer is awaited under `request_id`.
    pub async fn ask(&self, message: Bytes, request_id: &str) -> Result<(), NotSent> {
        self.send_ahead(message, request_id.to_owned()).await
    }

    /// Answers one request.
    pub async fn respond(&self, response: Bytes) {
        self.settle(Some(response)).await;
    }

    /// One request could not be served. Where nothing was sent yet and it is the only one, HTTP says so too.
    pub async fn refuse(&self, refusal: HttpRefusal) {
        let mut progress = self.progress.lock().await;
        let alone = matches!(&self.kind, Kind::Post { batch: false, .. }) && !progress.streaming;
        if let Some(opening) = progress.opening.take_if(|_| alone) {
            progress.outstanding = 0;
            _ = opening.send(Opening::Refused(refusal));
            return;
        }
        drop(progress);
        self.respond(jsonrpc::error(refusal.id.as_ref(), &refusal.error))
            .await;
    }

    /// One request will not be answered: the client gave it up, or its session is over.
    pub async fn give_up(&self) {
        self.settle(None).await;
    }

    async fn send_ahead(&self, message: Bytes, awaits_answer: String) -> Result<(), NotSent> {
        let mut progress = self.progress.lock().await;
        let mut entries = Vec::with_capacity(2);
        if !progress.streaming {
            entries.extend(self.open_entry());
        }
        entries.push(Entry {
            entry: Some(entry::Entry::MessageJson(message.clone())),
            awaits_answer,
            r#final: false,
        });
        let ids = self.append(entries).await?;
        let mut ids = ids.iter();
        if !progress.streaming {
            self.start_stream(&mut progress, ids.next().map(String::as_str).unwrap_or_default());
        }
        progress.push(Frame::message(ids.next().map(String::as_str), &message));
        Ok(())
    }

    async fn settle(&self, response: Option<Bytes>) {
        let mut progress = self.progress.lock().await;
        progress.outstanding = progress.outstanding.saturating_sub(1);
        progress.answers.extend(response);
        let last = progress.outstanding == 0;
        if progress.streaming {
            self.flush(&mut progress, last).await;
        } else if last {
            let opening = match &self.kind {
                Kind::Post { batch, .. } => progress.body(*batch),
                Kind::Standalone => Opening::Nothing,
            };
            if let Some(sender) = progress.opening.take() {
                _ = sender.send(opening);
            }
        }
    }

    /// Turns the exchange into a stream.
    fn start_stream(&self, progress: &mut Progress, cursor: &str) {
        progress.streaming = true;
        let (sender, live) = live();
        if let Kind::Post { revision, .. } = &self.kind
            && revision.primes_streams()
        {
            sender.send(Frame::priming(cursor, None));
        }
        if let Some(opening) = progress.opening.take()
            && opening.send(Opening::Stream(live)).is_ok()
        {
            progress.live = Some(sender);
        }
    }

    /// Sends the answers that are there; with the last of them the stream ends.
    async fn flush(&self, progress: &mut Progress, last: bool) {
        let answers = std::mem::take(&mut progress.answers);
        let ends = last && matches!(self.kind, Kind::Post { .. });
        let mut entries: Vec<Entry> = answers
            .iter()
            .map(|answer| Entry {
                entry: Some(entry::Entry::MessageJson(answer.clone())),
                ..Entry::default()
            })
            .collect();
        match entries.last_mut() {
            Some(entry) => entry.r#final = ends,
            // Given up: the stream ends without a word.
            None if ends => entries.push(Entry {
                r#final: true,
                ..Entry::default()
            }),
            None => return,
        }
        let logged = self.append(entries.clone()).await;
        // An answer that cannot be logged is still worth sending to a client that is there.
        let ids = logged.as_deref().unwrap_or_default();
        for (index, answer) in answers.iter().enumerate() {
            progress.push(Frame::message(ids.get(index).map(String::as_str), answer));
        }
        if ends {
            progress.live = None;
        }
        if last && logged == Err(NotSent::Unavailable) {
            self.log_late(entries).await;
        }
    }

    /// A client that is away will ask for its answer when the session service is back.
    async fn log_late(&self, entries: Vec<Entry>) {
        for attempt in 1..=LATE_ATTEMPTS {
            tokio::time::sleep(backoff(attempt)).await;
            match self.append(entries.clone()).await {
                Err(NotSent::Unavailable) => {}
                Ok(_) | Err(NotSent::SessionEnded | NotSent::StreamOver) => return,
            }
        }
        tracing::error!("an answer was lost: the session service was away for too long");
    }

    fn open_entry(&self) -> Option<Entry> {
        match &self.kind {
            Kind::Post { call, .. } => Some(Entry {
                entry: Some(entry::Entry::Open(call.clone())),
                ..Entry::default()
            }),
            Kind::Standalone => None,
        }
    }

    async fn append(&self, entries: Vec<Entry>) -> Result<Vec<String>, NotSent> {
        let stream = match &self.kind {
            Kind::Post { stream, .. } => stream.as_str(),
            Kind::Standalone => STANDALONE,
        };
        let request = AppendRequest {
            session_id: self.session.session_id.to_string(),
            user_id: self.session.user_id.to_string(),
            stream: stream.to_owned(),
            entries,
        };
        let mut client = self.client.clone();
        match client.append(request).await {
            Ok(response) => Ok(response.into_inner().event_ids),
            Err(status) => Err(NotSent::from_status(&status)),
        }
    }
}

impl Progress {
    fn body(&mut self, batch: bool) -> Opening {
        let mut answers = std::mem::take(&mut self.answers);
        match answers.pop() {
            None => Opening::Nothing,
            Some(answer) if !batch => Opening::Json(answer),
            Some(answer) => {
                answers.push(answer);
                Opening::Json(jsonrpc::batch(&answers))
            }
        }
    }

    fn push(&mut self, frame: Frame<'_>) {
        if let Some(live) = &self.live
            && !live.send(frame)
        {
            self.live = None;
        }
    }
}

impl NotSent {
    fn from_status(status: &Status) -> Self {
        match status.code() {
            Code::NotFound => Self::SessionEnded,
            Code::FailedPrecondition => Self::StreamOver,
            code => {
                tracing::warn!(?code, message = status.message(), "a message could not be logged");
                Self::Unavailable
            }
        }
    }
}
