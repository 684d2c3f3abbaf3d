//! A service without a single replica: clear errors that name no internals, and recovery by itself.

use std::time::Duration;

use serde_json::json;
use system_tests::Stack;

use super::{
    faults::{is_unavailable, pid, readiness, signal, token, until},
    wire::{Answer, NEWEST, Request, Session},
};

const NOTICED: Duration = Duration::from_secs(10);
const RECOVERY: Duration = Duration::from_secs(15);

struct Down {
    stack: Stack,
    session: Session,
}

impl Down {
    async fn begin() -> Self {
        let stack = Stack::builder().processes().redis().start().await.unwrap();
        let token = token(&stack, "alice").await;
        let session = Session::begin(&stack.edge_url(0, ""), Some(&token), NEWEST).await;
        session.echoes().await.unwrap();
        Self { stack, session }
    }

    /// `/readyz` names the service that is missing, and `/livez` is content.
    async fn is_said_to_lack(&self, service: &str) {
        let why = until("/readyz", NOTICED, || async {
            match readiness(&self.stack, 0).await {
                (503, why) => Ok(why),
                ready => Err(format!("{ready:?}")),
            }
        })
        .await;
        for (name, state) in why["dependencies"].as_object().unwrap() {
            assert_eq!(name == service, state != "ok", "{why}");
        }
        let alive = Request::new(http::Method::GET, "/livez")
            .send(&self.session.client, &self.session.origin)
            .await;
        assert_eq!(alive.status, 200, "{alive:?}");
    }

    async fn recovers(&self) {
        until("/readyz", RECOVERY, || async {
            match readiness(&self.stack, 0).await {
                (200, _) => Ok(()),
                not_ready => Err(format!("{not_ready:?}")),
            }
        })
        .await;
        until("the same session", RECOVERY, || async {
            self.session
                .echoes()
                .await
                .map_err(|answer| format!("{answer:?}\n{}", self.stack.logs()))
        })
        .await;
    }

    /// Until the request is refused for want of the service, under its id.
    async fn is_refused(&self, what: &str, id: &str, request: impl Fn() -> Request) -> Answer {
        let answer = until(what, NOTICED, || async {
            let answer = self.session.send(request()).await;
            is_unavailable(&answer).map(|()| answer)
        })
        .await;
        assert_eq!(answer.message()["id"], id, "{answer:?}");
        answer
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_features_calls_are_refused_and_sessions_live() {
    let mut down = Down::begin().await;
    down.stack.kill("feature-0").unwrap();
    let session = &down.session;
    down.is_refused("tools/call", "me", || {
        session.tool("me", "echo", json!({ "message": "x" }))
    })
    .await;
    down.is_refused("tools/list", "me", || session.call("me", "tools/list", json!({})))
        .await;
    down.is_refused("resources/read", "me", || {
        session.call("me", "resources/read", json!({ "uri": "x" }))
    })
    .await;
    down.is_refused("initialize", "begin", || session.initialize())
        .await;
    session.is_well().await.unwrap();
    down.is_said_to_lack("feature").await;
    down.stack.restart("feature-0").unwrap();
    down.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sessions_requests_are_refused_and_nothing_is_lost() {
    let mut down = Down::begin().await;
    let session = down.session.clone();
    let mut stream = session.listen().await;
    down.stack.kill("session-0").unwrap();
    down.is_refused("ping", "me", || session.call("me", "ping", json!({})))
        .await;
    down.is_refused("tools/call", "me", || {
        session.tool("me", "echo", json!({ "message": "x" }))
    })
    .await;
    down.is_refused("initialize", "begin", || session.initialize())
        .await;
    let refused = session.send(session.request(http::Method::GET, "/mcp")).await;
    is_unavailable(&refused).unwrap();
    let refused = session.send(session.request(http::Method::DELETE, "/mcp")).await;
    is_unavailable(&refused).unwrap();
    let refused = session
        .send(session.named("").request(http::Method::GET, "/sse"))
        .await;
    is_unavailable(&refused).unwrap();
    down.is_said_to_lack("session").await;
    down.stack.restart("session-0").unwrap();
    down.recovers().await;
    // A stream from before either ended, so that the client comes back, or goes on.
    let mut resumed = session.listen().await;
    _ = (
        stream.within(Duration::from_millis(200)).await,
        resumed.within(Duration::from_millis(200)).await,
    );
    session.is_well().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_auth_unknown_tokens_are_not_judged() {
    let mut down = Down::begin().await;
    down.stack.kill("auth-0").unwrap();
    let session = &down.session;
    let stranger = session.stolen_by("nobodys-token-AAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    // Not 401, which would throw a good token away.
    let answer = until("an unknown token", NOTICED, || async {
        let answer = stranger.send(stranger.call("me", "ping", json!({}))).await;
        is_unavailable(&answer).map(|()| answer)
    })
    .await;
    assert_eq!(answer.header("www-authenticate"), None, "{answer:?}");
    // Login says so too, to programs and to people.
    for (method, path) in [
        (http::Method::POST, "/token"),
        (http::Method::POST, "/register"),
        (http::Method::GET, "/authorize?response_type=code&client_id=x"),
    ] {
        let request = match method {
            http::Method::POST => session.post("{}").path(path).without("authorization"),
            _ => Request::new(method.clone(), path),
        };
        let request = if path == "/token" {
            request.with("content-type", "application/x-www-form-urlencoded")
        } else {
            request
        };
        let answer = session.send(request).await;
        assert_eq!(answer.status, 503, "{method} {path}: {answer:?}");
        assert!(
            answer.header("retry-after").is_some(),
            "{method} {path}: {answer:?}"
        );
    }
    down.is_said_to_lack("auth").await;
    down.stack.restart("auth-0").unwrap();
    down.recovers().await;
    let refused = until("the stranger", RECOVERY, || async {
        let answer = stranger.send(stranger.call("me", "ping", json!({}))).await;
        if answer.status == 401 {
            Ok(answer)
        } else {
            Err(format!("{answer:?}"))
        }
    })
    .await;
    assert!(refused.header("www-authenticate").is_some());
}

/// A process that hangs closes no connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_hangs_is_a_clear_error_in_time() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .auth_disabled()
        .setting("CALL_IDLE_TIMEOUT_SECS", "2")
        .start()
        .await
        .unwrap();
    let session = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
    session.echoes().await.unwrap();
    let feature = pid(&stack, "feature-0");
    signal(feature, "STOP");
    let answer = session
        .send(session.tool("me", "echo", json!({ "message": "x" })))
        .await;
    let message = answer.message();
    assert_eq!(
        (&message["id"], &message["error"]["code"]),
        (&json!("me"), &json!(-32603)),
        "{answer:?}"
    );
    session.is_well().await.unwrap();
    signal(feature, "CONT");
    until("the call", RECOVERY, || async {
        session.echoes().await.map_err(|answer| format!("{answer:?}"))
    })
    .await;
}
