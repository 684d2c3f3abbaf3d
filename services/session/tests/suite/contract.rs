//! What every store promises.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use change_feed::ChangeId;
use everything_proto::{
    events::v1::{Change, ListChanged, TraceContext, change::Change as Kind},
    feature::v1::LogLevel,
    session::v1::OpenCall,
};
use everything_session::{
    Error, Handshake, LogEntry, NewEntry, NewPayload, Payload, Position, Session, SessionId, SessionUpdate,
    StreamName, UserId,
    store::{MemoryStore, RedisStore, Renewal, Store, StoreSettings},
};
use redis_store::testing::RedisServer;

use crate::harness::PATIENCE;

macro_rules! contract {
    ($($promise:ident: $settings:expr),* $(,)?) => {
        mod memory {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(Arc::new(MemoryStore::new($settings))).await;
            })*
        }
        mod redis {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                let server = RedisServer::start().await;
                super::$promise(Arc::new(RedisStore::new(&server.connect(), $settings))).await;
            })*
        }
    };
}

contract!(
    sessions_are_kept_for_their_owner: StoreSettings::default(),
    unused_sessions_expire: StoreSettings { ttl: Duration::from_millis(300), ..Default::default() },
    users_have_bounded_sessions: StoreSettings { max_sessions_per_user: 2, ttl: Duration::from_secs(1), ..Default::default() },
    subscriptions_are_bounded: StoreSettings { max_subscriptions: 2, ..Default::default() },
    streams_open_once_and_end_once: StoreSettings { max_open_calls: 2, ..Default::default() },
    streams_are_read_apart_and_in_order: StoreSettings::default(),
    concurrent_appends_lose_nothing: StoreSettings::default(),
    the_log_is_bounded_and_says_so: StoreSettings { log_max_entries: 4, ..Default::default() },
    the_log_is_bounded_in_bytes: StoreSettings { log_max_bytes: 1_000, ..Default::default() },
    the_standalone_stream_is_taken_once: StoreSettings::default(),
    a_silent_holder_gives_way: StoreSettings::default(),
    answers_are_taken_once: StoreSettings { max_awaited: 2, ..Default::default() },
    cancellations_are_remembered: StoreSettings::default(),
    changes_are_logged_once: StoreSettings::default(),
    calls_of_a_dead_edge_are_interrupted_once: StoreSettings::default(),
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

fn call(edge: &str) -> OpenCall {
    OpenCall {
        edge_id: edge.to_owned(),
        request_id_json: Bytes::from_static(b"1"),
        method: "tools/call".to_owned(),
        params_json: Bytes::from_static(b"{}"),
        repeatable: true,
    }
}

fn open(edge: &str) -> NewEntry {
    NewEntry {
        payload: NewPayload::Open(call(edge)),
        is_final: false,
        awaits_answer: None,
    }
}

async fn append(
    store: &dyn Store,
    session: &Session,
    name: &str,
    entries: &[NewEntry],
) -> Result<Vec<Position>, Error> {
    let trace = TraceContext {
        traceparent: "00-1-2-01".to_owned(),
        tracestate: String::new(),
    };
    store
        .append(&session.id, &session.user, &stream(name), entries, &trace)
        .await
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

async fn sessions_are_kept_for_their_owner(store: Arc<dyn Store>) {
    let mut expected = session(&*store).await;
    let (id, owner) = (expected.id.clone(), expected.user.clone());
    assert_eq!(store.get(&id, &owner).await.unwrap(), expected);
    assert_eq!(store.peek(&id).await.unwrap(), expected);
    let at = ChangeId { ms: 9, seq: 2 };
    let update = SessionUpdate {
        log_level: Some(LogLevel::Error),
        initialized: Some(true),
        handshake: Some(Handshake {
            protocol_version: "2024-11-05".to_owned(),
            client_info: Bytes::new(),
            client_capabilities: Bytes::from_static(b"\xfe"),
        }),
        subscribe: vec![("test://é".to_owned(), at), ("b".to_owned(), at)],
        unsubscribe: vec!["b".to_owned()],
    };
    expected.log_level = LogLevel::Error;
    expected.initialized = true;
    expected.protocol_version = "2024-11-05".to_owned();
    expected.client_info = Bytes::new();
    expected.client_capabilities = Bytes::from_static(b"\xfe");
    expected.subscriptions.insert("test://é".to_owned(), at);
    assert_eq!(store.update(&id, &owner, &update).await.unwrap(), expected);
    // Subscribing again keeps the older place; what is not named stays.
    let again = SessionUpdate {
        subscribe: vec![("test://é".to_owned(), ChangeId { ms: 99, seq: 0 })],
        ..Default::default()
    };
    assert_eq!(store.update(&id, &owner, &again).await.unwrap(), expected);

    let foreign = store.delete(&id, &user("mallory")).await;
    assert!(matches!(foreign, Err(Error::SessionNotFound)));
    store.delete(&id, &owner).await.unwrap();
    assert!(matches!(
        store.get(&id, &owner).await,
        Err(Error::SessionNotFound)
    ));
    assert!(matches!(store.peek(&id).await, Err(Error::SessionNotFound)));
    assert!(matches!(
        store.delete(&id, &owner).await,
        Err(Error::SessionNotFound)
    ));
    assert_eq!(store.missing(std::slice::from_ref(&id)).await.unwrap(), [id]);
}

async fn unused_sessions_expire(store: Arc<dyn Store>) {
    let (used, unused) = (session(&*store).await, session(&*store).await);
    append(&*store, &unused, "g", &[message("1")]).await.unwrap();
    let both = [used.id.clone(), unused.id.clone()];
    let renewal = Renewal {
        session: used.id.clone(),
        holder: None,
        change: None,
    };
    eventually("the unused session expires", async || {
        assert_eq!(store.renew(std::slice::from_ref(&renewal)).await.unwrap(), []);
        store.missing(&both).await.unwrap() == [unused.id.clone()]
    })
    .await;
    assert!(store.get(&used.id, &used.user).await.is_ok());
    let gone = Renewal {
        session: unused.id.clone(),
        ..renewal
    };
    assert_eq!(
        store.renew(&[gone]).await.unwrap(),
        std::slice::from_ref(&unused.id)
    );
    assert!(matches!(
        store.get(&unused.id, &unused.user).await,
        Err(Error::SessionNotFound)
    ));
}

async fn users_have_bounded_sessions(store: Arc<dyn Store>) {
    let first = session(&*store).await;
    session(&*store).await;
    let third = new_session("alice");
    assert!(matches!(
        store.create(&third).await,
        Err(Error::Limit { limit: 2, .. })
    ));
    assert!(matches!(
        store.get(&third.id, &third.user).await,
        Err(Error::SessionNotFound)
    ));
    store.create(&new_session("bob")).await.unwrap();
    store.delete(&first.id, &first.user).await.unwrap();
    session(&*store).await;
    // Expired sessions do not count.
    eventually("there is room again", async || {
        store.create(&new_session("alice")).await.is_ok()
    })
    .await;
}

async fn subscriptions_are_bounded(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let subscribe = |uris: &[&str]| SessionUpdate {
        subscribe: uris
            .iter()
            .map(|uri| ((*uri).to_owned(), ChangeId::ZERO))
            .collect(),
        ..Default::default()
    };
    let (id, owner) = (&session.id, &session.user);
    assert!(matches!(
        store.update(id, owner, &subscribe(&["a", "b", "c"])).await,
        Err(Error::Limit { .. })
    ));
    assert!(store.peek(id).await.unwrap().subscriptions.is_empty());
    store
        .update(id, owner, &subscribe(&["a", "b", "a"]))
        .await
        .unwrap();
    store.update(id, owner, &subscribe(&["a"])).await.unwrap();
    assert!(matches!(
        store.update(id, owner, &subscribe(&["c"])).await,
        Err(Error::Limit { .. })
    ));
    let swap = SessionUpdate {
        unsubscribe: vec!["a".to_owned()],
        ..subscribe(&["c"])
    };
    let uris = store.update(id, owner, &swap).await.unwrap().subscriptions;
    assert_eq!(uris.into_keys().collect::<Vec<_>>(), ["b", "c"]);
}

async fn streams_open_once_and_end_once(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let append = async |name, entries: &[NewEntry]| append(&*store, &session, name, entries).await;
    assert!(matches!(
        append("c1", &[message("early")]).await,
        Err(Error::StreamNotOpen)
    ));
    append("c1", &[open("e"), message("1")]).await.unwrap();
    assert!(matches!(append("c1", &[open("e")]).await, Err(Error::StreamOpen)));
    assert!(matches!(
        append("c1", &[last("2"), message("3")]).await,
        Err(Error::StreamNotOpen)
    ));
    append("c2", &[open("e")]).await.unwrap();
    assert!(matches!(
        append("c3", &[open("e")]).await,
        Err(Error::Limit { .. })
    ));
    append("c1", &[last("2")]).await.unwrap();
    assert!(matches!(
        append("c1", &[message("late")]).await,
        Err(Error::StreamNotOpen)
    ));
    let end = NewEntry {
        payload: NewPayload::End,
        is_final: true,
        awaits_answer: None,
    };
    append("c3", &[open("e"), end]).await.unwrap();
    // What was refused left nothing behind.
    assert_eq!(
        texts(&read_all(&*store, &session, "c1", Position::ZERO).await),
        ["1", "2"]
    );
    let ended = read_all(&*store, &session, "c3", Position::ZERO).await;
    assert!(matches!(
        &ended[..],
        [LogEntry {
            payload: Payload::End,
            is_final: true,
            ..
        }]
    ));
}

async fn streams_are_read_apart_and_in_order(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let append = async |name, entries: &[NewEntry]| append(&*store, &session, name, entries).await.unwrap();
    let opened = append("c", &[open("e")]).await[0];
    for n in 0..100 {
        append("c", &[message(&format!("c{n}"))]).await;
        append("g", &[message(&format!("g{n}"))]).await;
    }
    append("c", &[last("end")]).await;
    let entries = read_all(&*store, &session, "c", opened).await;
    assert_eq!(entries.len(), 101);
    assert_eq!(texts(&entries[..2]), ["c0", "c1"]);
    assert!(entries.is_sorted_by(|a, b| a.position < b.position));
    assert_eq!(entries[0].trace.traceparent, "00-1-2-01");
    assert!(entries[100].is_final && !entries[99].is_final);
    assert_eq!(
        read_all(&*store, &session, "c", entries[98].position).await,
        entries[99..]
    );

    let check = async |name: &str, cursor| {
        let facts = store
            .inspect(&session.id, &session.user, &stream(name), cursor)
            .await
            .unwrap();
        facts.check(&stream(name), cursor)
    };
    check("c", opened).await.unwrap();
    check("c", entries[0].position).await.unwrap();
    assert!(matches!(
        check("c", entries[100].position).await,
        Err(Error::StreamFinished)
    ));
    check("g", Position::ZERO).await.unwrap();
    // A place of another stream, or of none.
    assert!(matches!(
        check("g", entries[0].position).await,
        Err(Error::CursorInvalid)
    ));
    assert!(matches!(
        check("c", Position { seq: 9_999, ..opened }).await,
        Err(Error::CursorInvalid)
    ));
    assert!(matches!(check("d", opened).await, Err(Error::CursorInvalid)));
    let far = Position {
        ms: 999_999_999_999_999,
        seq: 0,
    };
    assert!(matches!(check("g", far).await, Err(Error::CursorInvalid)));
}

async fn concurrent_appends_lose_nothing(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (store, session) = (store.clone(), session.clone());
        writers.spawn(async move {
            for n in 0..25 {
                append(&*store, &session, "g", &[message(&format!("{writer}:{n}"))])
                    .await
                    .unwrap();
            }
        });
    }
    writers.join_all().await;
    let mut all = texts(&read_all(&*store, &session, "g", Position::ZERO).await);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 200);
}

