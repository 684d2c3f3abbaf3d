//! Changes that features announce, narrowed to the sessions that they concern.
//!
//! Each change becomes at most one entry per URI in a session's log, however many replicas see it: the store appends it
//! only above the session's last change, and a replica raises the last change only past what it has looked at.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use change_feed::{Change, ChangeId};
use everything_proto::{
    events::v1::{ListChanged, ResourcesUpdated, change::Change as Kind, list_changed::List},
    feature::v1::LogLevel,
    session::v1::{ChangesLost, connect_response::Message as Out},
};
use futures::StreamExt;
use telemetry::{messaging, propagation};
use tracing::Instrument;

use crate::{
    Error, Position, SessionId, StreamName,
    routing::{Hub, Live, View},
    sync::lock,
};

/// Sessions that one change is appended to at a time.
const CONCURRENT_APPENDS: usize = 64;
/// Live changes that may come while what was missed is looked up.
const CATCH_UP_ROUNDS: usize = 16;
const SUBSCRIBE_RETRY: Duration = Duration::from_millis(500);

impl Hub {
    /// Runs until the replica shuts down.
    pub(crate) async fn watch_changes(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.follow_feed() => {}
                () = self.stopping.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(SUBSCRIBE_RETRY) => {}
                () = self.stopping.cancelled() => return,
            }
        }
    }

    async fn follow_feed(self: &Arc<Self>) {
        let mut feed = match self.feed.subscribe().await {
            Ok(feed) => feed,
            Err(error) => return tracing::debug!(%error, "the change feed cannot be read"),
        };
        // What came before this subscription was not seen live.
        let mut attached = Vec::new();
        for link in lock(&self.table).links() {
            link.send(Out::ChangesLost(ChangesLost {}));
        }
        for (id, route) in lock(&self.table).routes() {
            route.changes.live = None;
            route.changes.missed = true;
            if route.has_standalone() {
                attached.push(id.clone());
            }
        }
        for id in attached {
            self.spawn_catch_up(id);
        }
        while let Some((id, mut change)) = feed.next().await {
            let span = messaging::process(messaging::CHANGES, &change.trace.clone().into());
            messaging::set_message_id(&span, &id.to_string());
            // What comes of it belongs to this delivery.
            change.trace = Option::from(propagation::of(&span)).or(change.trace);
            self.apply(id, change).instrument(span).await;
        }
    }

    async fn apply(self: &Arc<Self>, id: ChangeId, change: Change) {
        let mut concerned = Vec::new();
        {
            let mut table = lock(&self.table);
            for link in table.links() {
                link.send(Out::Change(change.clone()));
            }
            for (session, route) in table.routes() {
                if !route.has_standalone() {
                    continue;
                }
                let Some(live) = &mut route.changes.live else {
                    route.changes.missed = true;
                    continue;
                };
                if id <= live.applied {
                    continue;
                }
                let entries = live.view.narrow(id, &change);
                if entries.is_empty() {
                    live.applied = id;
                } else {
                    concerned.push((session.clone(), entries));
                }
            }
        }
        futures::stream::iter(concerned)
            .for_each_concurrent(CONCURRENT_APPENDS, async |(session, entries)| {
                let entries: Vec<_> = entries.into_iter().map(|entry| (id, entry)).collect();
                let appended = self.append_changes(&session, &entries, id).await;
                if let Some(route) = lock(&self.table).route(&session) {
                    match &appended {
                        Ok(()) => {
                            if let Some(live) = &mut route.changes.live {
                                live.applied = live.applied.max(id);
                            }
                        }
                        // The next sweep looks at what was missed.
                        Err(_) => route.changes.live = None,
                    }
                }
                match appended {
                    Err(Error::SessionNotFound) => self.end_session(&session),
                    Err(error) => tracing::debug!(%error, "a change was not logged"),
                    Ok(()) => {}
                }
            })
            .await;
    }

    async fn append_changes(
        &self,
        session: &SessionId,
        entries: &[(ChangeId, Change)],
        up_to: ChangeId,
    ) -> Result<(), Error> {
        if self.store.append_changes(session, entries, up_to).await? > 0 {
            self.announce(session, &StreamName::standalone(), Position::ZERO)
                .await;
        }
        Ok(())
    }

    pub(crate) fn spawn_catch_up(self: &Arc<Self>, id: SessionId) {
        let hub = self.clone();
        let catching_up = async move {
            if let Err(error) = hub.catch_up(&id).await {
                tracing::debug!(%error, "missed changes could not be looked up");
            }
        };
        self.tasks.spawn(catching_up.in_current_span());
    }

    /// Logs what the session missed while no stream of it was attached, and what it must not miss now that it is.
    pub(crate) async fn catch_up(&self, id: &SessionId) -> Result<(), Error> {
        let gate = match lock(&self.table).route(id) {
            Some(route) => route.changes.gate.clone(),
            None => return Ok(()),
        };
        let _one_at_a_time = gate.lock().await;
        for _ in 0..CATCH_UP_ROUNDS {
            if let Some(route) = lock(&self.table).route(id) {
                route.changes.live = None;
                route.changes.missed = false;
            }
            let session = self.store.peek(id).await?;
            let view = View::of(&session);
            let missed = self.feed.missed(session.last_change).await?;
            let changes = missed.changes;
            let applied = changes.last().map_or(session.last_change, |(id, _)| *id);
            if missed.truncated {
                tracing::warn!(
                    "a session missed changes that are not kept any more; its client is to ask for everything"
                );
                self.append_changes(id, &view.everything(applied), applied)
                    .await?;
            } else if !changes.is_empty() {
                self.append_changes(id, &view.coalesce(&changes), applied).await?;
            }
            match lock(&self.table).route(id) {
                Some(route) if route.changes.missed => {}
                Some(route) => {
                    route.changes.live = Some(Live {
                        view: Arc::new(view),
                        applied,
                    });
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
        Err(Error::Unavailable(
            "changes come faster than they can be looked up".to_owned(),
        ))
    }
}

impl View {
    /// What of a live change concerns this session: entries that name one URI at the most.
    fn narrow(&self, id: ChangeId, change: &Change) -> Vec<Change> {
        if !change.session_key.is_empty() && change.session_key != self.key {
            return Vec::new();
        }
        let entry = |kind| Change {
            change: Some(kind),
            session_key: String::new(),
            trace: change.trace.clone(),
        };
        match &change.change {
            Some(Kind::ResourcesUpdated(updated)) => self
                .subscriptions
                .iter()
                .filter(|(uri, since)| *since < id && names(updated, uri))
                .map(|(uri, _)| {
                    entry(Kind::ResourcesUpdated(ResourcesUpdated {
                        uris: vec![uri.clone()],
                        uri_prefixes: Vec::new(),
                    }))
                })
                .collect(),
            Some(Kind::ListChanged(list)) => vec![entry(Kind::ListChanged(*list))],
            Some(Kind::Log(log)) => {
                let wanted = match self.log_level {
                    LogLevel::Unspecified => LogLevel::Info,
                    level => level,
                };
                let level = match log.level() {
                    LogLevel::Unspecified => LogLevel::Info,
                    level => level,
                };
                if level >= wanted {
                    vec![entry(Kind::Log(log.clone()))]
                } else {
                    Vec::new()
                }
            }
            Some(Kind::Stderr(stderr)) => vec![entry(Kind::Stderr(stderr.clone()))],
            None => Vec::new(),
        }
    }

    /// That anything may have changed: every list, and whatever it subscribes to.
    fn everything(&self, at: ChangeId) -> Vec<(ChangeId, Change)> {
        let lists = [List::Tools, List::Resources, List::Prompts]
            .map(|list| Kind::ListChanged(ListChanged { list: list.into() }));
        let resources = self.subscriptions.iter().map(|(uri, _)| {
            Kind::ResourcesUpdated(ResourcesUpdated {
                uris: vec![uri.clone()],
                uri_prefixes: Vec::new(),
            })
        });
        let entry = |kind| Change {
            change: Some(kind),
            ..Change::default()
        };
        lists
            .into_iter()
            .chain(resources)
            .map(|kind| (at, entry(kind)))
            .collect()
    }

    /// What of missed changes still concerns this session: the latest for each URI and each list; no logs.
    fn coalesce(&self, missed: &[(ChangeId, Change)]) -> Vec<(ChangeId, Change)> {
        let mut latest: BTreeMap<(String, i32), (ChangeId, Change)> = BTreeMap::new();
        for (id, change) in missed {
            for entry in self.narrow(*id, change) {
                let key = match &entry.change {
                    Some(Kind::ResourcesUpdated(ResourcesUpdated { uris, .. })) => (uris.concat(), 0),
                    Some(Kind::ListChanged(ListChanged { list })) => (String::new(), *list),
                    Some(Kind::Log(_) | Kind::Stderr(_)) | None => continue,
                };
                latest.insert(key, (*id, entry));
            }
        }
        let mut entries: Vec<_> = latest.into_values().collect();
        entries.sort_by_key(|(id, _)| *id);
        entries
    }
}

fn names(updated: &ResourcesUpdated, uri: &str) -> bool {
    updated.uris.iter().any(|named| named == uri)
        || updated
            .uri_prefixes
            .iter()
            .any(|prefix| uri.starts_with(prefix.as_str()))
}
