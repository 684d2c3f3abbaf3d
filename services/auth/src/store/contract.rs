//! What every store must do. A store's tests run all of it with `contract::suite!`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Claim, Key, Revocation, Space, Store};

const MINUTE: Duration = Duration::from_secs(60);

/// Runs the suite over a store; `$make` answers it and whatever must outlive it. With a name, all of it is one test, for
/// servers that take long to start: `$make` answers what outlives the stores, and `$store` makes one without data.
macro_rules! suite {
    (@ [$make:expr] $($name:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (store, _keep) = ($make)().await;
                $crate::store::contract::$name(store).await;
            }
        )*
    };
    (@ [$test:ident, $make:expr, $store:expr] $($name:ident,)*) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let server = $make.await;
            $($crate::store::contract::$name(($store)(&server).await).await;)*
        }
    };
    ($($how:tt)*) => {
        $crate::store::contract::suite!(@ [$($how)*]
            a_value_comes_back_until_it_is_deleted,
            the_last_write_counts,
            spaces_are_apart,
            values_end_with_their_time,
            the_first_claim_stands,
            of_many_claims_at_once_one_wins,
            of_many_takes_at_once_one_gets_it,
            extending_never_shortens_and_never_creates,
            counters_count_within_their_window,
            of_many_counts_at_once_none_is_lost,
            announcements_reach_every_watcher,
        );
    };
}

pub(crate) use suite;

/// Polls until it holds, within a deadline.
pub(crate) async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let polling = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), polling)
        .await
        .expect("it never came true");
}

fn key(id: &str) -> Key {
    Key::new(Space::Code, id)
}

fn value(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

pub(crate) async fn a_value_comes_back_until_it_is_deleted(store: Arc<impl Store>) {
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
    store
        .put(&key("a"), Bytes::from_static(b"\x00\xff"), MINUTE)
        .await
        .unwrap();
    assert_eq!(
        store.get(&key("a")).await.unwrap().as_deref(),
        Some(b"\x00\xff".as_slice())
    );
    assert!(store.delete(&key("a")).await.unwrap());
    assert!(!store.delete(&key("a")).await.unwrap());
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
}

pub(crate) async fn the_last_write_counts(store: Arc<impl Store>) {
    store.put(&key("a"), value("1"), MINUTE).await.unwrap();
    store.put(&key("a"), value("2"), MINUTE).await.unwrap();
    assert_eq!(store.take(&key("a")).await.unwrap(), Some(value("2")));
    assert_eq!(store.take(&key("a")).await.unwrap(), None);
}

pub(crate) async fn spaces_are_apart(store: Arc<impl Store>) {
    store
        .put(&Key::new(Space::Access, "a"), value("1"), MINUTE)
        .await
        .unwrap();
    assert_eq!(store.get(&Key::new(Space::Refresh, "a")).await.unwrap(), None);
}

pub(crate) async fn values_end_with_their_time(store: Arc<impl Store>) {
    let short = Duration::from_millis(50);
    store.put(&key("put"), value("1"), short).await.unwrap();
    store.claim(&key("claimed"), value("1"), short).await.unwrap();
    eventually(async || store.get(&key("put")).await.unwrap().is_none()).await;
    eventually(async || store.get(&key("claimed")).await.unwrap().is_none()).await;
    assert_eq!(store.take(&key("put")).await.unwrap(), None);
    assert!(!store.delete(&key("put")).await.unwrap());
    assert_eq!(
        store.claim(&key("claimed"), value("2"), MINUTE).await.unwrap(),
        Claim::Won
    );
}

pub(crate) async fn the_first_claim_stands(store: Arc<impl Store>) {
    assert_eq!(
        store.claim(&key("a"), value("1"), MINUTE).await.unwrap(),
        Claim::Won
    );
    assert_eq!(
        store.claim(&key("a"), value("2"), MINUTE).await.unwrap(),
        Claim::Lost(value("1"))
    );
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(value("1")));
}

pub(crate) async fn of_many_claims_at_once_one_wins(store: Arc<impl Store>) {
    let mut claims = JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        claims.spawn(async move { store.claim(&key("a"), value("1"), MINUTE).await.unwrap() });
    }
    let won = claims
        .join_all()
        .await
        .into_iter()
        .filter(|claim| *claim == Claim::Won)
        .count();
    assert_eq!(won, 1);
}

pub(crate) async fn of_many_takes_at_once_one_gets_it(store: Arc<impl Store>) {
    store.put(&key("a"), value("1"), MINUTE).await.unwrap();
    let mut takes = JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        takes.spawn(async move { store.take(&key("a")).await.unwrap() });
    }
    assert_eq!(takes.join_all().await.into_iter().flatten().count(), 1);
}

pub(crate) async fn extending_never_shortens_and_never_creates(store: Arc<impl Store>) {
    assert!(!store.extend(&key("a"), MINUTE).await.unwrap());
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
    store.put(&key("long"), value("1"), MINUTE).await.unwrap();
    assert!(
        store
            .extend(&key("long"), Duration::from_millis(50))
            .await
            .unwrap()
    );
    store
        .put(&key("short"), value("1"), Duration::from_millis(300))
        .await
        .unwrap();
    assert!(store.extend(&key("short"), MINUTE).await.unwrap());
    store
        .put(&key("probe"), value("1"), Duration::from_millis(350))
        .await
        .unwrap();
    eventually(async || store.get(&key("probe")).await.unwrap().is_none()).await;
    assert!(store.get(&key("long")).await.unwrap().is_some());
    assert!(store.get(&key("short")).await.unwrap().is_some());
}

pub(crate) async fn counters_count_within_their_window(store: Arc<impl Store>) {
    let window = Duration::from_millis(200);
    let (first, left) = store.count(&key("a"), window).await.unwrap();
    assert_eq!(first, 1);
    assert!(left <= window && !left.is_zero());
    assert_eq!(store.count(&key("a"), MINUTE).await.unwrap().0, 2);
    eventually(async || store.get(&key("a")).await.unwrap().is_none()).await;
    assert_eq!(store.count(&key("a"), window).await.unwrap().0, 1);
}

pub(crate) async fn of_many_counts_at_once_none_is_lost(store: Arc<impl Store>) {
    let mut counts = JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        counts.spawn(async move { store.count(&key("a"), MINUTE).await.unwrap().0 });
    }
    let mut counts = counts.join_all().await;
    counts.sort_unstable();
    assert_eq!(counts, (1..=50).collect::<Vec<u64>>());
}

pub(crate) async fn announcements_reach_every_watcher(store: Arc<impl Store>) {
    let mut first = store.revocations().await.unwrap();
    let mut second = store.revocations().await.unwrap();
    let grant = Revocation::Grant("g".to_owned());
    let token = Revocation::Token("0a".to_owned());
    store.announce(grant.clone()).await.unwrap();
    store.announce(token.clone()).await.unwrap();
    for watcher in [&mut first, &mut second] {
        assert_eq!(watcher.next().await, Some(grant.clone()));
        assert_eq!(watcher.next().await, Some(token.clone()));
    }
}