async fn the_log_is_bounded_and_says_so(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let append = async |name, entries: &[NewEntry]| append(&*store, &session, name, entries).await.unwrap();
    let check = async |name: &str, cursor| {
        let facts = store
            .inspect(&session.id, &session.user, &stream(name), cursor)
            .await
            .unwrap();
        facts.check(&stream(name), cursor)
    };
    let opened = append("c", &[open("e")]).await[0];
    let mut g = Vec::new();
    for n in 0..6 {
        g.extend(append("g", &[message(&n.to_string())]).await);
    }
    // Nothing of the call was lost, although the place where it began is gone.
    check("c", opened).await.unwrap();
    check("g", g[1]).await.unwrap();
    assert!(matches!(check("g", g[0]).await, Err(Error::CursorExpired)));
    assert!(matches!(
        check("g", Position::ZERO).await,
        Err(Error::CursorExpired)
    ));
    assert_eq!(
        texts(&read_all(&*store, &session, "g", Position::ZERO).await),
        ["2", "3", "4", "5"]
    );
    append("c", &[message("x"), last("y")]).await;
    check("c", opened).await.unwrap();
    append("g", &[message("6"), message("7"), message("8")]).await;
    assert!(matches!(check("c", opened).await, Err(Error::CursorExpired)));
}

