//! Sessions and calls that end: by time, by their owner, by a dead edge, by being cancelled, by waiting in vain.

use std::time::Duration;

use http::Method;
use serde_json::json;
use system_tests::Stack;
use tokio::time::{Instant, sleep};

use super::{
    faults::until,
    wire::{NEWEST, Session, UNKNOWN_SESSION},
};

/// Keys of this session that are there.
async fn keys(stack: &Stack, session: &Session) -> Vec<String> {
    stack
        .redis()
        .unwrap()
        .command(&["KEYS", &format!("*{{{}}}*", session.id)])
        .await
}

/// Reference failure 6: every key of a session ends by itself, and DELETE ends them at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_of_a_session_has_an_end() {
    let stack = Stack::builder()
        .in_process()
        .redis()
        .edges(2)
        .start()
        .await
        .unwrap();
    let token = super::faults::token(&stack, "alice").await;
    let session = Session::begin(&stack.edge_url(0, ""), Some(&token), NEWEST).await;
    let _stream = session.listen().await;
    // Everything that leaves something behind: a log, a subscription, a level, a question, a resource.
    let progress = json!({ "name": "longRunningOperation", "arguments": { "duration": 0.1, "steps": 2 }, "_meta": { "progressToken": 1 } });
    session.send(session.call(1, "tools/call", progress)).await;
    session
        .send(session.call(
            2,
            "resources/subscribe",
            json!({ "uri": "test://static/resource/1" }),
        ))
        .await;
    session
        .send(session.call(3, "logging/setLevel", json!({ "level": "debug" })))
        .await;
    session
        .send(session.tool(4, "gzipAsResource", json!({ "data": "x" })))
        .await;
    let redis = stack.redis().unwrap();
    let all: Vec<String> = redis.command(&["KEYS", "*"]).await;
    for key in &all {
        let left: i64 = redis.command(&["TTL", key]).await;
        // The log of changes belongs to no session; it is bounded instead.
        assert!(
            left > 0 || key == "mcp:changes",
            "{key} has no end: {left}\n{all:?}"
        );
    }
    let owner: String = redis
        .command(&["GET", &format!("session:{{{}}}:owner", session.id)])
        .await;
    assert!(!owner.is_empty());
    assert!(keys(&stack, &session).await.len() >= 3);
    assert_eq!(
        session.send(session.request(Method::DELETE, "/mcp")).await.status,
        204
    );
    assert_eq!(keys(&stack, &session).await, Vec::<String>::new());
    until("no channels of it", Duration::from_secs(5), || async {
        let pattern = format!("*{{{}}}*", session.id);
        let channels: Vec<String> = redis.command(&["PUBSUB", "CHANNELS", &pattern]).await;
        if channels.is_empty() {
            Ok(())
        } else {
            Err(format!("{channels:?}"))
        }
    })
    .await;
}

/// Reference failure 13: idle sessions are unknown, not unauthorized; an open stream is life.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_session_expires_and_one_with_a_stream_does_not() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .setting("SESSION_TTL", "2")
        .start()
        .await
        .unwrap();
    let token = super::faults::token(&stack, "alice").await;
    let idle = Session::begin(&stack.edge_url(0, ""), Some(&token), NEWEST).await;
    let listening = Session::begin(&stack.edge_url(0, ""), Some(&token), NEWEST).await;
    let called = Session::begin(&stack.edge_url(0, ""), Some(&token), NEWEST).await;
    let mut stream = listening.at(&stack.edge_url(1, "")).listen().await;
    let busy = tokio::spawn({
        let called = called.clone();
        async move {
            let until = Instant::now() + Duration::from_secs(5);
            while Instant::now() < until {
                called.is_well().await.unwrap();
                sleep(Duration::from_millis(300)).await;
            }
        }
    });
    until("no key of the idle session", Duration::from_secs(10), || async {
        let keys = keys(&stack, &idle).await;
        if keys.is_empty() {
            Ok(())
        } else {
            Err(format!("{keys:?}"))
        }
    })
    .await;
    for edge in 0..2 {
        let idle = idle.at(&stack.edge_url(edge, ""));
        let expired = idle.send(idle.call(1, "ping", json!({}))).await;
        let unknown = idle.named(UNKNOWN_SESSION);
        let never = unknown.send(unknown.call(1, "ping", json!({}))).await;
        assert_eq!(expired.status, 404, "{expired:?}");
        assert_eq!(expired.essence(), never.essence());
    }
    busy.await.unwrap();
    // More than twice its time without a request, but with a stream.
    listening.is_well().await.unwrap();
    assert_eq!(
        listening
            .send(listening.request(Method::DELETE, "/mcp"))
            .await
            .status,
        204
    );
    while stream.next().await.is_some() {}
}

/// Reference failure 8: the edge that began a session is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_outlives_its_edge_and_its_call_ends_clearly() {
    let mut stack = Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .setting("SESSION_HEARTBEAT_MS", "200")
        .setting("SESSION_EDGE_GRACE_MS", "500")
        .start()
        .await
        .unwrap();
    let token = super::faults::token(&stack, "alice").await;
    let here = Session::begin(&stack.edge_url(0, ""), Some(&token), NEWEST).await;
    let there = here.at(&stack.edge_url(1, ""));
    let mut held = here.listen().await;
    let params = json!({ "name": "longRunningOperation", "arguments": { "duration": 20, "steps": 100 }, "_meta": { "progressToken": 1 } });
    let mut call = here.open(here.call("call", "tools/call", params)).await;
    let mut cursor = String::new();
    for _ in 0..3 {
        cursor = call.next().await.unwrap().id.unwrap();
    }
    stack.kill_edge(0);
    // Dead streams close.
    while held.next().await.is_some() {}
    while call.next().await.is_some() {}
    there.echoes().await.unwrap();
    let mut rest = there.resume(&cursor).await;
    let last = rest.find(|message| message["id"] == "call").await;
    assert!(
        last["error"]["code"] == -32603 || last["result"].is_object(),
        "{last}"
    );
    assert_eq!(rest.next().await, None, "the call's stream ends with its answer");
    there.is_well().await.unwrap();
    assert_eq!(
        there.send(there.request(Method::DELETE, "/mcp")).await.status,
        204
    );
}

