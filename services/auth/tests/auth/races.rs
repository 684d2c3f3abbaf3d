//! What happens at the same instant on two replicas.

use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::*;

const AT_ONCE: usize = 20;

/// The same request, at once, alternating between the replicas.
async fn all_at_once(stack: &mut Stack, request: &[(&str, &str)]) -> Vec<Result<Value, String>> {
    let request: Vec<(String, String)> = request
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let mut attempts = JoinSet::new();
    for attempt in 0..AT_ONCE {
        let auth = stack.replicas[attempt % 2].clone();
        let request = request.clone();
        attempts.spawn(async move {
            let request: Vec<(&str, &str)> = request.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            exchange(auth, &request, None).await.map_err(|error| error.error)
        });
    }
    attempts.join_all().await
}

fn only_success(outcomes: Vec<Result<Value, String>>) -> Value {
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1, "{lost:?}");
    assert!(
        lost.iter().all(|error| error == &Err("invalid_grant".to_owned())),
        "{lost:?}"
    );
    won.into_iter().next().unwrap().unwrap()
}

on_both_stores! {
    /// Reference failure 30.
    async fn one_code_redeemed_twenty_times_at_once_succeeds_once(stack) {
        for _ in 0..5 {
            let client_id = stack.public_client().await;
            let code = stack.code(&client_id, "alice").await;
            let outcomes = all_at_once(stack, &code_request(&client_id, &code)).await;
            let tokens = only_success(outcomes);
            // The others were second uses, so what the first got is dead.
            assert!(!stack.is_active(&tokens).await);
            assert!(stack.refresh(&client_id, refresh(&tokens)).await.is_err());
        }
    }

    /// Reference failure 29.
    async fn one_refresh_token_used_twenty_times_at_once_succeeds_once(stack) {
        for _ in 0..5 {
            let client_id = stack.public_client().await;
            let first = stack.log_in(&client_id, "alice").await;
            let outcomes = all_at_once(stack, &refresh_request(&client_id, refresh(&first))).await;
            let second = only_success(outcomes);
            for tokens in [&first, &second] {
                assert!(!stack.is_active(tokens).await);
            }
            assert!(stack.refresh(&client_id, refresh(&second)).await.is_err());
        }
    }
}
