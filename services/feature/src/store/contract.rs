//! What every store must do. Run over each of them.

use super::{Limits, Meta, Refusal, Store, Stored};
use crate::{
    call::{Caller, OwnerKey},
    extras::Extra,
};

pub(super) fn limits() -> Limits {
    Limits {
        count: 3,
        bytes: 30,
        ..Limits::default()
    }
}

pub(super) fn owner(session_key: &str) -> OwnerKey {
    Caller {
        session_key: session_key.to_owned(),
        ..Caller::default()
    }
    .owner()
}

pub(super) fn stored(id: &str, size: u64) -> Stored {
    let meta = Meta {
        name: format!("{id}.gz"),
        description: "a \"test\"".to_owned(),
        mime_type: "application/gzip".to_owned(),
        size,
    };
    Stored {
        id: id.to_owned(),
        meta,
    }
}

/// For a store with [`limits`].
pub(super) async fn holds(store: &impl Store) {
    let (alice, bob) = (owner("alice"), owner("bob"));
    assert_eq!(store.list(&alice).await.unwrap(), []);
    assert_eq!(store.get(&alice, "1").await.unwrap(), None);

    let bytes = bytes::Bytes::from_static(b"\x00\xff binary");
    store
        .put(&alice, &stored("1", 9), bytes.clone())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        store.get(&alice, "1").await.unwrap(),
        Some((stored("1", 9), bytes.clone()))
    );
    assert_eq!(store.get(&bob, "1").await.unwrap(), None, "another owner's");
    assert_eq!(store.list(&bob).await.unwrap(), []);

    let too_large = store
        .put(&alice, &stored("2", 22), vec![0; 22].into())
        .await
        .unwrap();
    assert_eq!(too_large, Err(Refusal::TooLarge { limit_bytes: 30 }));
    let alone = store
        .put(&bob, &stored("2", 31), vec![0; 31].into())
        .await
        .unwrap();
    assert_eq!(alone, Err(Refusal::TooLarge { limit_bytes: 30 }));

    store
        .put(&alice, &stored("2", 9), bytes.clone())
        .await
        .unwrap()
        .unwrap();
    store
        .put(&alice, &stored("3", 9), bytes.clone())
        .await
        .unwrap()
        .unwrap();
    let too_many = store
        .put(&alice, &stored("4", 0), bytes::Bytes::new())
        .await
        .unwrap();
    assert_eq!(too_many, Err(Refusal::TooMany { limit: 3 }));
    let mut listed: Vec<_> = store
        .list(&alice)
        .await
        .unwrap()
        .into_iter()
        .map(|stored| stored.id)
        .collect();
    // Those of one millisecond have no order.
    listed.sort();
    assert_eq!(listed, ["1", "2", "3"]);

    assert_eq!(store.extras(&alice).await.unwrap(), []);
    assert!(store.switch_extra(&alice, Extra::Tool, true).await.unwrap());
    assert!(
        !store.switch_extra(&alice, Extra::Tool, true).await.unwrap(),
        "it was on"
    );
    assert_eq!(store.extras(&alice).await.unwrap(), [Extra::Tool]);
    assert_eq!(store.extras(&bob).await.unwrap(), [], "another owner's");
    assert!(
        !store.switch_extra(&alice, Extra::Prompt, false).await.unwrap(),
        "it was off"
    );
    assert!(store.switch_extra(&alice, Extra::Tool, false).await.unwrap());
    assert_eq!(store.extras(&alice).await.unwrap(), []);
}
