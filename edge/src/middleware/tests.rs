mod log;

use std::net::SocketAddr;

use axum::body::Body;
use http::{Request, header::HOST};

use super::client_address::Peer;
use crate::{
    EdgeConfig,
    testing::{ALICE, Harness},
};

/// Status of `POST /mcp` with these `Host` and `Origin`.
async fn status(edge: &Harness, host: &str, origin: Option<&str>) -> u16 {
    let mut request = Request::post("/mcp")
        .header(HOST, host)
        .header("authorization", format!("Bearer {ALICE}"));
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    edge.send(request, "{}").await.status
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let config = EdgeConfig {
        base_uri: Some("https://mcp.example.com".to_owned()),
        allowed_hosts: "edge.internal".to_owned(),
        allowed_origins: "https://app.example".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = Harness::with(config).await;
    for (host, origin, expected) in [
        ("localhost:3232", None, 200),
        ("127.0.0.1:3232", Some("http://127.0.0.1:3232"), 200),
        ("[::1]:3232", None, 200),
        ("localhost:3232", Some("http://localhost:6274"), 200),
        ("mcp.example.com", Some("https://mcp.example.com"), 200),
        ("edge.internal:3232", Some("http://edge.internal:3232"), 200),
        ("mcp.example.com", Some("https://app.example"), 200),
        ("evil.example.com", Some("http://evil.example.com"), 403),
        ("evil.example.com", None, 403),
        ("evil.example.com:3232", None, 403),
        ("localhost:3232", Some("http://evil.example.com"), 403),
        ("mcp.example.com", Some("https://evil.example.com"), 403),
        ("localhost:3232", Some("null"), 403),
        ("localhost:3232", Some(""), 403),
        ("localhost.evil.com", None, 403),
        ("", None, 403),
    ] {
        assert_eq!(status(&edge, host, origin).await, expected, "{host} {origin:?}");
    }
}

#[tokio::test]
async fn a_refusal_on_an_mcp_path_is_a_json_rpc_error() {
    let edge = Harness::new().await;
    let answer = edge
        .send(Request::post("/mcp").header(HOST, "evil.example.com"), "{}")
        .await;
    assert_eq!(answer.json()["error"]["code"], -32600);
    assert_eq!(answer.header("access-control-allow-origin"), "");
    // On the others, in their own words.
    let answer = edge
        .send(Request::post("/token").header(HOST, "evil.example.com"), "")
        .await;
    assert_eq!(answer.json()["error"], "access_denied");
    let answer = edge
        .send(Request::get("/").header(HOST, "evil.example.com"), "")
        .await;
    assert!(
        answer.text.contains("<h1>This request was refused</h1>"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn a_request_needs_one_host() {
    let edge = Harness::new().await;
    let two = Request::get("/")
        .header(HOST, "localhost")
        .header(HOST, "localhost");
    assert_eq!(edge.send(two, Body::empty()).await.status, 400);
    // HTTP/2 has `:authority` instead; a Host beside it must be the same.
    assert_eq!(
        edge.send(Request::get("http://localhost:3232/"), Body::empty())
            .await
            .status,
        200
    );
    assert_eq!(
        edge.send(Request::get("http://evil.example.com/"), Body::empty())
            .await
            .status,
        403
    );
    let both = Request::get("http://localhost:3232/").header(HOST, "evil.example.com");
    assert_eq!(edge.send(both, Body::empty()).await.status, 400);
}

#[tokio::test]
async fn probes_need_no_name() {
    let edge = Harness::new().await;
    let answer = edge
        .send(
            Request::get("/livez").header(HOST, "10.1.2.3:3232"),
            Body::empty(),
        )
        .await;
    assert_eq!(
        (answer.status, answer.json()["status"].as_str()),
        (200, Some("ok"))
    );
}

#[tokio::test]
async fn browser_clients_may_read_what_they_need() {
    let edge = Harness::new().await;
    let preflight = Request::options("/mcp")
        .header("origin", "http://localhost:6274")
        .header("access-control-request-method", "DELETE")
        .header(
            "access-control-request-headers",
            "authorization,content-type,mcp-session-id,mcp-param-x",
        );
    let answer = edge.send(preflight, Body::empty()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "http://localhost:6274"
    );
    assert!(answer.header("access-control-allow-methods").contains("DELETE"));
    assert_eq!(
        answer.header("access-control-allow-headers"),
        "authorization,content-type,mcp-session-id,mcp-param-x"
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "");

    // The answer to a request without a token must be readable as well: the login begins with it.
    let answer = edge
        .send(
            Request::post("/mcp").header("origin", "http://localhost:6274"),
            "{}",
        )
        .await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "http://localhost:6274"
    );
    let exposed = answer.header("access-control-expose-headers");
    for name in [
        "mcp-session-id",
        "www-authenticate",
        "retry-after",
        "mcp-protocol-version",
        "dpop-nonce",
    ] {
        assert!(exposed.contains(name), "{name} in {exposed}");
    }
    assert!(
        answer
            .headers
            .get_all("vary")
            .iter()
            .any(|vary| vary.to_str().unwrap().contains("origin"))
    );
}

#[tokio::test]
async fn foreign_preflights_are_refused() {
    let edge = Harness::new().await;
    let preflight = Request::options("/mcp")
        .header("origin", "https://evil.example.com")
        .header("access-control-request-method", "POST");
    let answer = edge.send(preflight, Body::empty()).await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (403, "")
    );
}

#[tokio::test]
async fn every_response_carries_the_security_headers() {
    let config = EdgeConfig {
        base_uri: Some("https://mcp.example.com".to_owned()),
        ..EdgeConfig::default()
    };
    for (edge, hsts) in [
        (Harness::new().await, ""),
        (Harness::with(config).await, "max-age=63072000"),
    ] {
        for path in [
            "/",
            "/livez",
            "/mcp",
            "/nothing",
            "/authorize",
            "/token",
            "/assets/none",
        ] {
            let answer = edge.get(path).await;
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
            assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
            let policy = answer.header("content-security-policy");
            assert!(
                policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{path}"
            );
            assert!(!policy.contains("unsafe"), "{path}");
            assert!(
                answer.header("permissions-policy").contains("camera=()"),
                "{path}"
            );
            assert_eq!(answer.header("strict-transport-security"), hsts, "{path}");
            assert_eq!(answer.header("x-request-id").len(), 32, "{path}");
        }
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_in_the_words_of_its_path() {
    let config = EdgeConfig {
        max_body_bytes: "100000".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = Harness::with(config).await;
    let bearer = format!("Bearer {ALICE}");
    let post = |length: usize| {
        edge.send(
            Request::post("/mcp").header("authorization", &bearer),
            "x".repeat(length),
        )
    };
    assert_eq!(post(100_000).await.text, "alice mcp:tools 100000");
    let answer = post(100_001).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["error"]["code"], -32600);

    // Of unknown length, in pieces.
    let pieces = |count: usize| {
        let pieces = (0..count).map(|_| Ok::<_, std::io::Error>("x".repeat(10_000)));
        Body::from_stream(futures::stream::iter(pieces))
    };
    let request = || Request::post("/mcp").header("authorization", &bearer);
    assert_eq!(
        edge.send(request(), pieces(10)).await.text,
        "alice mcp:tools 100000"
    );
    assert_eq!(edge.send(request(), pieces(11)).await.status, 413);

    let answer = edge.form("/token", &"a".repeat(64 * 1024 + 1)).await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (413, Some("invalid_request"))
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400() {
    let edge = Harness::new().await;
    let broken = futures::stream::iter([Ok("{"), Err(std::io::Error::other("gone"))]);
    let request = Request::post("/mcp").header("authorization", format!("Bearer {ALICE}"));
    let answer = edge.send(request, Body::from_stream(broken)).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].as_i64()),
        (400, Some(-32600))
    );
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let config = EdgeConfig {
        auth_mode: "disabled".to_owned(),
        body_timeout_secs: "0.05".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = Harness::with(config).await;
    let never = Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>());
    let answer = edge.send(Request::post("/mcp"), never).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].as_i64()),
        (408, Some(-32600))
    );
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_nothing_else_notices() {
    let edge = Harness::new().await;
    let request = Request::get("/sse").header("authorization", format!("Bearer {ALICE}"));
    let answer = edge.send(request, Body::empty()).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].as_i64()),
        (500, Some(-32603))
    );
    assert!(!answer.text.contains("a bug"));
    assert_eq!(edge.mcp(ALICE).await.status, 200);
}

