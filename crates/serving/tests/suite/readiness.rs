//! Why a service does not serve reaches its callers.

use serving::{CancellationToken, Readiness, Reason};
use tokio::net::TcpListener;

use crate::harness::{FEATURE, Replica, connect, settings, until};

#[tokio::test]
async fn callers_hear_the_reason_and_when_it_is_another_one() {
    let one = Replica::start().await;
    let upstream = connect(&[&one.url()], settings()).await;
    for reason in [
        Reason::RedisUnreachable,
        Reason::RedisLoading,
        Reason::RedisEviction,
    ] {
        one.readiness.send_replace(Readiness::NotReady(reason));
        until(reason.token(), async || {
            *upstream.readiness().borrow() == Readiness::NotReady(reason)
        })
        .await;
    }
    until("it is shown", async || {
        upstream.damped_readiness() == Readiness::NotReady(Reason::RedisEviction)
    })
    .await;
    one.readiness.send_replace(Readiness::Ready);
    until("ready", async || upstream.damped_readiness() == Readiness::Ready).await;
}

#[tokio::test]
async fn of_several_replicas_the_one_that_explains_most_speaks() {
    let one = Replica::start().await;
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let upstream = connect(&[&format!("http://{nobody}"), &one.url()], settings()).await;
    one.readiness
        .send_replace(Readiness::NotReady(Reason::RedisReadOnly));
    until("the reason", async || {
        *upstream.readiness().borrow() == Readiness::NotReady(Reason::RedisReadOnly)
    })
    .await;
    one.stop.cancel();
    until("gone", async || {
        *upstream.readiness().borrow() == Readiness::NotReady(Reason::Unreachable)
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_never_answers_is_called_unresponsive() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let upstream = serving::Upstream::connect(
        FEATURE,
        url.parse().unwrap(),
        settings(),
        CancellationToken::new(),
    );
    until("it says why", async || {
        *upstream.readiness().borrow() == Readiness::NotReady(Reason::Unresponsive)
    })
    .await;
}
