//! What clients send in.

use super::*;

pub async fn answers_are_taken_once(store: Arc<dyn Store>) {
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
    append_as(
        "edge",
        &*store,
        &session,
        "c",
        &[open("edge"), ask("q1"), ask("q2")],
    )
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
    // An edge that never got it names it, or is known to wait for it.
    assert_eq!(take("edge", &["q1"], true).await, ["q1=one"]);
    assert_eq!(take("edge", &[], true).await, ["q1=one"]);
    assert!(take("other", &[], true).await.is_empty());
    assert!(answer("q2", "two").await);
    assert_eq!(take("other", &["q2"], false).await, ["q2=two"]);
    // The oldest gives way.
    append_as("edge", &*store, &session, "c", &[ask("q3")])
        .await
        .unwrap();
    assert_eq!(take("edge", &["q1"], true).await, ["q2=two"]);
    // With its call, the question is over.
    append_as("edge", &*store, &session, "c", &[last("done")])
        .await
        .unwrap();
    assert!(!answer("q3", "late").await);
    assert!(take("edge", &["q2", "q3"], true).await.is_empty());
}

pub async fn cancellations_are_remembered(store: Arc<dyn Store>) {
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
