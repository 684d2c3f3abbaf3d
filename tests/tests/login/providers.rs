//! `oidc-provider`, which is OpenID-certified, in place of our authorization server, and as where its users log in.

use system_tests::Stack;

use super::node::{self, Running};

async fn provider(arguments: &[&str]) -> (Running, String) {
    let mut provider = Running::start(&mut node::command("provider.cjs", arguments));
    let issuer = provider.line(|line| line.starts_with("http://")).await;
    (provider, issuer)
}

/// The client finds the provider through our metadata, registers there, and its user logs in there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_certified_provider_are_taken() {
    let (_provider, issuer) = provider(&[]).await;
    let stack = Stack::builder()
        .all_in_one()
        .setting("AUTH_MODE", "external")
        .setting("AUTH_ISSUER", &issuer)
        .start()
        .await
        .unwrap();
    let metadata: serde_json::Value = reqwest::get(stack.url("/.well-known/oauth-protected-resource/mcp"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(metadata["authorization_servers"][0], issuer.as_str());
    log_in(&stack, "provider-external").await;
}

/// The client logs in here, its user there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_log_in_at_a_certified_provider() {
    let secret = "a secret of a test that is long enough";
    let (_provider, issuer) = provider(&["everything", secret]).await;
    let stack = Stack::builder()
        .all_in_one()
        .setting("UPSTREAM_ISSUER", &issuer)
        .setting("UPSTREAM_CLIENT_ID", "everything")
        .setting("UPSTREAM_CLIENT_SECRET", secret)
        .start()
        .await
        .unwrap();
    log_in(&stack, "provider-upstream").await;
    let page = reqwest::Client::new()
        .post(stack.url("/fakeupstreamauth/authorize?client_id=everything-auth"))
        .header("origin", stack.url(""))
        .form(&[("user_id", "mallory")])
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 404, "nobody gets past the provider");
}

/// The TypeScript SDK, with a real browser for its user.
async fn log_in(stack: &Stack, name: &str) {
    let pictures = node::artifacts(name);
    let url = stack.url("/mcp");
    let arguments = [
        url.as_str(),
        pictures.to_str().unwrap(),
        "--scope",
        "mcp:tools mcp:resources mcp:prompts",
    ];
    let said = node::run(&mut node::command("sdk.cjs", &arguments)).await;
    assert!(said.contains("logged in"), "{said}\n{}", stack.logs());
}
