use http::Request;
use serde_json::json;
use tonic::Status;

use crate::{EdgeConfig, testing::Harness};

#[tokio::test]
async fn garbage_reaches_the_service_as_text_and_nothing_breaks() {
    let edge = Harness::new().await;
    for garbage in [
        &b"%ff%fe=\xff&&==&%"[..],
        b"\0\0",
        b"&&&&",
        "é=\u{1f600}".as_bytes(),
    ] {
        for path in ["/token", "/revoke", "/introspect", "/par", "/authorize/consent"] {
            let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
            let answer = edge.send(request, garbage).await;
            // The script decides nothing, so 200 or 500 comes from it; what counts is that there is an answer.
            assert!([200, 500].contains(&answer.status), "{path} {}", answer.status);
        }
    }
    for query in ["%ff%00", "a=%zz&&=", "redirect_uri=javascript:alert(1)"] {
        assert_eq!(
            edge.get(&format!("/authorize?{query}")).await.status,
            500,
            "{query}"
        );
    }
}

#[tokio::test]
async fn discovery_documents_are_where_clients_look() {
    let edge = Harness::new().await;
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
    ] {
        let answer = edge.get(path).await;
        assert_eq!(
            (answer.status, answer.json()["issuer"].as_str()),
            (200, Some("http://localhost:3232")),
            "{path}"
        );
    }
    for (path, resource) in [
        (
            "/.well-known/oauth-protected-resource",
            "http://localhost:3232/mcp",
        ),
        (
            "/.well-known/oauth-protected-resource/mcp",
            "http://localhost:3232/mcp",
        ),
        (
            "/.well-known/oauth-protected-resource/sse",
            "http://localhost:3232/sse",
        ),
    ] {
        assert_eq!(
            edge.get(path).await.json(),
            json!({ "resource": resource, "x": 1 }),
            "{path}"
        );
    }
    assert_eq!(edge.auth.metadata.count(), 1, "remembered");
}

#[tokio::test]
async fn in_external_mode_only_the_resource_is_described_here() {
    let config = EdgeConfig {
        auth_mode: "external".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = Harness::with(config).await;
    assert_eq!(
        edge.get("/.well-known/oauth-protected-resource/mcp").await.status,
        200
    );
    for path in ["/authorize", "/callback", "/fakeupstreamauth/authorize"] {
        assert_eq!(edge.get(path).await.status, 404, "{path}");
    }
    assert_eq!(edge.form("/token", "").await.status, 404);
}

#[tokio::test]
async fn while_the_auth_service_is_away_oauth_clients_are_told_to_come_back() {
    let edge = Harness::new().await;
    for rpc in [Status::unavailable("x"), Status::deadline_exceeded("x")] {
        edge.auth.exchange.answers(Err(rpc));
        let answer = edge.form("/token", "").await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
    }
}