#[tokio::test]
async fn too_many_requests_at_once_are_turned_away() {
    let config = EdgeConfig {
        max_requests: "1".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = Harness::with(config).await;
    let permit = edge.state.requests.clone().try_acquire_owned().unwrap();
    let answer = edge.mcp(ALICE).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.json()["error"]["code"], -32603);
    assert_eq!(edge.get("/livez").await.status, 200, "probes still get through");
    drop(permit);
    assert_eq!(edge.mcp(ALICE).await.status, 200);
    assert_eq!(edge.mcp(ALICE).await.status, 200, "the permit comes back");
}

#[tokio::test]
async fn forwarded_addresses_are_believed_from_trusted_proxies_only() {
    let config = EdgeConfig {
        trusted_proxies: "10.0.0.0/8".to_owned(),
        ..EdgeConfig::default()
    };
    let edge = Harness::with(config).await;
    for (peer, expected) in [("9.9.9.9:1", "9.9.9.9"), ("10.1.1.1:1", "1.2.3.4")] {
        let request = Request::post("/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-forwarded-for", "6.6.6.6")
            .header("x-forwarded-for", "1.2.3.4, 10.9.9.9")
            .extension(Peer(peer.parse::<SocketAddr>().unwrap()));
        edge.send(request, "").await;
        assert_eq!(edge.auth.exchange.last().address.unwrap().ip, expected, "{peer}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_in_the_words_of_their_path() {
    let edge = Harness::new().await;
    let answer = edge.get("/nothing").await;
    assert_eq!(answer.status, 404);
    assert!(answer.header("content-type").starts_with("text/html"));
    assert_eq!(
        edge.get("/.well-known/nothing").await.json()["error"],
        "invalid_request"
    );
    let request = Request::put("/mcp").header("authorization", format!("Bearer {ALICE}"));
    let answer = edge.send(request, Body::empty()).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].as_i64()),
        (405, Some(-32600))
    );
    assert!(answer.header("allow").contains("POST"), "{:?}", answer.headers);
    let answer = edge.get("/token").await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (405, Some("invalid_request"))
    );
}
