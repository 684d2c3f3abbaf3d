//! An edge that serves a session hears its control messages and gets the answers that it waits for.

use std::{sync::Arc, time::Duration};

use everything_proto::{
    events::v1::TraceContext,
    session::v1::{Answered, Cancelled, Follow, Followed, SessionEnded, connect_response::Message as Out},
};
use telemetry::spans;
use tracing::Instrument;

use super::Hub;
use crate::{Error, SessionId, UserId, bus::Topic, link::Link, sync::lock};

/// Requests whose answers one edge may name for one session.
const MAX_AWAITING: usize = 256;
/// A follow is tried again for this long while the store or the bus is away.
const FOLLOW_TRIES: usize = 20;
const FOLLOW_RETRY: Duration = Duration::from_millis(500);

impl Hub {
    pub(crate) fn follow(self: &Arc<Self>, link: &Arc<Link>, follow: Follow) {
        let (id, user) = match (
            SessionId::parse(&follow.session_id),
            UserId::parse(&follow.user_id),
        ) {
            (Ok(id), Ok(user)) => (id, user),
            _ => return link.send(ended(&follow.session_id)),
        };
        // Noted at once, so that an unfollow that comes next takes it back.
        lock(&self.table).want(link, &id);
        let (hub, link) = (self.clone(), link.clone());
        let span = spans::part_of("follow session", &follow.trace.clone().into());
        let following = async move {
            let permit = link.starts.clone().acquire_owned().await;
            for _ in 0..FOLLOW_TRIES {
                match hub.start_following(&link, &id, &user, &follow.awaiting).await {
                    Ok(()) => break,
                    Err(Error::SessionNotFound) => {
                        lock(&hub.table).unfollow(link.id, &id);
                        link.send(ended(id.as_str()));
                        break;
                    }
                    Err(error) => tracing::warn!(%error, "a session could not be followed"),
                }
                tokio::select! {
                    () = tokio::time::sleep(FOLLOW_RETRY) => {}
                    () = link.closed.cancelled() => break,
                }
            }
            drop(permit);
        };
        self.tasks.spawn(following.instrument(span));
    }

    /// Confirmed subscription first, then what is stored: nothing falls between.
    async fn start_following(
        self: &Arc<Self>,
        link: &Arc<Link>,
        id: &SessionId,
        user: &UserId,
        awaiting: &[String],
    ) -> Result<(), Error> {
        // A stranger must not hear anything, not even for a moment.
        self.store.get(id, user).await?;
        if !lock(&self.table).follow(link, id, awaiting, MAX_AWAITING) {
            return Ok(());
        }
        self.keep_subscribed(id).await?;
        // It may have been deleted before the subscription stood.
        self.store.peek(id).await?;
        link.send(Out::Followed(Followed {
            session_id: id.as_str().to_owned(),
        }));
        for (request_id_json, reason) in self.store.cancels(id).await? {
            let session_id = id.as_str().to_owned();
            link.send(Out::Cancelled(Cancelled {
                session_id,
                request_id_json,
                reason,
            }));
        }
        self.send_answers(link, id, awaiting, true, None).await
    }

    /// Subscribes to what concerns the whole session, for as long as anybody here is interested in it.
    pub(super) async fn keep_subscribed(&self, id: &SessionId) -> Result<(), Error> {
        let holds = futures::future::try_join(
            self.topics.open(Topic::ToServer(id.clone())),
            self.topics.open(Topic::Control(id.clone())),
        );
        let (to_server, control) = holds.await?;
        lock(&self.table).keep(id, vec![to_server, control]);
        Ok(())
    }

    /// An answer waits: whoever here may wait for it asks for it. `trace` is that of its announcement. `again`: it may
    /// have been taken already, and got lost.
    pub(crate) fn deliver_answers(
        self: &Arc<Self>,
        id: &SessionId,
        again: bool,
        trace: Option<TraceContext>,
    ) {
        let waiting: Vec<(Arc<Link>, Vec<String>)> = match lock(&self.table).route(id) {
            Some(route) => route
                .followers
                .values()
                .map(|follower| (follower.link.clone(), follower.awaiting.iter().cloned().collect()))
                .collect(),
            None => return,
        };
        for (link, awaiting) in waiting {
            let (hub, id, trace) = (self.clone(), id.clone(), trace.clone());
            let delivering = async move {
                // An attempt that failed may have taken what nobody got.
                let mut again = again;
                for _ in 0..FOLLOW_TRIES {
                    match hub
                        .send_answers(&link, &id, &awaiting, again, trace.clone())
                        .await
                    {
                        Ok(()) | Err(Error::SessionNotFound) => return,
                        Err(error) => tracing::debug!(%error, "answers could not be read"),
                    }
                    again = true;
                    tokio::select! {
                        () = tokio::time::sleep(FOLLOW_RETRY) => {}
                        () = link.closed.cancelled() => return,
                    }
                }
            };
            self.tasks.spawn(delivering.in_current_span());
        }
    }

    async fn send_answers(
        &self,
        link: &Arc<Link>,
        id: &SessionId,
        awaiting: &[String],
        again: bool,
        trace: Option<TraceContext>,
    ) -> Result<(), Error> {
        let Some(room) = link.room().await else {
            return Ok(());
        };
        for (request_id, response_json) in self.store.take_answers(id, &link.edge, awaiting, again).await? {
            lock(&self.table).answered(link.id, id, &request_id);
            let session_id = id.as_str().to_owned();
            link.send_event(
                Out::Answered(Answered {
                    session_id,
                    request_id,
                    response_json,
                    trace: trace.clone(),
                }),
                &room,
            );
        }
        Ok(())
    }
}

fn ended(session_id: &str) -> Out {
    Out::SessionEnded(SessionEnded {
        session_id: session_id.to_owned(),
    })
}