async fn the_log_is_bounded_in_bytes(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    for n in 0..5 {
        let text = format!("{n}{}", "x".repeat(300));
        append(&*store, &session, "g", &[message(&text)]).await.unwrap();
    }
    let kept = texts(&read_all(&*store, &session, "g", Position::ZERO).await);
    assert_eq!(kept.iter().map(|text| &text[..1]).collect::<Vec<_>>(), ["3", "4"]);
    // One that is too large alone is still delivered.
    append(&*store, &session, "g", &[message(&"y".repeat(5_000))])
        .await
        .unwrap();
    assert_eq!(read_all(&*store, &session, "g", Position::ZERO).await.len(), 1);
}

async fn the_standalone_stream_is_taken_once(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let (id, owner) = (&session.id, &session.user);
    let append = async |entries: &[NewEntry]| append(&*store, &session, "g", entries).await.unwrap();
    let take = async |holder| {
        store
            .take(id, holder)
            .await
            .unwrap()
            .map(|page| texts(&page.entries))
    };
    let places = append(&[message("1"), message("2")]).await;
    assert_eq!(take("a").await, None);
    let held = store.hold(id, owner, "a", None).await.unwrap();
    assert_eq!((held.cursor, held.superseded), (Position::ZERO, None));
    assert_eq!(take("a").await.unwrap(), ["1", "2"]);
    assert_eq!(take("a").await.unwrap(), [""; 0]);

    let held = store.hold(id, owner, "b", None).await.unwrap();
    assert_eq!((held.cursor, held.superseded.as_deref()), (places[1], Some("a")));
    append(&[message("3")]).await;
    assert_eq!(take("a").await, None);
    assert_eq!(take("b").await.unwrap(), ["3"]);

    // Back to what the client says it got.
    store.hold(id, owner, "b", Some(places[0])).await.unwrap();
    assert_eq!(take("b").await.unwrap(), ["2", "3"]);

    // Given up with less delivered than was taken.
    assert!(!store.release(id, "a", Position::ZERO).await.unwrap());
    assert!(!store.claim(id, "a", Duration::from_secs(60)).await.unwrap());
    assert!(store.release(id, "b", places[1]).await.unwrap());
    assert!(store.claim(id, "a", Duration::from_secs(60)).await.unwrap());
    assert_eq!(take("a").await.unwrap(), ["3"]);
    assert!(matches!(
        store.hold(id, &user("mallory"), "m", None).await,
        Err(Error::SessionNotFound)
    ));
}

