//! Sessions, their owners and their bounds.

use super::*;

pub async fn sessions_are_kept_for_their_owner(store: Arc<dyn Store>) {
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

pub async fn unused_sessions_expire(store: Arc<dyn Store>) {
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

pub async fn users_have_bounded_sessions(store: Arc<dyn Store>) {
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

pub async fn subscriptions_are_bounded(store: Arc<dyn Store>) {
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
