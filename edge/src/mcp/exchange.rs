//! Where the messages of one POST go.
//!
//! A plain answer is one JSON body. As soon as anything precedes it, the answer becomes an SSE stream, and everything on
//! it is logged by the session service before it is sent, so that the client can resume it from any edge. In the
//! 2024-11-05 transport everything goes onto the session's one stream instead.
//!
//! A call that is logged belongs to the edge that runs it. When another edge has taken it over, nothing can be logged
//! here any more, and nothing is sent either: a client that is still connected here reads on in the log.

mod append;
mod description;
mod live;
mod progress;

use std::sync::Arc;

use bytes::Bytes;
use everything_proto::session::v1::{Entry, HandOverRequest, entry};
use tokio::sync::{Mutex, oneshot};

pub use self::{
    description::{Described, Description, Repeats},
    live::{Live, LiveFrame},
};

use self::{live::live, progress::Progress};
use super::{refusal::HttpRefusal, sessions::ActiveSession};
use crate::{
    jsonrpc::{self, RequestId},
    sse::Frame,
};

/// The stream that is there as long as the session.
pub const STANDALONE: &str = "g";
/// How the names of calls begin that have no stream of their own.
const ON_STANDALONE: &str = "g_";

/// What the POST is answered with.
pub enum Opening {
    /// The whole answer.
    Json(Bytes),
    /// The only request could not be served.
    Refused(HttpRefusal),
    /// An event stream follows, from this event id on.
    Stream { live: Live, cursor: String },
    /// Nothing is left to answer.
    Nothing,
}

/// The messages of one POST, or of one message of the 2024-11-05 transport.
pub struct Exchange {
    session: Arc<ActiveSession>,
    description: Description,
    /// Names the call, and its stream where it has one.
    call: String,
    kind: Kind,
    progress: Mutex<Progress>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Post { batch: bool },
    Standalone,
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The session is over.
    SessionEnded,
    /// The call has its last entry, or is another edge's by now.
    StreamOver,
    /// It cannot be logged now.
    Unavailable,
    /// It can never be logged, such as one that is too large.
    Refused,
}

impl Exchange {
    /// For a POST on `/mcp` with `requests` requests. `description` is of those that can be read.
    pub fn post(
        session: Arc<ActiveSession>,
        description: Description,
        requests: usize,
        batch: bool,
    ) -> (Arc<Self>, oneshot::Receiver<Opening>) {
        let (opening, opened) = oneshot::channel();
        let call = format!("p{}", uuid::Uuid::new_v4().simple());
        let mut exchange = Self::new(session, description, call, Kind::Post { batch }, requests);
        exchange.progress.get_mut().opening = Some(opening);
        (Arc::new(exchange), opened)
    }

    /// For a message that is answered on the session's standalone stream. To be opened before it is accepted.
    pub fn standalone(session: Arc<ActiveSession>, description: Description) -> Arc<Self> {
        let call = format!("{ON_STANDALONE}{}", uuid::Uuid::new_v4().simple());
        Arc::new(Self::new(session, description, call, Kind::Standalone, 1))
    }

    /// For a call of another edge, which is logged as `call`.
    pub fn taken_over(
        session: Arc<ActiveSession>,
        description: Description,
        call: String,
        requests: usize,
    ) -> Arc<Self> {
        let kind = if call.starts_with(ON_STANDALONE) {
            Kind::Standalone
        } else {
            Kind::Post { batch: requests > 1 }
        };
        let mut exchange = Self::new(session, description, call, kind, requests);
        exchange.progress.get_mut().open = true;
        Arc::new(exchange)
    }

    fn new(
        session: Arc<ActiveSession>,
        description: Description,
        call: String,
        kind: Kind,
        requests: usize,
    ) -> Self {
        Self {
            session,
            description,
            call,
            kind,
            progress: Mutex::new(Progress::of(requests)),
        }
    }

