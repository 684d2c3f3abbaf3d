//! What clients do once they are logged in, with marked words in all that they send.

use serde_json::{Value, json};
use system_tests::client::{McpClient, Response, SseStream};

use super::{ANSWER, ARGUMENT, REASON, SAMPLED, Secrets};
use crate::target::Target;
use crate::telemetry::seen::eventually;

const TASKS: &str = "io.modelcontextprotocol/tasks";

/// A session whose client can be asked for everything.
async fn session(target: &Target, token: &str, secrets: &mut Secrets) -> McpClient {
    let can = json!({ "sampling": {}, "elicitation": { "form": {} }, "roots": {} });
    let client = McpClient::connect(&target.at("/mcp"), "2025-11-25", can, Some(token))
        .await
        .unwrap();
    let number = secrets.len();
    secrets.insert(format!("id of session {number}"), client.session_id().to_owned());
    client
}

/// Opens the stream of a call that asks, and reads the question.
async fn asked(client: &McpClient, method: &str, call: Value, question: &str) -> (SseStream, Value) {
    let mut stream = client.open(method, call).await.unwrap();
    let question = stream.wait_for(question).await;
    (stream, question["id"].clone())
}

/// Calls, questions and streams of a session.
pub async fn use_session(target: &Target, token: &str, ids: &mut Secrets) {
    let client = session(target, token, ids).await;
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
        (
            "getRoots",
            json!({}),
            "roots/list",
            json!({ "roots": [{ "uri": format!("file:///{ANSWER}") }] }),
        ),
    ] {
        let call = json!({ "name": tool, "arguments": arguments });
        let (mut stream, question) = asked(&client, "tools/call", call.clone(), method).await;
        client.respond(&question, answer).await.unwrap();
        stream.rest().await;
        // The same, and the client gives its reasons not to answer.
        let (mut stream, question) = asked(&client, "tools/call", call, method).await;
        client.respond_error(&question, -1, REASON).await.unwrap();
        let end = stream.messages().await;
        assert!(end[0]["error"].to_string().contains(REASON), "{end:?}");
    }
    let broken = format!("{{\"jsonrpc\": \"2.0\", \"{ARGUMENT}");
    client
        .post_bytes(broken.into_bytes(), "application/json")
        .await
        .unwrap();
    assert_eq!(client.delete().await.unwrap().status, 204);
}

/// A stream that breaks off while the client is asked, and is taken up where the client says that it was.
pub async fn resume_a_stream(target: &Target, token: &str, ids: &mut Secrets) {
    let client = session(target, token, ids).await;
    let call = json!({ "name": "sampleLLM", "arguments": { "prompt": ARGUMENT } });
    let (stream, question) = asked(&client, "tools/call", call, "sampling/createMessage").await;
    let cursor = stream.last_event_id().to_owned();
    drop(stream);
    let answer =
        json!({ "role": "assistant", "model": "a model", "content": { "type": "text", "text": SAMPLED } });
    client.respond(&question, answer).await.unwrap();
    let mut resumed = client.get(Some(&cursor)).await.unwrap();
    let end = resumed.messages().await;
    assert!(end[0].to_string().contains(SAMPLED), "{end:?}");
    drop(resumed);
    // Once more, with all of it there already; and by a cursor that was never given.
    let mut again = client.get(Some(&cursor)).await.unwrap();
    assert_eq!(again.messages().await, end);
    let made_up = client.try_get(Some(ARGUMENT)).await.unwrap();
    assert!((400..500).contains(&made_up.status), "{}", made_up.text());
}

