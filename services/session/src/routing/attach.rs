//! A client's SSE stream comes and goes: what it missed, then what comes.

use std::sync::{Arc, atomic::Ordering};

use everything_proto::{
    events::v1::{Superseded, control::Action},
    session::v1::{Attach, Attached, Event, connect_response::Message as Out, detached::Reason, event},
};

use telemetry::spans;
use tracing::Instrument;

use super::{Attachment, Hub, detached};
use crate::{
    Error, EventId, LogEntry, Payload, SessionId, StreamName, UserId,
    bus::Topic,
    link::{Link, Room},
    store::Held,
    sync::lock,
};

impl Hub {
    /// Registers the attachment at once, so that a detach that follows finds it, and does the rest in a task.
    pub(crate) fn attach(self: &Arc<Self>, link: &Arc<Link>, attach: Attach) {
        let number = attach.attachment;
        let older = lock(&self.table).detach(link.id, number);
        if let Some(older) = older {
            self.end_attachment(&older);
        }
        let (id, user) = match (
            SessionId::parse(&attach.session_id),
            UserId::parse(&attach.user_id),
        ) {
            (Ok(id), Ok(user)) => (id, user),
            _ => return link.send(detached(number, Reason::SessionNotFound)),
        };
        let cursor = match attach.last_event_id.as_str() {
            "" => Ok(None),
            text => text.parse::<EventId>().map(Some),
        };
        let stream = match &cursor {
            Ok(Some(event_id)) => event_id.stream.clone(),
            Ok(None) | Err(_) => StreamName::standalone(),
        };
        // Never used twice, unlike the edge's number: the store tells holders apart by it.
        let name = format!("{}.{}", self.replica, self.next_number());
        let attachment = Arc::new(Attachment::new(link.clone(), number, id, stream, name));
        if !lock(&self.table).attach(&attachment) {
            return;
        }
        let hub = self.clone();
        let span = spans::part_of("attach stream", &attach.trace.into());
        let attaching = async move {
            let permit = attachment.link.starts.clone().acquire_owned().await;
            let outcome = hub.start_attachment(&attachment, &user, cursor).await;
            drop(permit);
            match outcome {
                Ok(()) => hub.serve(attachment).await,
                Err(error) => hub.refuse_attachment(&attachment, &error),
            }
        };
        self.tasks.spawn(attaching.instrument(span));
    }

    /// Confirmed subscription first, then the log: nothing falls between.
    async fn start_attachment(
        self: &Arc<Self>,
        attachment: &Arc<Attachment>,
        user: &UserId,
        cursor: Result<Option<EventId>, Error>,
    ) -> Result<(), Error> {
        let (id, stream) = (&attachment.session, &attachment.stream);
        // Whose session it is comes first: a stranger learns nothing about cursors.
        self.store.get(id, user).await?;
        let cursor = cursor?.map(|event_id| event_id.position);
        let topic = self
            .topics
            .open(Topic::ToClient(id.clone(), stream.clone()))
            .await?;
        *lock(&attachment.topic) = Some(topic);
        self.keep_subscribed(id).await?;
        if let Some(cursor) = cursor {
            self.store
                .inspect(id, user, stream, cursor)
                .await?
                .check(stream, cursor)?;
        }
        let start = if stream.is_standalone() {
            self.catch_up(id).await?;
            // Who stood still may have been replaced meanwhile, and must not take the stream from its successor.
            if attachment.has_ended() {
                return Ok(());
            }
            let Held { cursor, superseded } = self.store.hold(id, user, &attachment.name, cursor).await?;
            if superseded.is_some() {
                let holder = Superseded {
                    stream: stream.as_str().to_owned(),
                    attachment: attachment.name.clone(),
                };
                self.control(id, Action::Superseded(holder)).await;
            }
            cursor
        } else {
            cursor.unwrap_or_default()
        };
        {
            let mut progress = lock(&attachment.progress);
            progress.start = start;
            progress.reached = start;
            progress.sent = start;
            progress.taken = stream.is_standalone().then_some(start);
            progress.attached = true;
        }
        if !attachment.has_ended() {
            let event_id = EventId {
                stream: stream.clone(),
                position: start,
            }
            .to_string();
            attachment.link.send(Out::Attached(Attached {
                attachment: attachment.number,
                event_id,
            }));
        }
        Ok(())
    }

