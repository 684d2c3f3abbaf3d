//! What an edge says on its link.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use everything_proto::session::v1::{
    ConnectRequest, Drain, Heartbeat, Welcome, connect_request::Message as In,
    connect_response::Message as Out,
};
use futures::{Stream, StreamExt};

use crate::{
    Error, SessionId,
    link::{Link, LinkQueue, Outbound},
    routing::Hub,
    sync::lock,
};

/// How long an edge may take to say who it is.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// A link on which nothing came for this many heartbeats is dead.
const MISSED_HEARTBEATS: u32 = 3;
const MAX_EDGE_ID_CHARS: usize = 64;

impl Hub {
    /// Serves one edge until either side ends the link.
    pub(crate) fn connect<S, E>(self: &Arc<Self>, inbound: S) -> Outbound
    where
        S: Stream<Item = Result<ConnectRequest, E>> + Send + Unpin + 'static,
        E: Send,
    {
        let (queue, outbound) = LinkQueue::new();
        let hub = self.clone();
        self.tasks
            .spawn(async move { hub.run_link(queue, inbound).await });
        outbound
    }

    /// Ends what edges did not end themselves.
    pub(crate) fn close_links(&self) {
        for link in lock(&self.table).links() {
            link.closed.cancel();
        }
    }

    async fn run_link<S, E>(self: Arc<Self>, queue: LinkQueue, mut inbound: S)
    where
        S: Stream<Item = Result<ConnectRequest, E>> + Send + Unpin,
        E: Send,
    {
        let edge = match tokio::time::timeout(HELLO_TIMEOUT, hello(&mut inbound)).await {
            Ok(Ok(edge)) => edge,
            Ok(Err(error)) => return queue.refuse(error),
            Err(_) => return queue.refuse(Error::Link("no hello")),
        };
        if self.stopping.is_cancelled() {
            return queue.refuse(Error::ShuttingDown);
        }
        let link = Arc::new(Link::open(self.next_number(), edge, queue));
        let older = lock(&self.table).add_link(&link);
        if let Some(older) = older {
            older.closed.cancel();
        }
        // Whoever is welcome can be given calls.
        self.hold_lease(&link).await;
        let heartbeat = self.settings.heartbeat;
        link.send(Out::Welcome(Welcome {
            heartbeat_interval_ms: u64::try_from(heartbeat.as_millis()).unwrap_or(u64::MAX),
        }));
        tracing::info!(edge = link.edge, "an edge has connected");
        self.remind_of_calls(&link);
        self.serve_link(&link, &mut inbound).await;
        link.closed.cancel();
        let (attachments, is_last) = lock(&self.table).remove_link(&link);
        for attachment in &attachments {
            self.end_attachment(attachment);
        }
        if is_last {
            self.doubt_tasks(&link.edge);
            if let Err(error) = self.store.lose_edge(&link.edge).await {
                tracing::debug!(%error, "the lease of an edge ends by itself");
            }
        }
        tracing::info!(edge = link.edge, "an edge has gone");
    }

    async fn serve_link<S, E>(self: &Arc<Self>, link: &Arc<Link>, inbound: &mut S)
    where
        S: Stream<Item = Result<ConnectRequest, E>> + Send + Unpin,
        E: Send,
    {
        let mut beats = tokio::time::interval(self.settings.heartbeat);
        beats.reset();
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let patience = self.settings.heartbeat * MISSED_HEARTBEATS;
        let mut last_heard = tokio::time::Instant::now();
        let mut draining = false;
        loop {
            tokio::select! {
                request = inbound.next() => {
                    let Some(Ok(ConnectRequest { message: Some(message) })) = request else { return };
                    last_heard = tokio::time::Instant::now();
                    self.on_request(link, message);
                }
                _ = beats.tick() => {
                    if last_heard.elapsed() > patience {
                        tracing::warn!(edge = link.edge, "an edge is silent");
                        return;
                    }
                    link.send(Out::Heartbeat(Heartbeat {}));
                    self.renew_lease(link);
                }
                () = self.stopping.cancelled(), if !draining => {
                    draining = true;
                    link.send(Out::Drain(Drain {}));
                }
                () = link.closed.cancelled() => return,
            }
        }
    }

    fn on_request(self: &Arc<Self>, link: &Arc<Link>, message: In) {
        match message {
            In::Hello(_) => {
                tracing::warn!(edge = link.edge, "a second hello on one link");
                link.closed.cancel();
            }
            In::Attach(attach) => self.attach(link, attach),
            In::Detach(detach) => {
                // What reached no client goes to the next one.
                let delivered = detach.last_event_id.parse().ok();
                self.detach(link.id, detach.attachment, delivered);
            }
            In::Follow(follow) => self.follow(link, follow),
            In::Unfollow(unfollow) => {
                if let Ok(id) = SessionId::parse(&unfollow.session_id) {
                    lock(&self.table).unfollow(link.id, &id);
                }
            }
            In::Touch(touch) => {
                let ids = touch
                    .session_ids
                    .iter()
                    .filter_map(|id| SessionId::parse(id).ok());
                self.touch(ids);
            }
            In::Heartbeat(_) => {}
            In::Drain(_) => link.draining.store(true, Ordering::Relaxed),
        }
    }
}

async fn hello<S, E>(inbound: &mut S) -> Result<String, Error>
where
    S: Stream<Item = Result<ConnectRequest, E>> + Send + Unpin,
    E: Send,
{
    match inbound.next().await {
        Some(Ok(ConnectRequest {
            message: Some(In::Hello(hello)),
        })) => check_edge_id(hello.edge_id),
        _ => Err(Error::Link("the first message is a hello")),
    }
}

/// 1 to 64 of `[A-Za-z0-9_-]`.
pub(crate) fn check_edge_id(id: String) -> Result<String, Error> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if id.is_empty() || id.len() > MAX_EDGE_ID_CHARS || !id.bytes().all(good) {
        return Err(Error::Invalid(format!(
            "edge_id: 1 to {MAX_EDGE_ID_CHARS} of [A-Za-z0-9_-]"
        )));
    }
    Ok(id)
}