    /// Becomes a stream before there is anything to send. `StreamOver`: while this process stood still the call was
    /// taken over, and its client is answered by whoever has it.
    pub async fn open(&self) -> Result<(), NotSent> {
        let mut progress = self.progress.lock().await;
        if progress.open {
            return Ok(());
        }
        let open = self.open_entry().await;
        let append = self.new_append(&mut progress, vec![open]);
        let ids = self.append(&append, &mut progress.has_failed).await?;
        progress.last_append = Some(append);
        self.start_stream(&mut progress, ids.first().map(String::as_str).unwrap_or_default());
        Ok(())
    }

    /// Whoever asked was told that nothing was begun, so nothing may begin later, from an append that is still on its way.
    pub async fn withdraw(&self) {
        let end = self.new_append(&mut *self.progress.lock().await, vec![end()]);
        self.append_late(&end).await;
    }

    /// Sends a notification ahead of the answer.
    pub async fn notify(&self, message: Bytes) -> Result<(), NotSent> {
        self.send_ahead(Entry {
            entry: Some(entry::Entry::MessageJson(message)),
            ..Entry::default()
        })
        .await
    }

    /// Sends a notification of progress ahead of the answer.
    pub async fn notify_progress(&self, message: Bytes, progress: f64) -> Result<(), NotSent> {
        self.send_ahead(Entry {
            entry: Some(entry::Entry::MessageJson(message)),
            progress: Some(progress),
            ..Entry::default()
        })
        .await
    }

    /// Sends a request to the client, whose answer is awaited under `request_id`.
    pub async fn ask(&self, message: Bytes, request_id: &str) -> Result<(), NotSent> {
        self.send_ahead(Entry {
            entry: Some(entry::Entry::MessageJson(message)),
            awaits_answer: request_id.to_owned(),
            ..Entry::default()
        })
        .await
    }

    /// Answers one request; without an id one that could not be read.
    pub async fn respond(&self, id: Option<&RequestId>, response: Bytes) {
        self.settle(id, Some(response)).await;
    }

    /// One request could not be served. Where nothing was sent yet and it is the only one, HTTP says so too.
    pub async fn refuse(&self, refusal: HttpRefusal) {
        let mut progress = self.progress.lock().await;
        let alone = self.kind == Kind::Post { batch: false } && !progress.open;
        if let Some(opening) = progress.opening.take_if(|_| alone) {
            progress.outstanding = 0;
            _ = opening.send(Opening::Refused(refusal));
            return;
        }
        drop(progress);
        let response = jsonrpc::error(refusal.id.as_ref(), &refusal.error);
        self.respond(refusal.id.as_ref(), response).await;
    }

    /// One request will not be answered: the client gave it up, or its session is over.
    pub async fn give_up(&self, id: &RequestId) {
        self.settle(Some(id), None).await;
    }

    /// Another edge has the call now. A client that is still here reads on in the log.
    pub async fn abandon(&self) {
        let mut progress = self.progress.lock().await;
        progress.outstanding = 0;
        if let Some(live) = progress.live.take() {
            live.fall_behind();
        }
    }

    /// Whether the client knows that a stream may end before the call does, and comes back for the rest (SEP-1699).
    pub fn polls(&self) -> bool {
        matches!(self.kind, Kind::Post { .. }) && self.description.revision.primes_streams()
    }

    /// Ends the client's connection, not the call: the client comes back for the rest after `retry_ms` (SEP-1699).
    /// Nothing happens where the client would not know to come back.
    pub async fn disconnect(&self, retry_ms: u64) -> Result<(), NotSent> {
        if !self.polls() {
            return Ok(());
        }
        self.open().await?;
        if let Some(live) = self.progress.lock().await.live.take() {
            live.send(Frame::retry(retry_ms));
        }
        Ok(())
    }

    /// Gives the call to another edge, if it is logged, can be run again, and there is another edge. True: it is gone.
    pub async fn hand_over(&self) -> bool {
        let progress = self.progress.lock().await;
        if !progress.open || progress.outstanding == 0 {
            return false;
        }
        let request = HandOverRequest {
            session_id: self.session.session_id.to_string(),
            user_id: self.session.user_id.to_string(),
            stream: self.call.clone(),
            edge_id: self.description.mcp.link.edge_id().to_owned(),
        };
        let mut client = self.description.mcp.clients.session.clone();
        let handed_over = client.hand_over(request).await;
        handed_over.is_ok_and(|response| response.into_inner().accepted)
    }

