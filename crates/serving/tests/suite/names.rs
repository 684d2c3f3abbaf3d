//! Names that have several addresses, and other ones later.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serving::{Resolver, UpstreamSettings};

use crate::harness::{Replica, both_are_used, call_tool, connect, settings, until};

type Zone = Arc<Mutex<io::Result<Vec<SocketAddr>>>>;

fn resolver(zone: &Zone) -> Resolver {
    let zone = zone.clone();
    Resolver::new(move |name, _| {
        assert_eq!(name, "feature.test");
        let answer = match &*zone.lock().unwrap() {
            Ok(addresses) => Ok(addresses.clone()),
            Err(error) => Err(error.kind().into()),
        };
        async { answer }
    })
}

#[tokio::test]
async fn replicas_are_what_the_name_stands_for_now() {
    let (one, two, three) = (
        Replica::start().await,
        Replica::start().await,
        Replica::start().await,
    );
    let zone: Zone = Arc::new(Mutex::new(Ok(vec![one.address])));
    let settings = UpstreamSettings {
        resolver: resolver(&zone),
        ..settings()
    };
    let upstream = connect(&["http://feature.test:50053"], settings).await;
    call_tool(&upstream).await.unwrap();

    // --scale feature=2
    *zone.lock().unwrap() = Ok(vec![two.address, one.address]);
    both_are_used(&upstream, &one.script, &two.script).await;

    // One is gone, and another one came.
    *zone.lock().unwrap() = Ok(vec![two.address, three.address]);
    both_are_used(&upstream, &two.script, &three.script).await;
    let before = one.script.calls();
    for _ in 0..50 {
        call_tool(&upstream).await.unwrap();
    }
    assert_eq!(one.script.calls(), before, "it is gone");

    // A resolver that fails, or knows nothing, is no reason to forget the replicas.
    for failure in [Err(io::ErrorKind::TimedOut.into()), Ok(Vec::new())] {
        *zone.lock().unwrap() = failure;
        tokio::time::sleep(Duration::from_millis(200)).await;
        call_tool(&upstream).await.unwrap();
    }
}

/// As when a container is started anew: first its address is gone, and a while later there is another one.
#[tokio::test]
async fn after_a_loss_a_successor_is_not_waited_for_until_the_next_regular_lookup() {
    let (one, two, three) = (
        Replica::start().await,
        Replica::start().await,
        Replica::start().await,
    );
    let zone: Zone = Arc::new(Mutex::new(Ok(vec![one.address, two.address])));
    let lookups = Arc::new(AtomicUsize::new(0));
    let (counted, asked) = (lookups.clone(), zone.clone());
    let settings = UpstreamSettings {
        resolver: Resolver::new(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            let addresses = asked.lock().unwrap().as_ref().unwrap().clone();
            async { Ok(addresses) }
        }),
        resolve_interval: Duration::from_secs(3600),
        ..settings()
    };
    let upstream = connect(&["http://feature.test:50053"], settings).await;
    both_are_used(&upstream, &one.script, &two.script).await;

    *zone.lock().unwrap() = Ok(vec![two.address]);
    let before = lookups.load(Ordering::Relaxed);
    one.stop.cancel();
    until("two lookups find nothing new", async || {
        lookups.load(Ordering::Relaxed) >= before + 2
    })
    .await;
    *zone.lock().unwrap() = Ok(vec![two.address, three.address]);
    both_are_used(&upstream, &two.script, &three.script).await;
}

#[tokio::test]
async fn a_name_without_an_address_says_so_and_is_found_later() {
    let one = Replica::start().await;
    let zone: Zone = Arc::new(Mutex::new(Err(io::ErrorKind::NotFound.into())));
    let upstream = serving::Upstream::connect(
        crate::harness::FEATURE,
        "http://feature.test:50053".parse().unwrap(),
        UpstreamSettings {
            resolver: resolver(&zone),
            ..settings()
        },
        serving::CancellationToken::new(),
    );
    until("it says why", async || {
        *upstream.readiness().borrow() == serving::Readiness::NotReady(serving::Reason::Unresolved)
    })
    .await;
    *zone.lock().unwrap() = Ok(vec![one.address]);
    until("it is found", async || call_tool(&upstream).await.is_ok()).await;
}

#[tokio::test]
async fn the_systems_own_names_work() {
    let one = Replica::start().await;
    let url = format!("http://localhost:{}", one.address.port());
    let upstream = connect(&[&url], settings()).await;
    call_tool(&upstream).await.unwrap();
}
