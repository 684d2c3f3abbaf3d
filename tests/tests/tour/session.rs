use reqwest::StatusCode;
use rmcp::model::{ClientRequest, PingRequest, ServerResult};
use serde_json::{Value, json};
use system_tests::{
    Stack,
    rmcp_client::{DEADLINE, Login},
};
use tokio::time::Instant;

use crate::visit::{Visit, in_time, json};

pub fn introduces_itself(visit: &Visit) {
    let server = visit.client.peer_info().unwrap();
    assert_eq!(server.protocol_version.as_str(), "2025-11-25");
    let identity = json(&server.server_info);
    assert_eq!(identity["name"], "everything-server");
    assert_eq!(identity["title"], "Everything Server");
    assert_eq!(identity["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        identity["icons"][0]["src"]
            .as_str()
            .unwrap()
            .starts_with("data:image/png;base64,")
    );
    let mut capabilities = json(&server.capabilities);
    // No revision with sessions has a place for extensions; whatever is told of them is true.
    if let Some(extensions) = capabilities.as_object_mut().unwrap().remove("extensions") {
        assert_eq!(
            extensions["io.modelcontextprotocol/ui"],
            json!({ "mimeTypes": ["text/html;profile=mcp-app"] })
        );
    }
    assert_eq!(
        capabilities,
        json!({
            "tools": { "listChanged": true },
            "resources": { "subscribe": true, "listChanged": true },
            "prompts": { "listChanged": true },
            "logging": {},
            "completions": {},
        })
    );
    let instructions = server.instructions.as_deref().unwrap();
    assert!(instructions.starts_with("This server shows every feature of the Model Context Protocol"));
}

pub async fn answers_pings(visit: &Visit) {
    for _ in 0..4 {
        let ping = ClientRequest::PingRequest(PingRequest::default());
        let pong = in_time(visit.client.send_request(ping)).await.unwrap();
        assert!(matches!(pong, ServerResult::EmptyResult(_)), "{pong:?}");
    }
}

pub async fn goes_on_with_a_new_token(visit: &Visit, login: &Login) {
    let before = login.held().await.unwrap();
    in_time(login.refresh()).await.unwrap();
    let after = login.held().await.unwrap();
    assert_ne!(before.access_token, after.access_token);
    assert_ne!(
        before.refresh_token, after.refresh_token,
        "a refresh token is used once"
    );
    assert_eq!(before.client_id, after.client_id);
    still_works(visit).await;

    // Without its access token the SDK gets itself another, and the call it was about to make goes through.
    login.revoke(&after.access_token).await.unwrap();
    still_works(visit).await;
}

async fn still_works(visit: &Visit) {
    for _ in 0..4 {
        let result = visit.call("echo", json!({ "message": "still here" })).await;
        assert_eq!(
            result,
            json!({ "content": [{ "type": "text", "text": "Echo: still here" }] })
        );
    }
}

pub async fn ends_with_delete(visit: Visit, login: &Login, stack: &Stack) {
    let id = login.session_id().unwrap();
    let token = login.held().await.unwrap().access_token;
    assert_eq!(ping(stack, &token, &id).await.0, StatusCode::OK);
    in_time(visit.client.cancel()).await.unwrap();
    assert_eq!(login.deleted(), [id.as_str()]);
    // On every edge, and at once.
    for _ in 0..4 {
        let (status, body) = ping(stack, &token, &id).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(body["id"], 7);
        assert!(body["error"]["code"].is_i64(), "{body}");
    }
}

pub async fn is_refused_after_logout(login: &Login, stack: &Stack) {
    let visit = Visit::begin(login).await;
    let id = login.session_id().unwrap();
    still_works(&visit).await;
    let held = login.held().await.unwrap();
    // Takes the whole grant with it.
    login.revoke(&held.refresh_token).await.unwrap();

    // Other edges learn of it by themselves.
    let deadline = Instant::now() + DEADLINE;
    let mut refused = 0;
    while refused < 4 {
        assert!(Instant::now() < deadline, "a revoked token is still taken");
        let (status, body) = ping(stack, &held.access_token, &id).await;
        refused = if status == StatusCode::UNAUTHORIZED {
            refused + 1
        } else {
            0
        };
        assert!(refused == 0 || body["result"].is_null(), "{body}");
    }
    let error = visit
        .try_call("echo", json!({ "message": "?" }))
        .await
        .unwrap_err();
    assert!(error.is_authorization_required(), "{error}");
    assert!(error.auth_challenge().unwrap().contains("resource_metadata="));
    let error = login.refresh().await.unwrap_err();
    assert!(format!("{error:#}").contains("invalid_grant"), "{error:#}");
}

/// Without the SDK, which would begin a new session or refresh its token.
async fn ping(stack: &Stack, token: &str, session: &str) -> (StatusCode, Value) {
    let answer = reqwest::Client::new()
        .post(stack.url("/mcp"))
        .bearer_auth(token)
        .header("mcp-session-id", session)
        .header("mcp-protocol-version", "2025-11-25")
        .header("accept", "application/json, text/event-stream")
        .json(&json!({ "jsonrpc": "2.0", "id": 7, "method": "ping" }))
        .send();
    let answer = in_time(answer).await.unwrap();
    let status = answer.status();
    (status, answer.json().await.unwrap_or_default())
}
