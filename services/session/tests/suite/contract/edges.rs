//! Edges, dead and alive.

use super::*;

pub async fn calls_of_a_dead_edge_are_interrupted_once(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let (id, lease) = (&session.id, Duration::from_secs(60));
    for edge in ["dead", "alive"] {
        store.renew_edge(edge, lease).await.unwrap();
    }
    let append =
        async |edge, name, entries: &[NewEntry]| append_as(edge, &*store, &session, name, entries).await;
    append("dead", "c1", &[open("dead"), message("progress")])
        .await
        .unwrap();
    append("dead", "c2", &[open("dead")]).await.unwrap();
    append("dead", "c2", &[last("done")]).await.unwrap();
    append("alive", "c3", &[open("alive")]).await.unwrap();
    assert!(store.lost_edges().await.unwrap().is_empty());
    assert!(store.has_other_edge("dead").await.unwrap());
    store.lose_edge("dead").await.unwrap();
    store.lose_edge("unknown").await.unwrap();
    assert_eq!(store.lost_edges().await.unwrap(), ["dead"]);
    assert!(!store.has_other_edge("alive").await.unwrap());
    assert_eq!(
        store.calls_of("dead").await.unwrap(),
        [(id.clone(), stream("c1"))]
    );
    store.forget_edge("dead").await.unwrap();
    assert_eq!(store.lost_edges().await.unwrap(), ["dead"]);

    let bury = async |name| store.bury(id, &stream(name), "dead", None).await.unwrap();
    assert_eq!(bury("c3").await, Fate::NotOpen);
    let Fate::Interrupted(position) = bury("c1").await else {
        panic!("not interrupted")
    };
    assert_eq!(bury("c1").await, Fate::NotOpen);
    let log = read_all(&*store, &session, "c1", Position::ZERO).await;
    let expected = LogEntry {
        position,
        payload: Payload::Interrupted(call("dead", false)),
        is_final: true,
        trace: TraceContext::default(),
    };
    assert_eq!(log[1..], [expected]);
    // The edge was only slow; it is too late.
    let late = append("dead", "c1", &[last("late")]).await;
    assert!(matches!(late, Err(Error::StreamNotOpen)));

    assert!(store.calls_of("dead").await.unwrap().is_empty());
    store.forget_edge("dead").await.unwrap();
    assert!(store.lost_edges().await.unwrap().is_empty());
    append("alive", "c3", &[last("done")]).await.unwrap();
    assert!(store.calls_of("alive").await.unwrap().is_empty());
}

pub async fn repeatable_calls_are_taken_over(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let id = &session.id;
    let append = async |edge, entries: &[NewEntry]| append_as(edge, &*store, &session, "c", entries).await;
    let ask = |request_id: &str| NewEntry {
        awaits_answer: Some(request_id.to_owned()),
        ..message("?")
    };
    let progress = NewEntry {
        progress: Some(2.5),
        ..message("progress")
    };
    append("dead", &[open_repeatable("dead"), progress, ask("q1"), ask("q2")])
        .await
        .unwrap();
    assert!(
        store
            .answer(id, &session.user, "q1", &Bytes::from_static(b"one"))
            .await
            .unwrap()
    );
    let bury = async |to| store.bury(id, &stream("c"), "dead", to).await.unwrap();
    assert_eq!(bury(None).await, Fate::Waiting);
    assert_eq!(store.taken_over(id, &stream("c"), "dead").await.unwrap(), None);
    let taken = TakenOver {
        user: session.user.clone(),
        call: call("new", true),
        progress: Some(2.5),
        asked: vec!["q2".to_owned()],
    };
    let expected = TakenOver {
        call: OpenCall {
            edge_id: "new".to_owned(),
            ..call("dead", true)
        },
        ..taken.clone()
    };
    assert_eq!(bury(Some("new")).await, Fate::TakenOver(expected.clone()));
    // The answer to the first try may have been lost.
    let repeated = TakenOver {
        asked: Vec::new(),
        ..expected
    };
    assert_eq!(bury(Some("new")).await, Fate::TakenOver(repeated));
    assert_eq!(bury(Some("third")).await, Fate::NotOpen);
    assert!(store.calls_of("dead").await.unwrap().is_empty());
    assert_eq!(store.calls_of("new").await.unwrap(), [(id.clone(), stream("c"))]);
    // Said once more on a new link; what it asked is over.
    let again = store.taken_over(id, &stream("c"), "new").await.unwrap();
    assert_eq!(
        again,
        Some(TakenOver {
            asked: Vec::new(),
            ..taken
        })
    );
    assert!(
        !store
            .answer(id, &session.user, "q2", &Bytes::from_static(b"late"))
            .await
            .unwrap()
    );
    // The edge was only slow; it is too late.
    assert!(matches!(
        append("dead", &[last("late")]).await,
        Err(Error::StreamNotOpen)
    ));
    append("new", &[last("done")]).await.unwrap();
    assert_eq!(
        texts(&read_all(&*store, &session, "c", Position::ZERO).await),
        ["progress", "?", "?", "done"]
    );
    assert!(store.calls_of("new").await.unwrap().is_empty());
}

