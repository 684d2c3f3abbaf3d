//! Nothing that opens a door, and no word of what clients send, is found in logs, spans, metrics or Redis.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use serde_json::{Value, json};
use system_tests::{Browser, OtlpReceiver, Stack, client::McpClient};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::seen::{eventually, log, prometheus, terminate};
use crate::target::{Target, VERIFIER, parameter};

const PARTS: [&str; 5] = ["edge-0", "edge-1", "auth-0", "session-0", "feature-0"];
/// In the arguments and results of calls.
const ARGUMENT: &str = "marker-of-an-argument-5d1c0f8e";
/// In what a person fills in.
const ANSWER: &str = "marker-of-an-answer-c07a3b19";
/// What a model says.
const SAMPLED: &str = "marker-of-a-sample-77e2d415";

/// Whatever must stay secret, by what it is.
type Secrets = BTreeMap<String, String>;

/// Everything that Redis is told, from now on.
struct Watching {
    lines: Lines<BufReader<ChildStdout>>,
    _monitor: Child,
}

impl Watching {
    async fn begin(stack: &Stack) -> Self {
        let mut monitor = Command::new("redis-cli")
            .args(["-u", &stack.redis().unwrap().url(), "MONITOR"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(monitor.stdout.take().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "OK");
        Self {
            lines,
            _monitor: monitor,
        }
    }

    async fn end(mut self, stack: &Stack) -> Vec<String> {
        let _: i64 = stack.redis().unwrap().command(&["PUBLISH", "the-end", "x"]).await;
        let mut seen = Vec::new();
        let watched = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if line.contains("the-end") {
                    return;
                }
                seen.push(line);
            }
        };
        timeout(Duration::from_secs(20), watched).await.unwrap();
        seen
    }
}

/// A login with everything that it gives out, a refresh and a theft.
async fn log_in(target: &Target, secrets: &mut Secrets) -> String {
    let mut keep = |what: &str, secret: &str| secrets.insert(what.to_owned(), secret.to_owned());
    let (_, client_secret) = target.confidential().await;
    keep("client secret", &client_secret);
    let client = target.client().await;
    let mut browser = Browser::of("victim").unwrap();
    let back = browser
        .follow(target.authorize(&target.request(&client)))
        .await
        .unwrap();
    for (name, value) in browser.cookies() {
        keep(&format!("cookie {name}"), value);
    }
    let code = parameter(&back, "code").unwrap();
    keep("code", &code);
    keep("verifier", VERIFIER);
    let tokens = target.redeem(&client, &code).await.tokens();
    keep("access token", &tokens.access);
    keep("refresh token", &tokens.refresh);
    let refreshed = target.refresh(&client, &tokens.refresh).await.tokens();
    keep("second access token", &refreshed.access);
    keep("second refresh token", &refreshed.refresh);
    // One that is given back.
    let code = target.code("victim", &client).await;
    let given_back = target.redeem(&client, &code).await.tokens();
    keep("code of the revoked one", &code);
    keep("revoked access token", &given_back.access);
    keep("revoked refresh token", &given_back.refresh);
    let form = [("token", given_back.refresh.as_str()), ("client_id", &client)];
    assert_eq!(target.post("/revoke", &form).await.status, 200);
    target.dies(&given_back.access).await;
    // A token in the wrong place is one all the same.
    let misplaced = target.at(&format!("/mcp?access_token={}", refreshed.access));
    assert!(target.get(misplaced).await.status.is_client_error());
    refreshed.access
}

/// Calls, questions and streams of a session.
async fn use_session(target: &Target, token: &str) {
    let can = json!({ "sampling": {}, "elicitation": { "form": {} } });
    let client = McpClient::connect(&target.at("/mcp"), "2025-11-25", can, Some(token))
        .await
        .unwrap();
    client.tool("echo", json!({ "message": ARGUMENT })).await;
    client
        .call(
            "tools/call",
            json!({ "name": "made up", "arguments": { ARGUMENT: 1 } }),
        )
        .await
        .unwrap_err();
    for (tool, arguments, method, answer) in [
        (
            "elicitInputs",
            json!({}),
            "elicitation/create",
            json!({ "action": "accept", "content": { "name": ANSWER } }),
        ),
        (
            "sampleLLM",
            json!({ "prompt": ARGUMENT, "maxTokens": 10 }),
            "sampling/createMessage",
            json!({
                "role": "assistant",
                "model": "a model",
                "content": { "type": "text", "text": SAMPLED },
            }),
        ),
    ] {
        let call = json!({ "name": tool, "arguments": arguments });
        let mut stream = client.open("tools/call", call).await.unwrap();
        let question = stream.wait_for(method).await;
        client.respond(&question["id"], answer).await.unwrap();
        stream.rest().await;
    }
    let broken = format!("{{\"jsonrpc\": \"2.0\", \"{ARGUMENT}");
    client
        .post_bytes(broken.into_bytes(), "application/json")
        .await
        .unwrap();
    assert_eq!(client.delete().await.unwrap().status, 204);
}

