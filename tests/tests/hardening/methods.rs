//! HTTP methods that a path does not take, and paths that are not there.

use http::Method;
use serde_json::json;
use system_tests::Stack;

use super::wire::{NEWEST, Request, Session, client};

const MCP_PATHS: [(&str, &[Method]); 3] = [
    ("/mcp", &[Method::GET, Method::POST, Method::DELETE]),
    ("/sse", &[Method::GET]),
    ("/message", &[Method::POST]),
];
const OTHER_PATHS: [(&str, &[Method]); 17] = [
    ("/", &[Method::GET, Method::HEAD]),
    ("/livez", &[Method::GET, Method::HEAD]),
    ("/readyz", &[Method::GET, Method::HEAD]),
    ("/token", &[Method::POST]),
    ("/par", &[Method::POST]),
    ("/revoke", &[Method::POST]),
    ("/introspect", &[Method::POST]),
    ("/register", &[Method::POST]),
    (
        "/register/x",
        &[Method::GET, Method::HEAD, Method::PUT, Method::DELETE],
    ),
    ("/authorize", &[Method::GET, Method::HEAD]),
    ("/authorize/consent", &[Method::POST]),
    (
        "/fakeupstreamauth/authorize",
        &[Method::GET, Method::HEAD, Method::POST],
    ),
    ("/fakeupstreamauth/redirect", &[Method::GET, Method::HEAD]),
    (
        "/.well-known/oauth-protected-resource",
        &[Method::GET, Method::HEAD],
    ),
    (
        "/.well-known/oauth-protected-resource/mcp",
        &[Method::GET, Method::HEAD],
    ),
    (
        "/.well-known/oauth-authorization-server",
        &[Method::GET, Method::HEAD],
    ),
    ("/.well-known/openid-configuration", &[Method::GET, Method::HEAD]),
];

fn methods() -> [Method; 7] {
    [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::from_bytes(b"BREW").unwrap(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mcp_paths_refuse_other_methods_as_json_rpc() {
    let stack = Stack::builder()
        .in_process()
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let session = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
    for (path, allowed) in MCP_PATHS {
        for method in methods().into_iter().filter(|method| !allowed.contains(method)) {
            let answer = session.send(session.request(method.clone(), path)).await;
            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            let listed = answer.header("allow").unwrap_or_default();
            for method in allowed {
                assert!(
                    listed.contains(method.as_str()),
                    "{method} {path}: allow {listed:?}"
                );
            }
            if method != Method::HEAD {
                let message = answer.message();
                assert_eq!(
                    (&message["id"], &message["error"]["code"]),
                    (&json!(null), &json!(-32600)),
                    "{method} {path}"
                );
            }
            session.is_well().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_paths_refuse_other_methods_and_bare_requests_plainly() {
    let stack = Stack::builder().in_process().start().await.unwrap();
    let (client, origin) = (client(), stack.edge_url(0, ""));
    for (path, allowed) in OTHER_PATHS {
        for method in methods() {
            let request = Request::new(method.clone(), path);
            let response = request.open(&client, &origin).await;
            let status = response.status().as_u16();
            if allowed.contains(&method) {
                // Nothing was asked for, which is at most the client's fault.
                assert!(status < 500 && status != 405, "{method} {path}: {status}");
            } else {
                assert_eq!(status, 405, "{method} {path}");
                assert!(
                    response.headers().contains_key("allow"),
                    "{method} {path}: no Allow"
                );
            }
        }
        let options = Request::new(Method::OPTIONS, path).open(&client, &origin).await;
        assert!(
            options.status().as_u16() < 500,
            "OPTIONS {path}: {}",
            options.status()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_that_are_not_there_are_404() {
    let stack = Stack::builder().in_process().start().await.unwrap();
    let (client, origin) = (client(), stack.edge_url(0, ""));
    for path in [
        "/mcp/",
        "/mcp/x",
        "/MCP",
        "//mcp",
        "/messages",
        "/admin",
        "/metrics",
        "/.env",
        "/assets/",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%00",
        "/assets/x",
        "/.well-known/x",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/register/",
        "/%ff",
    ] {
        for method in [Method::GET, Method::POST] {
            let answer = Request::new(method.clone(), path).send(&client, &origin).await;
            let right = matches!((&method, answer.status), (_, 404) | (&Method::POST, 405));
            assert!(right, "{method} {path}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_told_to_log_in_whatever_they_send() {
    let stack = Stack::builder().in_process().start().await.unwrap();
    let (client, origin) = (client(), stack.edge_url(0, ""));
    for (path, allowed) in MCP_PATHS {
        for method in allowed {
            let answer = Request::new(method.clone(), path).send(&client, &origin).await;
            assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
            assert!(
                answer
                    .header("www-authenticate")
                    .is_some_and(|value| value.contains("resource_metadata"))
            );
        }
    }
    for authorization in [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic eDp5",
        "Digest x",
        "x",
        "Bearer x y",
        "Bearer \u{e9}",
        "bearer x",
    ] {
        let request = Request::new(Method::POST, "/mcp").with("authorization", authorization);
        let answer = request.send(&client, &origin).await;
        assert!(
            matches!(answer.status, 400 | 401),
            "{authorization:?}: {answer:?}"
        );
    }
    let long =
        Request::new(Method::POST, "/mcp").with("authorization", format!("Bearer {}", "x".repeat(20_000)));
    let answer = long.send(&client, &origin).await;
    assert!(matches!(answer.status, 400 | 401), "{answer:?}");
    let in_query = Request::new(Method::POST, "/mcp?access_token=x")
        .send(&client, &origin)
        .await;
    assert_eq!(in_query.status, 400, "{in_query:?}");
}
