//! What the session service says.

use std::sync::Arc;

use everything_proto::session::v1::{Detach, Detached, connect_request, connect_response, detached};

use super::Actor;
use crate::{
    jsonrpc::RequestId,
    mcp::link::{Answer, News, StreamEvent},
};

impl Actor {
    pub(super) fn hear(&mut self, message: connect_response::Message) {
        use connect_response::Message;
        match message {
            Message::Welcome(_) | Message::Heartbeat(_) | Message::Drain(_) => {}
            Message::Followed(followed) => {
                if let Some(entry) = self.followed.get_mut(followed.session_id.as_str()) {
                    entry.confirmed = true;
                    for waiting in entry.waiting.drain(..) {
                        _ = waiting.send(());
                    }
                }
            }
            Message::Attached(attached) => {
                if let Some(stream) = self.attachments.get_mut(&attached.attachment) {
                    if stream.last_event_id.is_empty() {
                        stream.last_event_id.clone_from(&attached.event_id);
                    }
                    if !stream.announced {
                        stream.announced = true;
                        self.deliver(
                            attached.attachment,
                            StreamEvent::Attached {
                                event_id: attached.event_id,
                            },
                        );
                    }
                }
            }
            Message::Event(event) => {
                let number = event.attachment;
                let last = event.r#final;
                if let Some(stream) = self.attachments.get_mut(&number) {
                    stream.last_event_id.clone_from(&event.event_id);
                    self.deliver(number, StreamEvent::Event(event));
                }
                if last {
                    self.attachments.remove(&number);
                }
            }
            Message::Detached(Detached { attachment, reason }) => {
                let reason = detached::Reason::try_from(reason).unwrap_or_default();
                if reason == detached::Reason::Unavailable {
                    // The client need not know: it is attached again, but not at once. A service without its store says
                    // no as fast as it is asked.
                    self.unattached.insert(attachment);
                    return;
                }
                self.deliver(attachment, StreamEvent::Detached(reason));
                self.attachments.remove(&attachment);
            }
            Message::Answered(answered) => {
                let entry = self.followed.get_mut(answered.session_id.as_str());
                if let Some(answer) = entry.and_then(|entry| entry.answers.remove(&answered.request_id)) {
                    _ = answer.send(Answer {
                        response: answered.response_json,
                        trace: answered.trace.into(),
                    });
                }
            }
            Message::Cancelled(cancelled) => {
                if let Ok(request_id) = RequestId::from_json(&cancelled.request_id_json) {
                    self.in_flight.cancel(&cancelled.session_id, &request_id);
                }
            }
            Message::SessionUpdated(updated) => self.cache.forget(&updated.session_id),
            Message::SessionEnded(ended) => {
                self.cache.forget(&ended.session_id);
                self.followed.remove(ended.session_id.as_str());
                self.in_flight.cancel_session(&ended.session_id);
            }
            Message::CallTakenOver(taken) => {
                if self.taken_over.try_send(taken).is_err() {
                    // Told again on the next link.
                    self.outbox = None;
                }
            }
            Message::ChangesLost(_) => _ = self.news.send(News::Gap),
            Message::Change(change) => _ = self.news.send(News::Change(Arc::new(change))),
        }
    }

    fn deliver(&mut self, number: u64, event: StreamEvent) {
        if let Some(stream) = self.attachments.get(&number)
            && !stream.events.send(event)
        {
            // Too slow, or gone. Its client resumes from the log.
            let last_event_id = stream.events.delivered();
            self.attachments.remove(&number);
            self.say(connect_request::Message::Detach(Detach {
                attachment: number,
                last_event_id,
            }));
        }
    }
}
