//! Edges, dead and alive.

use super::*;

pub async fn calls_of_a_dead_edge_are_interrupted_once(store: Arc<dyn Store>) {
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