async fn a_silent_holder_gives_way(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let id = &session.id;
    store.hold(id, &session.user, "a", None).await.unwrap();
    let stale = Duration::from_millis(200);
    assert!(!store.claim(id, "b", stale).await.unwrap());
    eventually("the silent holder gives way", async || {
        store.claim(id, "b", stale).await.unwrap()
    })
    .await;
    assert!(store.take(id, "a").await.unwrap().is_none());
}

async fn answers_are_taken_once(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let (id, owner) = (&session.id, &session.user);
    let ask = |request_id: &str| NewEntry {
        awaits_answer: Some(request_id.to_owned()),
        ..message("?")
    };
    let answer = async |request_id, text: &'static str| {
        store
            .answer(id, owner, request_id, &Bytes::from_static(text.as_bytes()))
            .await
            .unwrap()
    };
    let take = async |edge, named: &[&str], again| {
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        let answers = store.take_answers(id, edge, &named, again).await.unwrap();
        answers
            .into_iter()
            .map(|(id, text)| format!("{id}={}", text.escape_ascii()))
            .collect::<Vec<_>>()
    };
    assert!(!answer("q1", "nobody asked").await);
    append(&*store, &session, "c", &[open("edge"), ask("q1"), ask("q2")])
        .await
        .unwrap();
    let foreign = store
        .answer(id, &user("mallory"), "q1", &Bytes::from_static(b"x"))
        .await;
    assert!(matches!(foreign, Err(Error::SessionNotFound)));
    assert!(answer("q1", "one").await);
    assert!(!answer("q1", "twice").await);
    assert!(take("other", &[], false).await.is_empty());
    assert_eq!(take("edge", &[], false).await, ["q1=one"]);
    assert!(take("edge", &["q1"], false).await.is_empty());
    // An edge that never got it names it.
    assert_eq!(take("edge", &["q1"], true).await, ["q1=one"]);
    assert!(answer("q2", "two").await);
    assert_eq!(take("other", &["q2"], false).await, ["q2=two"]);
    // The oldest gives way.
    append(&*store, &session, "c", &[ask("q3")]).await.unwrap();
    assert!(take("edge", &["q1"], true).await.is_empty());
    // With its call, the question is over.
    append(&*store, &session, "c", &[last("done")]).await.unwrap();
    assert!(!answer("q3", "late").await);
    assert!(take("edge", &["q2", "q3"], true).await.is_empty());
}