/// Reference failure 23: cancelled at another edge, a call is silent within 100 ms, and its id is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_call_is_silent_at_once() {
    let stack = Stack::builder()
        .in_process()
        .redis()
        .edges(2)
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let here = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
    let there = here.at(&stack.edge_url(1, ""));
    for canceller in [&here, &there] {
        let params = json!({ "name": "longRunningOperation", "arguments": { "duration": 30, "steps": 1000 }, "_meta": { "progressToken": 1 } });
        let mut call = here.open(here.call("call", "tools/call", params)).await;
        call.find(|message| message["method"] == "notifications/progress")
            .await;
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "call", "reason": "enough" } });
        let accepted = canceller.send(canceller.post(cancel.to_string())).await;
        assert_eq!(accepted.status, 202);
        let cancelled = Instant::now();
        while let Some(event) = call.next().await {
            assert!(
                !event.data.contains(r#""id":"call""#),
                "a cancelled call is not answered: {event:?}"
            );
        }
        let took = cancelled.elapsed();
        // Of thirty seconds: how quick it is on a quiet machine is measured where calls are closed (modern/closing.rs).
        assert!(took < Duration::from_secs(3), "silent only after {took:?}");
        let again = here
            .send(here.tool("call", "echo", json!({ "message": "free" })))
            .await;
        assert!(again.text().contains("free"), "{again:?}");
    }
}

/// Reference failure 22: questions come on the call's own stream, and waiting for an answer ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_without_an_answer_ends_in_a_clear_error() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .auth_disabled()
        .setting("INPUT_TIMEOUT_SECS", "1")
        .start()
        .await
        .unwrap();
    let session = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
    for (tool, arguments, method) in [
        ("sampleLLM", json!({ "prompt": "?" }), "sampling/createMessage"),
        ("elicitInputs", json!({}), "elicitation/create"),
        ("getRoots", json!({}), "roots/list"),
    ] {
        let mut call = session.open(session.tool("call", tool, arguments)).await;
        let question = call.find(|message| message["method"] == method).await;
        let asked = Instant::now();
        let ended = call
            .find(|message| message["id"] == "call" && message.get("method").is_none())
            .await;
        let text = ended["error"]["message"].as_str().unwrap_or_default();
        assert!(text.contains(method) && text.contains("in time"), "{ended}");
        assert!(
            asked.elapsed() < Duration::from_secs(4),
            "only after {:?}",
            asked.elapsed()
        );
        // An answer that comes too late is no fault.
        let late = json!({ "jsonrpc": "2.0", "id": question["id"], "result": {} });
        assert_eq!(session.send(session.post(late.to_string())).await.status, 202);
        session.is_well().await.unwrap();
    }
}

/// Answers that are no answers end the call with an error that says what was wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_answers_to_questions_end_in_clear_errors() {
    let stack = Stack::builder()
        .in_process()
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let session = Session::begin(&stack.edge_url(0, ""), None, NEWEST).await;
    let bad = [
        ("sampleLLM", json!({ "prompt": "?" }), json!({ "result": {} })),
        (
            "sampleLLM",
            json!({ "prompt": "?" }),
            json!({ "result": { "role": 1, "content": [], "model": null } }),
        ),
        (
            "sampleLLM",
            json!({ "prompt": "?" }),
            json!({ "result": { "role": "assistant", "model": "m", "content": "text" } }),
        ),
        (
            "sampleLLM",
            json!({ "prompt": "?" }),
            json!({ "error": { "code": -1, "message": "not today" } }),
        ),
        (
            "elicitInputs",
            json!({}),
            json!({ "result": { "action": "maybe" } }),
        ),
        (
            "elicitInputs",
            json!({}),
            json!({ "result": { "action": "accept", "content": [] } }),
        ),
        (
            "elicitInputs",
            json!({}),
            json!({ "result": { "action": "accept", "content": { "name": 1 } } }),
        ),
        ("getRoots", json!({}), json!({ "result": { "roots": "here" } })),
        (
            "getRoots",
            json!({}),
            json!({ "result": { "roots": [{ "uri": 1 }] } }),
        ),
        (
            "getRoots",
            json!({}),
            json!({ "error": { "code": 9_007_199_254_740_993_i64, "message": "x".repeat(100_000) } }),
        ),
    ];
    for (tool, arguments, answer) in bad {
        let mut call = session.open(session.tool("call", tool, arguments)).await;
        let question = call.find(|message| message.get("method").is_some()).await;
        let mut message = answer.clone();
        message["jsonrpc"] = json!("2.0");
        message["id"] = question["id"].clone();
        assert_eq!(session.send(session.post(message.to_string())).await.status, 202);
        let ended = call.find(|message| message["id"] == "call").await;
        let failed = ended["result"]["isError"] == true || ended["error"]["code"].is_i64();
        assert!(failed, "{tool} {answer:.80}: {ended}");
        assert!(
            ended.to_string().len() < 4000,
            "{tool}: the error is as long as the answer was"
        );
        session.is_well().await.unwrap();
    }
}
