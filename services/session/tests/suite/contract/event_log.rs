//! Logs: order, bounds and cursors.

use super::*;

pub async fn streams_open_once_and_end_once(store: Arc<dyn Store>) {
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
        ..last("")
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

pub async fn streams_are_read_apart_and_in_order(store: Arc<dyn Store>) {
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

pub async fn concurrent_appends_lose_nothing(store: Arc<dyn Store>) {
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

pub async fn the_log_is_bounded_and_says_so(store: Arc<dyn Store>) {
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

pub async fn the_log_is_bounded_in_bytes(store: Arc<dyn Store>) {
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

pub async fn changes_are_logged_once(store: Arc<dyn Store>) {
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

pub async fn old_entries_give_way(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let old = append(&*store, &session, "g", &[message("1"), message("2")])
        .await
        .unwrap();
    let kept = async || texts(&read_all(&*store, &session, "g", Position::ZERO).await);
    assert_eq!(kept().await, ["1", "2"]);
    // With a renewal all but the newest go, with another entry that one, too.
    let renewal = Renewal {
        session: session.id.clone(),
        holder: None,
        change: None,
    };
    eventually("old entries go", async || {
        store.renew(std::slice::from_ref(&renewal)).await.unwrap();
        kept().await == ["2"]
    })
    .await;
    append(&*store, &session, "g", &[message("3")]).await.unwrap();
    assert_eq!(kept().await, ["3"]);
    let facts = store
        .inspect(&session.id, &session.user, &stream("g"), old[0])
        .await
        .unwrap();
    assert!(matches!(
        facts.check(&stream("g"), old[0]),
        Err(Error::CursorExpired)
    ));
}

/// An append as an edge makes it: with a key and a number, which its tries share.
fn numbered(edge: &str, call: &str, number: u32, entries: &[NewEntry]) -> NewEntries {
    NewEntries {
        key: format!("{edge} {call} {number}"),
        number,
        ..new_entries(edge, call, entries)
    }
}

pub async fn an_append_is_logged_once_however_often_it_is_tried(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let append = async |entries: &NewEntries| store.append(&session.id, &session.user, entries).await;
    let steps = [
        numbered("e", "c", 1, &[open("e"), message("1")]),
        numbered("e", "c", 2, &[message("2"), message("3")]),
        numbered("e", "c", 3, &[last("4")]),
        // Of the 2024-11-05 transport.
        numbered("e", "g_c", 1, &[open("e")]),
        numbered("e", "g_c", 2, &[message("5")]),
        numbered("e", "g_c", 3, &[last("6")]),
    ];
    for entries in &steps {
        let made = append(entries).await.unwrap();
        super::append(&*store, &session, "g", &[message("between")])
            .await
            .unwrap();
        assert_eq!(append(entries).await.unwrap(), made);
        assert_eq!(append(entries).await.unwrap(), made);
    }
    // Tries that come late, when the call has gone on or has ended, change nothing.
    for entries in [&steps[0], &steps[1], &steps[3], &steps[4]] {
        assert!(
            matches!(append(entries).await, Err(Error::StreamNotOpen)),
            "{entries:?}"
        );
    }
    assert_eq!(
        texts(&read_all(&*store, &session, "c", Position::ZERO).await),
        ["1", "2", "3", "4"]
    );
    let standalone = texts(&read_all(&*store, &session, "g", Position::ZERO).await);
    let once = |text: &str| standalone.iter().filter(|logged| *logged == text).count();
    assert_eq!((once("5"), once("6")), (1, 1));
}

pub async fn a_try_that_comes_late_is_not_logged(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let append = async |entries: &NewEntries| store.append(&session.id, &session.user, entries).await;
    let first = numbered("e", "c", 1, &[open("e"), message("1")]);
    let made = append(&first).await.unwrap();
    append(&numbered("e", "c", 3, &[message("3")])).await.unwrap();
    // The edge gave this one up.
    assert_eq!(append(&numbered("e", "c", 2, &[message("2")])).await.unwrap(), []);
    assert_eq!(append(&first).await.unwrap(), made);
    assert_eq!(
        texts(&read_all(&*store, &session, "c", Position::ZERO).await),
        ["1", "3"]
    );
    // The edge took its first append for failed, and opens the call with the next one.
    for call in ["c1", "g_c1"] {
        append(&numbered("e", call, 1, &[open("e")])).await.unwrap();
        let places = append(&numbered("e", call, 2, &[open("e"), message(call)]))
            .await
            .unwrap();
        assert_eq!(places[0], Position::ZERO);
        assert!(places[1] > Position::ZERO);
    }
    let entries = read_all(&*store, &session, "c1", Position::ZERO).await;
    assert_eq!(texts(&entries), ["c1"]);
    let cursor = store
        .inspect(&session.id, &session.user, &stream("c1"), Position::ZERO)
        .await;
    cursor.unwrap().check(&stream("c1"), Position::ZERO).unwrap();
    // Ended before it began, a call does not begin.
    for call in ["c2", "g_c2"] {
        let end = NewEntry {
            payload: NewPayload::End,
            ..last("")
        };
        let ended = append(&numbered("e", call, 2, &[end])).await;
        assert!(matches!(ended, Err(Error::StreamNotOpen)), "{ended:?}");
        let opened = append(&numbered("e", call, 1, &[open("e")])).await;
        assert!(matches!(opened, Err(Error::StreamNotOpen)), "{opened:?}");
    }
}

/// The edge stood still while it opened the call, and tries once more when it goes on.
pub async fn a_call_that_was_taken_over_is_not_opened_again(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let append = async |entries: &NewEntries| store.append(&session.id, &session.user, entries).await;
    for call in ["c", "g_c"] {
        let opened = numbered("e1", call, 1, &[open_repeatable("e1")]);
        append(&opened).await.unwrap();
        let fate = store
            .bury(&session.id, &stream(call), "e1", Some("e2"))
            .await
            .unwrap();
        assert!(matches!(fate, Fate::TakenOver(_)), "{fate:?}");
        assert!(matches!(append(&opened).await, Err(Error::StreamNotOpen)));
        // The next edge counts for itself.
        append(&numbered("e2", call, 1, &[message("1")])).await.unwrap();
        append(&numbered("e2", call, 2, &[last("2")])).await.unwrap();
        assert!(matches!(append(&opened).await, Err(Error::StreamNotOpen)));
    }
    for name in ["c", "g"] {
        let entries = read_all(&*store, &session, name, Position::ZERO).await;
        assert_eq!(texts(&entries), ["1", "2"]);
    }
}

pub async fn a_call_without_a_stream_speaks_on_the_standalone_one(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let append = async |name, entries: &[NewEntry]| append(&*store, &session, name, entries).await;
    assert!(matches!(
        append("g_1", &[message("early")]).await,
        Err(Error::StreamNotOpen)
    ));
    append("g_1", &[open("e")]).await.unwrap();
    append("g_1", &[message("1")]).await.unwrap();
    append("g_2", &[open("e"), last("2")]).await.unwrap();
    append("g_1", &[last("3")]).await.unwrap();
    assert!(matches!(
        append("g_1", &[message("late")]).await,
        Err(Error::StreamNotOpen)
    ));
    append("g", &[message("4")]).await.unwrap();
    let entries = read_all(&*store, &session, "g", Position::ZERO).await;
    assert_eq!(texts(&entries), ["1", "2", "3", "4"]);
    assert!(entries.iter().all(|entry| !entry.is_final));
    // Interrupted, it says so there, and the stream goes on.
    append("g_3", &[open("e")]).await.unwrap();
    let fate = store.bury(&session.id, &stream("g_3"), "e", None).await.unwrap();
    let Fate::Interrupted(position) = fate else {
        panic!("{fate:?}")
    };
    append("g", &[message("5")]).await.unwrap();
    let entries = read_all(&*store, &session, "g", entries[3].position).await;
    assert_eq!(entries[0].position, position);
    assert_eq!(entries[0].payload, Payload::Interrupted(call("e", false)));
    assert!(!entries[0].is_final);
    assert_eq!(texts(&entries[1..]), ["5"]);
}