async fn cancellations_are_remembered(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let (id, owner) = (&session.id, &session.user);
    assert!(store.cancels(id).await.unwrap().is_empty());
    for n in 0..40 {
        store
            .cancel(id, owner, &Bytes::from(n.to_string()), "bored")
            .await
            .unwrap();
    }
    store
        .cancel(id, owner, &Bytes::from_static(b"39"), "very")
        .await
        .unwrap();
    let cancels = store.cancels(id).await.unwrap();
    assert_eq!(cancels.len(), 32);
    assert_eq!(cancels[31], (Bytes::from_static(b"39"), "very".to_owned()));
    let foreign = store
        .cancel(id, &user("mallory"), &Bytes::from_static(b"1"), "")
        .await;
    assert!(matches!(foreign, Err(Error::SessionNotFound)));
}

async fn changes_are_logged_once(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let id = &session.id;
    let change = |list| Change {
        change: Some(Kind::ListChanged(ListChanged { list })),
        ..Default::default()
    };
    let at = |ms| ChangeId { ms, seq: 0 };
    // Up to 5-1 was there when the session began.
    assert_eq!(
        store
            .append_changes(id, &[(at(5), change(1))], at(5))
            .await
            .unwrap(),
        0
    );
    let news = [(at(10), change(1)), (at(11), change(2))];
    assert_eq!(store.append_changes(id, &news, at(12)).await.unwrap(), 2);
    assert_eq!(store.append_changes(id, &news, at(12)).await.unwrap(), 0);
    assert_eq!(
        store
            .append_changes(id, &[(at(12), change(3))], at(12))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store
            .append_changes(id, &[(ChangeId { ms: 12, seq: 10 }, change(3))], at(13))
            .await
            .unwrap(),
        1
    );
    assert_eq!(store.peek(id).await.unwrap().last_change, at(13));
    let renewal = Renewal {
        session: id.clone(),
        holder: None,
        change: Some(at(7)),
    };
    store.renew(std::slice::from_ref(&renewal)).await.unwrap();
    assert_eq!(store.peek(id).await.unwrap().last_change, at(13));
    store
        .renew(&[Renewal {
            change: Some(at(100)),
            ..renewal
        }])
        .await
        .unwrap();
    assert_eq!(store.peek(id).await.unwrap().last_change, at(100));
    let logged = read_all(&*store, &session, "g", Position::ZERO).await;
    let payloads: Vec<_> = logged.into_iter().map(|entry| entry.payload).collect();
    assert_eq!(payloads, [1, 2, 3].map(|list| Payload::Change(change(list))));
}

async fn calls_of_a_dead_edge_are_interrupted_once(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let (id, lease) = (&session.id, Duration::from_secs(60));
    for edge in ["dead", "alive"] {
        store.renew_edge(edge, lease).await.unwrap();
    }
    append(&*store, &session, "c1", &[open("dead"), message("progress")])
        .await
        .unwrap();
    append(&*store, &session, "c2", &[open("dead")]).await.unwrap();
    append(&*store, &session, "c2", &[last("done")]).await.unwrap();
    append(&*store, &session, "c3", &[open("alive")]).await.unwrap();
    assert!(store.lost_edges().await.unwrap().is_empty());
    store.lose_edge("dead").await.unwrap();
    store.lose_edge("unknown").await.unwrap();
    assert_eq!(store.lost_edges().await.unwrap(), ["dead"]);
    assert_eq!(
        store.calls_of("dead").await.unwrap(),
        [(id.clone(), stream("c1"))]
    );
    store.forget_edge("dead").await.unwrap();
    assert_eq!(store.lost_edges().await.unwrap(), ["dead"]);

    assert_eq!(store.interrupt(id, &stream("c3"), "dead").await.unwrap(), None);
    let (interrupted, position) = store.interrupt(id, &stream("c1"), "dead").await.unwrap().unwrap();
    assert_eq!(interrupted, call("dead"));
    assert_eq!(store.interrupt(id, &stream("c1"), "dead").await.unwrap(), None);
    let log = read_all(&*store, &session, "c1", Position::ZERO).await;
    let expected = LogEntry {
        position,
        payload: Payload::Interrupted(call("dead")),
        is_final: true,
        trace: TraceContext::default(),
    };
    assert_eq!(log[1..], [expected]);
    // The edge was only slow; it is too late.
    let late = append(&*store, &session, "c1", &[last("late")]).await;
    assert!(matches!(late, Err(Error::StreamNotOpen)));

    assert!(store.calls_of("dead").await.unwrap().is_empty());
    store.forget_edge("dead").await.unwrap();
    assert!(store.lost_edges().await.unwrap().is_empty());
    append(&*store, &session, "c3", &[last("done")]).await.unwrap();
    assert!(store.calls_of("alive").await.unwrap().is_empty());
}