    fn refuse_attachment(&self, attachment: &Attachment, error: &Error) {
        let reason = match error {
            Error::SessionNotFound | Error::TaskNotFound => Reason::SessionNotFound,
            Error::CursorInvalid => Reason::CursorInvalid,
            Error::CursorExpired => Reason::CursorExpired,
            Error::StreamFinished => Reason::StreamFinished,
            // It is asked for again until the store is there; that it is not has been said.
            Error::Unavailable(_) => {
                tracing::debug!(%error, "a stream could not be attached");
                Reason::Unavailable
            }
            Error::Corrupt(_)
            | Error::ShuttingDown
            | Error::Invalid(_)
            | Error::StreamNotOpen
            | Error::StreamOpen
            | Error::Limit { .. }
            | Error::Link(_) => {
                tracing::warn!(%error, "a stream could not be attached");
                Reason::Unavailable
            }
        };
        self.remove_attachment(attachment);
        if !attachment.has_ended() {
            attachment.end();
            attachment.link.send(detached(attachment.number, reason));
        }
    }

    /// Takes exactly this attachment out of the table: its number may be in use again.
    pub(super) fn remove_attachment(&self, attachment: &Attachment) {
        let mut table = lock(&self.table);
        if !attachment.has_ended() {
            table.detach(attachment.link.id, attachment.number);
        }
    }

    /// `delivered` is the last event that went onto the client's connection.
    pub(crate) fn detach(self: &Arc<Self>, link: u64, number: u64, delivered: Option<EventId>) {
        let attachment = lock(&self.table).detach(link, number);
        if let Some(attachment) = attachment {
            let mut progress = lock(&attachment.progress);
            let delivered = delivered
                .filter(|event| event.stream == attachment.stream)
                .map_or(progress.start, |event| event.position);
            progress.sent = progress.sent.min(delivered.max(progress.start));
            // Nothing goes out, and counts as sent, after that.
            attachment.end();
            drop(progress);
            self.end_attachment(&attachment);
        }
    }

    /// Its work ends it: what was taken for it and not sent goes back.
    pub(crate) fn end_attachment(self: &Arc<Self>, attachment: &Arc<Attachment>) {
        attachment.end();
        lock(&attachment.topic).take();
        self.wake(attachment);
    }

    /// Somebody else holds the standalone stream now, or nobody.
    pub(super) fn holder_changed(self: &Arc<Self>, id: &SessionId, superseded: &Superseded) {
        let attachments = lock(&self.table).attachments(id, &StreamName::standalone());
        for attachment in attachments {
            if superseded.attachment.is_empty() {
                attachment.vacant.store(true, Ordering::Release);
            }
            self.wake(&attachment);
        }
    }
}

pub(super) fn send_entry(attachment: &Attachment, entry: LogEntry, room: &Room) {
    let payload = match entry.payload {
        Payload::Message(json) => Some(event::Payload::MessageJson(json)),
        Payload::Change(change) => Some(event::Payload::Change(change)),
        Payload::Interrupted(call) => Some(event::Payload::CallInterrupted(
            everything_proto::session::v1::CallInterrupted { call: Some(call) },
        )),
        Payload::End => None,
    };
    let event_id = EventId {
        stream: attachment.stream.clone(),
        position: entry.position,
    }
    .to_string();
    let trace = (!entry.trace.traceparent.is_empty()).then_some(entry.trace);
    let event = Event {
        attachment: attachment.number,
        event_id,
        r#final: entry.is_final,
        trace,
        payload,
    };
    attachment.link.send_event(Out::Event(event), room);
}