pub async fn a_call_is_taken_over_only_so_often(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    append_as("0", &*store, &session, "c", &[open_repeatable("0")])
        .await
        .unwrap();
    let bury = async |from: &str, to: &str| {
        store
            .bury(&session.id, &stream("c"), from, Some(to))
            .await
            .unwrap()
    };
    for edge in 0..3 {
        let fate = bury(&edge.to_string(), &(edge + 1).to_string()).await;
        assert!(matches!(fate, Fate::TakenOver(_)), "{fate:?}");
    }
    assert!(matches!(bury("3", "4").await, Fate::Interrupted(_)));
}

pub async fn a_call_is_handed_over(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let (id, owner) = (&session.id, &session.user);
    append_as("old", &*store, &session, "c1", &[open_repeatable("old")])
        .await
        .unwrap();
    append_as("old", &*store, &session, "c2", &[open("old")])
        .await
        .unwrap();
    let hand_over = async |edge, name| store.hand_over(id, owner, &stream(name), edge).await.unwrap();
    assert!(!hand_over("other", "c1").await);
    assert!(!hand_over("old", "c2").await);
    assert!(!hand_over("old", "c3").await);
    assert!(hand_over("old", "c1").await);
    assert!(!hand_over("old", "c1").await);
    assert!(matches!(
        store.hand_over(id, &user("mallory"), &stream("c1"), "old").await,
        Err(Error::SessionNotFound)
    ));
    assert_eq!(store.lost_edges().await.unwrap(), [NOBODY]);
    assert_eq!(
        store.calls_of(NOBODY).await.unwrap(),
        [(id.clone(), stream("c1"))]
    );
    let late = append_as("old", &*store, &session, "c1", &[last("late")]).await;
    assert!(matches!(late, Err(Error::StreamNotOpen)));
    let fate = store.bury(id, &stream("c1"), NOBODY, Some("new")).await.unwrap();
    assert!(matches!(fate, Fate::TakenOver(_)), "{fate:?}");
    append_as("new", &*store, &session, "c1", &[last("done")])
        .await
        .unwrap();
}

/// It may have begun calls by then, over another replica than the one that it tries to reach.
pub async fn an_edge_that_dies_before_it_is_linked_is_lost(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    for edge in ["dead", "late"] {
        append_as(edge, &*store, &session, edge, &[open(edge)])
            .await
            .unwrap();
    }
    store.renew_edge("late", Duration::from_secs(60)).await.unwrap();
    let lost = async {
        while store.lost_edges().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, lost).await.expect("it is lost");
    assert_eq!(store.lost_edges().await.unwrap(), ["dead"]);
    let fate = store.bury(&session.id, &stream("dead"), "dead", None).await;
    assert!(matches!(fate, Ok(Fate::Interrupted(_))), "{fate:?}");
    // A call that it begins once its lease has ended gives it no other.
    append_as("late", &*store, &session, "late", &[last("done")])
        .await
        .unwrap();
    store.lose_edge("late").await.unwrap();
    append_as("late", &*store, &session, "more", &[open("late")])
        .await
        .unwrap();
    assert!(store.lost_edges().await.unwrap().contains(&"late".to_owned()));
}
