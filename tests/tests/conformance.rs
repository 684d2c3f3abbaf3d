//! The official conformance suite against edges whose features are its fixtures.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use system_tests::{Browser, Builder, FeatureKind, Stack, conformance};

const REVISION: &str = "2025-11-25";
/// 30 that the revision requires, and 3 that the suite runs beside them without scoring.
const SCENARIOS: usize = 33;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_in_memory_conforms() {
    conforms(Stack::builder().in_process().auth_disabled()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_on_redis_conforms() {
    conforms(Stack::builder().in_process().redis().auth_disabled()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn separate_processes_behind_two_edges_conform() {
    conforms(
        Stack::builder()
            .processes()
            .redis()
            .edges(2)
            .replicas(2)
            .auth_disabled(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn separate_processes_with_login_conform() {
    conforms(Stack::builder().processes().redis().edges(2)).await;
}

async fn conforms(stack: Builder) {
    let login = stack.has_login();
    let stack = stack.feature(FeatureKind::Conformance).start().await.unwrap();
    let url = stack.url("/mcp");
    if login {
        let tokens = Browser::of("conformance").unwrap().log_in(&url).await.unwrap();
        stack.authorize(&tokens.access_token);
    }
    let report = conformance::run(&url, REVISION, &stack.directory().join("results"))
        .await
        .unwrap();
    assert_eq!(report.scenarios.len(), SCENARIOS);
    // Looks at streams that the server ends in the middle of a call (SEP-1699), which it may and does not do.
    assert_eq!(report.unchecked(), ["server-sse-polling"]);
    if let Err(problems) = report.verdict() {
        panic!("{problems}\n{}", stack.logs());
    }
}