/// A task of 2025-11-25 that asks midway and is answered, and one whose question is refused.
pub async fn run_tasks(target: &Target, token: &str, ids: &mut Secrets) {
    let client = session(target, token, ids).await;
    for is_refused in [false, true] {
        let call = json!({
            "name": "simulateResearchQuery",
            "arguments": { "topic": ARGUMENT, "ambiguous": true, "duration": 0 },
            "task": {},
        });
        let created = client.call("tools/call", call).await.unwrap();
        let task_id = created["task"]["taskId"].as_str().unwrap();
        ids.insert(format!("id of a task, refused: {is_refused}"), task_id.to_owned());
        let result = json!({ "taskId": task_id });
        let (mut stream, question) =
            asked(&client, "tasks/result", result.clone(), "elicitation/create").await;
        if is_refused {
            client.respond_error(&question, -1, REASON).await.unwrap();
        } else {
            let content = json!({ "interpretation": "historical", "note": ANSWER });
            let answer = json!({ "action": "accept", "content": content });
            client.respond(&question, answer).await.unwrap();
        }
        let end = stream.messages().await;
        let said = if is_refused { REASON } else { ARGUMENT };
        assert!(end[0].to_string().contains(said), "{end:?}");
        // What came of it stays readable, and is asked for without a stream.
        let again = client.request("tasks/result", result).await.unwrap();
        assert!(again.text().contains(said), "{}", again.text());
    }
}

/// A client of 2026-07-28.
pub struct Stateless<'a> {
    pub target: &'a Target,
    pub token: &'a str,
}

impl Stateless<'_> {
    async fn ask(&self, method: &str, name: &str, mut params: Value) -> Result<Value, Value> {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "secrets", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {
                "elicitation": { "form": {} },
                "extensions": { TASKS: {} },
            },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self
            .target
            .http
            .post(self.target.at("/mcp"))
            .bearer_auth(self.token)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method)
            .header("mcp-name", name)
            .json(&body)
            .send()
            .await
            .unwrap();
        Response::read(answer).await.unwrap().result()
    }

    /// A question in rounds, where the client keeps the state.
    pub async fn play_rounds(&self, secrets: &mut Secrets) {
        let tool = "elicitInSteps";
        let call = json!({ "name": tool, "arguments": { "occasion": ARGUMENT } });
        let asked = self.ask("tools/call", tool, call.clone()).await.unwrap();
        let state = asked["requestState"].as_str().unwrap();
        secrets.insert("request state".to_owned(), state.to_owned());
        let mut again = call.clone();
        again["requestState"] = json!(state);
        again["inputResponses"] =
            json!({ "guests": { "action": "accept", "content": { "guests": 12, "note": ANSWER } } });
        let asked = self.ask("tools/call", tool, again.clone()).await.unwrap();
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        // For another request.
        again["arguments"]["occasion"] = json!(format!("{ARGUMENT} and more"));
        assert_eq!(
            self.ask("tools/call", tool, again).await.unwrap_err()["code"],
            -32602
        );
    }

    /// A task that asks midway, is answered with nonsense, and then well.
    pub async fn run_a_task(&self, ids: &mut Secrets) {
        let tool = "simulateResearchQuery";
        let arguments = json!({ "topic": ARGUMENT, "ambiguous": true, "duration": 0 });
        let call = json!({ "name": tool, "arguments": arguments });
        let created = self.ask("tools/call", tool, call).await.unwrap();
        assert_eq!(created["resultType"], "task", "{created}");
        let id = created["taskId"].as_str().unwrap();
        ids.insert("id of a task without a session".to_owned(), id.to_owned());
        let reaches = async |status: &str| {
            eventually(&format!("the task, {status}"), async || {
                let task = self.ask("tasks/get", id, json!({ "taskId": id })).await.unwrap();
                (task["status"] == status).then_some(task)
            })
            .await
        };
        let asked = reaches("input_required").await;
        let key = asked["inputRequests"].as_object().unwrap().keys().next().unwrap();
        let answered = |answer: Value| json!({ "taskId": id, "inputResponses": { key: answer } });
        _ = self.ask("tasks/update", id, answered(json!(ANSWER))).await;
        reaches("input_required").await;
        let content = json!({ "interpretation": "historical", "note": ANSWER });
        let answer = json!({ "action": "accept", "content": content });
        self.ask("tasks/update", id, answered(answer)).await.unwrap();
        let done = reaches("completed").await;
        assert!(done["result"].to_string().contains(ARGUMENT), "{done}");
        let foreign = json!({ "taskId": ARGUMENT });
        self.ask("tasks/get", ARGUMENT, foreign).await.unwrap_err();
    }
}
