//! Rate limits.

use everything_auth::{Config, RateLimits};
use everything_proto::auth::v1::begin_authorization_response::Outcome;
use everything_proto::auth::v1::register_client_request::Operation;
use everything_proto::auth::v1::{self as proto, exchange_token_response, register_client_response};
use serde_json::json;

use crate::harness::*;

fn from(ip: &str) -> Option<proto::ClientAddress> {
    Some(proto::ClientAddress { ip: ip.to_owned() })
}

async fn limited(limits: RateLimits) -> Stack {
    Stack::memory_with(Config {
        rate_limits: limits,
        ..Config::default()
    })
    .await
}

#[tokio::test]
async fn registrations_are_limited_by_address_over_all_replicas() {
    let mut stack = limited(RateLimits {
        rate_limit_register: 4,
        ..RateLimits::default()
    })
    .await;
    let mut register = async |replica: usize, ip: &str| {
        let request = proto::RegisterClientRequest {
            operation: Operation::Create.into(),
            metadata_json: json!({"redirect_uris": [REDIRECT]}).to_string().into(),
            address: from(ip),
            ..Default::default()
        };
        let answer = stack.replicas[replica]
            .register_client(request)
            .await
            .unwrap()
            .into_inner();
        match answer.outcome.unwrap() {
            register_client_response::Outcome::ClientJson(_) => None,
            register_client_response::Outcome::Error(error) => Some(error),
            register_client_response::Outcome::Deleted(_) => panic!("nothing was deleted"),
        }
    };
    for attempt in 0..4 {
        assert_eq!(register(attempt % 2, "192.0.2.1").await, None);
    }
    let refused = register(0, "192.0.2.1").await.unwrap();
    assert!((1..=61).contains(&refused.retry_after_s), "{refused:?}");
    // Nobody else is locked out.
    assert_eq!(register(0, "192.0.2.2").await, None);
    assert_eq!(register(0, "2001:db8::1").await, None);
}

#[tokio::test]
async fn logins_are_limited_by_address_with_a_page() {
    let mut stack = limited(RateLimits {
        rate_limit_authorize: 2,
        ..RateLimits::default()
    })
    .await;
    let client_id = stack.public_client().await;
    let mut begin = async |ip: &str| {
        let request = proto::BeginAuthorizationRequest {
            parameters: parameters(&authorization_request(&client_id)),
            address: from(ip),
            ..Default::default()
        };
        stack
            .first()
            .begin_authorization(request)
            .await
            .unwrap()
            .into_inner()
            .outcome
            .unwrap()
    };
    begin("192.0.2.1").await;
    begin("192.0.2.1").await;
    assert!(matches!(begin("192.0.2.1").await, Outcome::ErrorPage(page) if page.status == 429));
    assert!(matches!(begin("192.0.2.2").await, Outcome::Consent(_)));
}

#[tokio::test]
async fn guessing_a_secret_locks_out_the_guesser_only() {
    let mut stack = limited(RateLimits {
        rate_limit_failures: 3,
        ..RateLimits::default()
    })
    .await;
    let client = stack
        .register(json!({"redirect_uris": [REDIRECT]}))
        .await
        .unwrap();
    let (id, secret) = (
        client["client_id"].as_str().unwrap(),
        client["client_secret"].as_str().unwrap(),
    );
    let mut ask = async |ip: &str, secret: &str| {
        let request = proto::ExchangeTokenRequest {
            parameters: parameters(&[
                ("grant_type", "authorization_code"),
                ("code", "x"),
                ("code_verifier", VERIFIER),
            ]),
            client_authentication: Some(basic_credentials((id, secret))),
            address: from(ip),
            ..Default::default()
        };
        match stack
            .second()
            .exchange_token(request)
            .await
            .unwrap()
            .into_inner()
            .outcome
            .unwrap()
        {
            exchange_token_response::Outcome::Error(error) => error,
            exchange_token_response::Outcome::TokenJson(_) => panic!("the code is invented"),
        }
    };
    for _ in 0..3 {
        assert_eq!(ask("192.0.2.1", "guess").await.error, "invalid_client");
    }
    // From there even the right one has to wait, so that nothing is learnt; elsewhere it works.
    assert!(ask("192.0.2.1", secret).await.retry_after_s > 0);
    assert_eq!(ask("192.0.2.2", secret).await.error, "invalid_grant");
}

#[tokio::test]
async fn token_requests_are_limited_by_user() {
    let mut stack = limited(RateLimits {
        rate_limit_token: 3,
        ..RateLimits::default()
    })
    .await;
    let client_id = stack.public_client().await;
    for _ in 0..3 {
        stack.log_in(&client_id, "alice").await;
    }
    let code = stack.code(&client_id, "alice").await;
    let refused = stack
        .exchange(&code_request(&client_id, &code))
        .await
        .unwrap_err();
    assert!(refused.retry_after_s > 0);
    stack.log_in(&client_id, "bob").await;
}
