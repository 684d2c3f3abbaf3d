//! What every store promises.

mod answers;
mod edges;
mod event_log;
mod failovers;
mod sessions;
mod standalone_stream;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use change_feed::ChangeId;
use everything_proto::{
    events::v1::{Change, ListChanged, TraceContext, change::Change as Kind},
    feature::v1::LogLevel,
    session::v1::{OpenCall, OpenRequest},
};
use everything_session::{
    Error, Handshake, LogEntry, NewEntries, NewEntry, NewPayload, Payload, Position, Session, SessionId,
    SessionUpdate, StreamName, UserId,
    store::{Fate, MemoryStore, NOBODY, RedisStore, Renewal, Store, StoreSettings, TakenOver},
};
use redis_store::testing::{RedisCluster, RedisSentinel, RedisServer};

use crate::harness::PATIENCE;

macro_rules! contract {
    ($($group:ident::$promise:ident: $settings:expr),* $(,)?) => {
        mod memory {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                super::$group::$promise(Arc::new(MemoryStore::new($settings))).await;
            })*
        }
        mod redis {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                let server = RedisServer::start().await;
                super::$group::$promise(Arc::new(RedisStore::new(&server.connect(), $settings))).await;
            })*
        }
        on!(behind_sentinels, RedisSentinel, $($group::$promise: $settings),*);
        on!(on_a_cluster, RedisCluster, $($group::$promise: $settings),*);
    };
}

macro_rules! on {
    ($topology:ident, $server:ident, $($group:ident::$promise:ident: $settings:expr),*) => {
        #[tokio::test]
        async fn $topology() {
            let server = $server::start().await;
            $(
                server.flush().await;
                $group::$promise(Arc::new(RedisStore::new(&server.connect(), $settings))).await;
            )*
        }
    };
}

contract!(
    sessions::sessions_are_kept_for_their_owner: StoreSettings::default(),
    sessions::unused_sessions_expire: StoreSettings { ttl: Duration::from_millis(300), ..Default::default() },
    sessions::users_have_bounded_sessions: StoreSettings { max_sessions_per_user: 2, ttl: Duration::from_secs(1), ..Default::default() },
    sessions::subscriptions_are_bounded: StoreSettings { max_subscriptions: 2, ..Default::default() },
    event_log::streams_open_once_and_end_once: StoreSettings { max_open_calls: 2, ..Default::default() },
    event_log::streams_are_read_apart_and_in_order: StoreSettings::default(),
    event_log::concurrent_appends_lose_nothing: StoreSettings::default(),
    event_log::the_log_is_bounded_and_says_so: StoreSettings { log_max_entries: 4, ..Default::default() },
    event_log::the_log_is_bounded_in_bytes: StoreSettings { log_max_bytes: 1_000, ..Default::default() },
    standalone_stream::the_standalone_stream_is_taken_once: StoreSettings::default(),
    standalone_stream::a_silent_holder_gives_way: StoreSettings::default(),
    answers::answers_are_taken_once: StoreSettings { max_awaited: 2, ..Default::default() },
    answers::cancellations_are_remembered: StoreSettings::default(),
    event_log::changes_are_logged_once: StoreSettings::default(),
    event_log::old_entries_give_way: StoreSettings { log_max_age: Duration::from_millis(300), ..Default::default() },
    event_log::an_append_is_logged_once_however_often_it_is_tried: StoreSettings::default(),
    event_log::a_try_that_comes_late_is_not_logged: StoreSettings::default(),
    event_log::a_call_that_was_taken_over_is_not_opened_again: StoreSettings::default(),
    event_log::a_call_without_a_stream_speaks_on_the_standalone_one: StoreSettings::default(),
    edges::calls_of_a_dead_edge_are_interrupted_once: StoreSettings::default(),
    edges::repeatable_calls_are_taken_over: StoreSettings::default(),
    edges::a_call_is_taken_over_only_so_often: StoreSettings::default(),
    edges::a_call_is_handed_over: StoreSettings::default(),
    edges::an_edge_that_dies_before_it_is_linked_is_lost: StoreSettings {
        first_lease: Duration::from_millis(300),
        ..Default::default()
    },
);

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn stream(name: &str) -> StreamName {
    StreamName::parse(name).unwrap()
}

async fn session(store: &dyn Store) -> Session {
    let session = new_session("alice");
    store.create(&session).await.unwrap();
    session
}

fn new_session(owner: &str) -> Session {
    Session {
        id: SessionId::generate().unwrap(),
        user: user(owner),
        protocol_version: "2025-11-25".to_owned(),
        client_info: Bytes::from_static(b"{\"name\":\"\xc3\xa9\"}"),
        client_capabilities: Bytes::from_static(b"\x00\xff"),
        log_level: LogLevel::Unspecified,
        subscriptions: BTreeMap::new(),
        initialized: false,
        created_at_ms: 1_764_000_000_000,
        last_change: ChangeId { ms: 5, seq: 1 },
    }
}

fn message(json: &str) -> NewEntry {
    NewEntry::message(json.to_owned())
}

fn last(json: &str) -> NewEntry {
    NewEntry {
        is_final: true,
        ..message(json)
    }
}

fn call(edge: &str, repeatable: bool) -> OpenCall {
    OpenCall {
        edge_id: edge.to_owned(),
        requests: vec![OpenRequest {
            request_id_json: Bytes::from_static(b"1"),
            method: "tools/call".to_owned(),
            params_json: Bytes::from_static(b"{}"),
        }],
        repeatable,
        client_id: "client".to_owned(),
        scopes: vec!["mcp".to_owned()],
    }
}

fn open(edge: &str) -> NewEntry {
    NewEntry {
        payload: NewPayload::Open(call(edge, false)),
        ..message("")
    }
}

fn open_repeatable(edge: &str) -> NewEntry {
    NewEntry {
        payload: NewPayload::Open(call(edge, true)),
        ..message("")
    }
}

/// As the edge `e`.
async fn append(
    store: &dyn Store,
    session: &Session,
    name: &str,
    entries: &[NewEntry],
) -> Result<Vec<Position>, Error> {
    append_as("e", store, session, name, entries).await
}

async fn append_as(
    edge: &str,
    store: &dyn Store,
    session: &Session,
    name: &str,
    entries: &[NewEntry],
) -> Result<Vec<Position>, Error> {
    let entries = new_entries(edge, name, entries);
    store.append(&session.id, &session.user, &entries).await
}

fn new_entries(edge: &str, name: &str, entries: &[NewEntry]) -> NewEntries {
    NewEntries {
        call: stream(name),
        edge: edge.to_owned(),
        entries: entries.to_vec(),
        key: String::new(),
        number: 0,
        trace: TraceContext {
            traceparent: "00-1-2-01".to_owned(),
            tracestate: String::new(),
        },
    }
}

fn texts(entries: &[LogEntry]) -> Vec<String> {
    let text = |entry: &LogEntry| match &entry.payload {
        Payload::Message(json) => String::from_utf8(json.to_vec()).unwrap(),
        other => format!("{other:?}"),
    };
    entries.iter().map(text).collect()
}

async fn read_all(store: &dyn Store, session: &Session, name: &str, after: Position) -> Vec<LogEntry> {
    let (mut entries, mut reached) = (Vec::new(), after);
    loop {
        let page = store.read(&session.id, &stream(name), reached).await.unwrap();
        entries.extend(page.entries);
        reached = page.reached;
        if !page.more {
            return entries;
        }
    }
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
