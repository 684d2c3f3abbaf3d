use std::time::Duration;

use everything_proto::auth::v1::WatchRequest;
use everything_proto::auth::v1::watch_response::Event;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};

use crate::harness::*;

type Events = tonic::Streaming<everything_proto::auth::v1::WatchResponse>;

async fn watch(auth: &mut Auth) -> Events {
    let mut events = auth.watch(WatchRequest {}).await.unwrap().into_inner();
    assert!(matches!(next(&mut events).await, Event::Watching(_)));
    events
}

async fn next(events: &mut Events) -> Event {
    let next = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
    next.expect("an event in time").unwrap().unwrap().event.unwrap()
}

on_both_stores! {
    /// Reference failure 31.
    async fn revoking_a_refresh_token_ends_the_family_everywhere(stack) {
        let client_id = stack.public_client().await;
        let first = stack.log_in(&client_id, "alice").await;
        let second = stack.refresh(&client_id, refresh(&first)).await.unwrap();
        let grant_id = stack.introspect(access(&second)).await.grant_id;
        let mut here = watch(&mut stack.replicas[0]).await;
        let mut there = watch(&mut stack.replicas[1]).await;

        assert_eq!(stack.revoke(&client_id, refresh(&second)).await, None);
        for tokens in [&first, &second] {
            assert!(!stack.is_active(tokens).await);
        }
        assert_eq!(stack.refresh(&client_id, refresh(&second)).await.unwrap_err().error, "invalid_grant");
        for events in [&mut here, &mut there] {
            assert_eq!(next(events).await, Event::RevokedGrantId(grant_id.clone()));
        }
    }

    async fn revoking_an_access_token_ends_it_alone(stack) {
        let client_id = stack.public_client().await;
        let first = stack.log_in(&client_id, "alice").await;
        let second = stack.refresh(&client_id, refresh(&first)).await.unwrap();
        let mut events = watch(&mut stack.replicas[0]).await;
        assert_eq!(stack.revoke(&client_id, access(&first)).await, None);
        assert!(!stack.is_active(&first).await);
        assert!(stack.is_active(&second).await);
        let sha256: String = Sha256::digest(access(&first)).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(next(&mut events).await, Event::RevokedTokenSha256(sha256));
    }

    /// Reference failure 31.
    async fn a_client_cannot_revoke_the_tokens_of_another(stack) {
        let owner = stack.public_client().await;
        let other = stack.public_client().await;
        let tokens = stack.log_in(&owner, "alice").await;
        for token in [access(&tokens), refresh(&tokens)] {
            assert_eq!(stack.revoke(&other, token).await.unwrap().error, "invalid_grant");
            assert_eq!(stack.revoke("nobody", token).await.unwrap().error, "invalid_client");
        }
        assert!(stack.is_active(&tokens).await);
        stack.refresh(&owner, refresh(&tokens)).await.unwrap();
    }

    async fn an_unknown_token_is_revoked_already(stack) {
        let client_id = stack.public_client().await;
        assert_eq!(stack.revoke(&client_id, "invented").await, None);
        assert_eq!(stack.revoke(&client_id, "").await.unwrap().error, "invalid_request");
    }

    async fn a_revoked_code_cannot_be_redeemed_for_living_tokens(stack) {
        let client_id = stack.public_client().await;
        let tokens = stack.log_in(&client_id, "alice").await;
        assert_eq!(stack.revoke(&client_id, refresh(&tokens)).await, None);
        // Reuse after revocation changes nothing and brings nothing back.
        assert!(stack.refresh(&client_id, refresh(&tokens)).await.is_err());
        assert!(!stack.is_active(&tokens).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_reaches_redis() {
    let mut stack = Stack::redis().await;
    let client_id = stack.public_client().await;
    let tokens = stack.log_in(&client_id, "alice").await;
    let redis = stack.redis.as_ref().unwrap();
    let names: Vec<String> = redis.command(&["KEYS", "*"]).await;
    assert!(names.iter().all(|name| name.starts_with("auth:")), "{names:?}");
    for name in names {
        let left: i64 = redis.command(&["PTTL", &name]).await;
        assert!(left > 0, "{name} never expires");
        let value: Vec<u8> = redis.command(&["GET", &name]).await;
        let text = format!("{name} {}", String::from_utf8_lossy(&value));
        for secret in [
            access(&tokens),
            refresh(&tokens),
            client_id.as_str(),
            "alice",
            "app.example",
        ] {
            assert!(!text.contains(secret), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_calls_fail_as_unavailable_and_come_back() {
    let mut stack = Stack::redis().await;
    let client_id = stack.public_client().await;
    let tokens = stack.log_in(&client_id, "alice").await;
    let mut events = watch(&mut stack.replicas[0]).await;
    let mut redis = stack.redis.take().unwrap();
    redis.kill();
    let request = everything_proto::auth::v1::RevokeRequest {
        parameters: parameters(&[("client_id", &client_id), ("token", access(&tokens))]),
        ..Default::default()
    };
    let status = stack.first().revoke(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert!(!status.message().contains("redis"), "{status}");
    redis.restart().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while stack.first().revoke(request.clone()).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "it never came back");
        tokio::task::yield_now().await;
    }
    // What may have been missed ends the watch, so that the watcher starts anew.
    let end = tokio::time::timeout(Duration::from_secs(10), events.next())
        .await
        .unwrap();
    assert_eq!(end.unwrap().unwrap_err().code(), tonic::Code::Unavailable);
}