/// A question in rounds, where the client keeps the state.
async fn use_rounds(target: &Target, token: &str, secrets: &mut Secrets) {
    let ask = async |params: Value| -> Value {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "secrets", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let answer = target
            .http
            .post(target.at("/mcp"))
            .bearer_auth(token)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "elicitInSteps")
            .json(&body)
            .send()
            .await
            .unwrap();
        answer.json().await.unwrap()
    };
    let call = json!({ "name": "elicitInSteps", "arguments": { "occasion": ARGUMENT } });
    let asked = ask(call.clone()).await;
    let state = asked["result"]["requestState"]
        .as_str()
        .unwrap_or_else(|| panic!("{asked}"));
    secrets.insert("request state".to_owned(), state.to_owned());
    let mut again = call;
    again["requestState"] = json!(state);
    again["inputResponses"] =
        json!({ "guests": { "action": "accept", "content": { "guests": 12, "note": ANSWER } } });
    ask(again).await;
}

/// Everything that Redis holds, a line per key, as it is stored.
async fn stored(stack: &Stack) -> Vec<String> {
    let redis = stack.redis().unwrap();
    let keys: Vec<String> = redis.command(&["KEYS", "*"]).await;
    let mut lines = Vec::new();
    for key in keys {
        let output = Command::new("redis-cli")
            .args(["-u", &redis.url(), "EVAL"])
            .arg(
                "local t = redis.call('TYPE', KEYS[1]).ok \
                 if t == 'string' then return redis.call('GET', KEYS[1]) end \
                 if t == 'hash' then return redis.call('HGETALL', KEYS[1]) end \
                 if t == 'set' then return redis.call('SMEMBERS', KEYS[1]) end \
                 if t == 'zset' then return redis.call('ZRANGE', KEYS[1], 0, -1) end \
                 if t == 'list' then return redis.call('LRANGE', KEYS[1], 0, -1) end \
                 if t == 'stream' then return redis.call('XRANGE', KEYS[1], '-', '+') end \
                 return t",
            )
            .args(["1", &key])
            .output()
            .await
            .unwrap();
        lines.push(format!("{key} {}", String::from_utf8_lossy(&output.stdout)));
    }
    lines
}

fn find<'a>(text: &str, secrets: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<&'a str> {
    let found = secrets
        .into_iter()
        .filter(|(_, secret)| text.contains(secret.as_str()));
    found.map(|(what, _)| what.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_of_a_full_run_is_found_anywhere() {
    let receiver = OtlpReceiver::start().await.unwrap();
    let target = Target::of(
        Stack::builder()
            .processes()
            .redis()
            .edges(2)
            .setting("RUST_LOG", "trace")
            .setting("LOG_FORMAT", "json")
            .setting("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.endpoint())
            .setting("ADMIN_ADDR", "127.0.0.1:0"),
    )
    .await;
    let stack = &target.stack;
    let watching = Watching::begin(stack).await;
    let mut secrets = Secrets::new();
    let token = log_in(&target, &mut secrets).await;
    use_session(&target, &token).await;
    use_rounds(&target, &token, &mut secrets).await;

    let stored = stored(stack).await;
    let told = watching.end(stack).await;
    let mut metrics = String::new();
    for part in PARTS {
        metrics.push_str(&format!("{:?}", prometheus(stack, part).await));
    }
    for part in PARTS {
        // What is left is exported now.
        terminate(stack, part).await;
    }
    eventually("spans of every process", async || {
        let spans = receiver.spans();
        let services: std::collections::BTreeSet<_> = spans.iter().map(|span| span.service.clone()).collect();
        (services.len() == 4 && !receiver.metrics().is_empty()).then_some(())
    })
    .await;
    metrics.push_str(&format!("{:?}", receiver.metrics()));

    for (what, secret) in &secrets {
        assert!(secret.len() >= 20, "{what} is too short to look for: {secret}");
    }
    let bodies: Secrets = [("argument", ARGUMENT), ("answer", ANSWER), ("sample", SAMPLED)]
        .map(|(what, marker)| (what.to_owned(), marker.to_owned()))
        .into();
    let everything = || secrets.iter().chain(&bodies);
    for part in PARTS {
        let log = log(stack, part);
        assert!(
            log.contains("\"level\":\"TRACE\"") || log.contains("\"level\":\"DEBUG\""),
            "{part} logs little"
        );
        for line in log.lines() {
            assert_eq!(find(line, everything()), <[&str; 0]>::default(), "{part}: {line}");
        }
    }
    for span in receiver.spans() {
        let text = format!("{span:?}");
        assert_eq!(find(&text, everything()), <[&str; 0]>::default(), "{text}");
    }
    assert_eq!(find(&metrics, everything()), <[&str; 0]>::default());
    for line in told.iter().chain(&stored) {
        assert_eq!(find(line, &secrets), <[&str; 0]>::default(), "{line}");
        // What a client must not miss is in its session's log, and what it answered waits there to be taken.
        let of_session = line.contains("session:{") || line.contains("task:{");
        if !of_session {
            assert_eq!(find(line, &bodies), <[&str; 0]>::default(), "{line}");
        }
    }
    assert!(
        told.iter().any(|line| line.contains("auth:")),
        "nothing was watched"
    );
}