    async fn send_ahead(&self, entry: Entry) -> Result<(), NotSent> {
        let mut progress = self.progress.lock().await;
        let message = match &entry.entry {
            Some(entry::Entry::MessageJson(message)) => message.clone(),
            _ => Bytes::new(),
        };
        let mut entries = Vec::with_capacity(2);
        if !progress.open {
            entries.push(self.open_entry().await);
        }
        entries.push(entry);
        let append = self.new_append(&mut progress, entries);
        let logged = self.append(&append, &mut progress.has_failed).await;
        if logged == Err(NotSent::Unavailable)
            && let Some(live) = progress.live.take()
        {
            // It may be in the log all the same, and who reads on there sees what everybody sees.
            live.fall_behind();
        }
        let ids = logged?;
        progress.last_append = Some(append);
        let mut ids = ids.iter();
        if !progress.open {
            self.start_stream(&mut progress, ids.next().map(String::as_str).unwrap_or_default());
        }
        progress.push(Frame::message(ids.next().map(String::as_str), &message));
        Ok(())
    }

    async fn settle(&self, id: Option<&RequestId>, response: Option<Bytes>) {
        let mut progress = self.progress.lock().await;
        if progress.outstanding == 0 {
            return;
        }
        progress.outstanding -= 1;
        progress.answered.extend(id.cloned());
        progress.answers.extend(response);
        let last = progress.outstanding == 0;
        if progress.open {
            self.flush(&mut progress, last).await;
        } else if last {
            let opening = match self.kind {
                Kind::Post { batch } => progress.body(batch),
                Kind::Standalone => Opening::Nothing,
            };
            if let Some(sender) = progress.opening.take() {
                _ = sender.send(opening);
            }
        }
    }

    /// Turns the exchange into a stream.
    fn start_stream(&self, progress: &mut Progress, cursor: &str) {
        progress.open = true;
        let (sender, live) = live();
        if self.description.revision.primes_streams() {
            let retry_ms = self.description.mcp.settings.retry_ms;
            sender.send(Frame::priming(cursor, Some(retry_ms)));
        }
        let cursor = cursor.to_owned();
        if let Some(opening) = progress.opening.take()
            && opening.send(Opening::Stream { live, cursor }).is_ok()
        {
            progress.live = Some(sender);
        }
    }

    /// Sends the answers that are there; with the last of them the stream ends.
    async fn flush(&self, progress: &mut Progress, last: bool) {
        let answers = std::mem::take(&mut progress.answers);
        let mut entries: Vec<Entry> = answers
            .iter()
            .map(|answer| Entry {
                entry: Some(entry::Entry::MessageJson(answer.clone())),
                ..Entry::default()
            })
            .collect();
        match entries.last_mut() {
            Some(entry) if last => entry.r#final = true,
            // Whoever takes the call over answers the others.
            Some(entry) => {
                let open = self.description.open_call(&self.session, &progress.answered);
                entry.still_open = Some(open.await);
            }
            // Given up: the stream ends without a word.
            None if last => entries.push(end()),
            None => return,
        }
        let append = self.new_append(progress, entries);
        let logged = self.append(&append, &mut progress.has_failed).await;
        if logged == Err(NotSent::StreamOver) {
            // Whoever runs the call now answers it.
            if let Some(live) = progress.live.take() {
                live.fall_behind();
            }
            return;
        }
        // An answer that cannot be logged is still worth sending to a client that is there.
        let ids = logged.as_deref().unwrap_or_default();
        for (index, answer) in answers.iter().enumerate() {
            progress.push(Frame::message(ids.get(index).map(String::as_str), answer));
        }
        if last {
            progress.live = None;
        }
        if last && logged == Err(NotSent::Unavailable) {
            // A client that is away will ask for it.
            self.append_late(&append).await;
        }
    }

    async fn open_entry(&self) -> Entry {
        let open = self.description.open_call(&self.session, &[]).await;
        Entry {
            entry: Some(entry::Entry::Open(open)),
            ..Entry::default()
        }
    }
}

/// The call is over, without a word.
fn end() -> Entry {
    Entry {
        r#final: true,
        ..Entry::default()
    }
}
