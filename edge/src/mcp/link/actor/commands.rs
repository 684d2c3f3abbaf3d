//! What handlers want of the link.

use everything_proto::session::v1::{Detach, Unfollow, connect_request};

use super::{Actor, AttachedStream, FollowedSession};
use crate::mcp::link::Command;

impl Actor {
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Attach {
                session_id,
                user_id,
                last_event_id,
                events,
                number,
                trace,
            } => {
                let attached = AttachedStream {
                    session_id,
                    user_id,
                    last_event_id,
                    announced: false,
                    events,
                };
                let message = attached.message(number, trace);
                self.attachments.insert(number, attached);
                self.say(message);
            }
            Command::Detach {
                number,
                last_event_id,
            } => {
                if self.attachments.remove(&number).is_some() {
                    self.say(connect_request::Message::Detach(Detach {
                        attachment: number,
                        last_event_id,
                    }));
                }
            }
            Command::Follow {
                session_id,
                user_id,
                followed,
                trace,
            } => {
                let entry = self
                    .followed
                    .entry(session_id.clone())
                    .or_insert_with(|| FollowedSession::new(user_id));
                entry.guards += 1;
                if entry.confirmed {
                    _ = followed.send(());
                    return;
                }
                entry.waiting.push(followed);
                let message = entry.message(&session_id, trace);
                self.say(message);
            }
            Command::Unfollow { session_id } => self.unfollow(&session_id),
            Command::Await {
                session_id,
                user_id,
                request_id,
                answer,
                followed,
                trace,
            } => {
                // Not followed before: the link was down when the session was needed. If the session is over, word of that
                // drops the senders.
                let entry = self
                    .followed
                    .entry(session_id.clone())
                    .or_insert_with(|| FollowedSession::new(user_id));
                entry.guards += 1;
                entry.answers.insert(request_id, answer);
                // Named to the service: it knows by itself only who waits on a call's own stream.
                entry.waiting.push(followed);
                let message = entry.message(&session_id, trace);
                self.say(message);
            }
            Command::ForgetAnswer {
                session_id,
                request_id,
            } => {
                if let Some(entry) = self.followed.get_mut(&session_id) {
                    entry.answers.remove(&request_id);
                }
                self.unfollow(&session_id);
            }
            Command::Touch { session_id } => {
                self.touched.insert(session_id);
            }
        }
    }

    fn unfollow(&mut self, session_id: &str) {
        let Some(entry) = self.followed.get_mut(session_id) else {
            return;
        };
        entry.guards = entry.guards.saturating_sub(1);
        if entry.guards == 0 {
            self.followed.remove(session_id);
            self.say(connect_request::Message::Unfollow(Unfollow {
                session_id: session_id.to_owned(),
            }));
        }
    }
}
