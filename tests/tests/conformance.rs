//! The official conformance suite against edges whose features are its fixtures.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures::future::join_all;
use system_tests::{
    Browser, Builder, FeatureKind, Stack,
    conformance::{self, REQUIREMENTS},
};

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
    conforms(Stack::builder().processes().redis().edges(2).replicas(2)).await;
}

async fn conforms(stack: Builder) {
    let login = stack.has_login();
    let stack = stack.feature(FeatureKind::Conformance).start().await.unwrap();
    let url = stack.url("/mcp");
    if login {
        let tokens = Browser::of("conformance").unwrap().log_in(&url).await.unwrap();
        stack.authorize(&tokens.access_token);
    }
    // All revisions at once: they are served by the same endpoint.
    let runs = REQUIREMENTS.map(|required| {
        let directory = stack.directory().join(required.revision);
        let url = url.clone();
        async move {
            (
                required.revision,
                conformance::run(&url, required.revision, &directory).await,
            )
        }
    });
    for ((revision, report), required) in join_all(runs).await.into_iter().zip(REQUIREMENTS) {
        let report = report.unwrap();
        assert_eq!(report.scenarios.len(), required.scenarios, "{revision}");
        assert_eq!(report.unchecked(), required.unchecked, "{revision}");
        if let Err(problems) = report.verdict(required.always_skipped) {
            panic!("{revision}: {problems}\n{}", stack.logs());
        }
    }
}
