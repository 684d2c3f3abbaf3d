//! The standalone stream has one receiver.

use super::*;

pub async fn the_standalone_stream_is_taken_once(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let (id, owner) = (&session.id, &session.user);
    let append = async |entries: &[NewEntry]| append(&*store, &session, "g", entries).await.unwrap();
    let take = async |holder| {
        store
            .take(id, holder, None)
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
    // The answer with the second one never came.
    let page = store.take(id, "a", Some(places[0])).await.unwrap().unwrap();
    assert_eq!(texts(&page.entries), ["2"]);
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
    let claim = async |sent| {
        let stale = Duration::from_secs(60);
        store.claim(id, "a", stale, sent).await.unwrap()
    };
    assert_eq!(claim(places[0]).await, None);
    assert!(store.release(id, "b", places[1]).await.unwrap());
    assert_eq!(claim(places[0]).await, Some(places[1]));
    assert_eq!(take("a").await.unwrap(), ["3"]);
    // What its client has is not sent to it again, where somebody set the cursor back in between.
    store.hold(id, owner, "b", Some(places[0])).await.unwrap();
    assert!(store.release(id, "b", places[0]).await.unwrap());
    assert_eq!(claim(places[1]).await, Some(places[1]));
    assert_eq!(take("a").await.unwrap(), ["3"]);
    assert!(matches!(
        store.hold(id, &user("mallory"), "m", None).await,
        Err(Error::SessionNotFound)
    ));
}

pub async fn a_silent_holder_gives_way(store: Arc<dyn Store>) {
    let session = session(&*store).await;
    let id = &session.id;
    store.hold(id, &session.user, "a", None).await.unwrap();
    let stale = Duration::from_millis(200);
    assert!(
        store
            .claim(id, "b", stale, Position::ZERO)
            .await
            .unwrap()
            .is_none()
    );
    eventually("the silent holder gives way", async || {
        store
            .claim(id, "b", stale, Position::ZERO)
            .await
            .unwrap()
            .is_some()
    })
    .await;
    assert!(store.take(id, "a", None).await.unwrap().is_none());
}
