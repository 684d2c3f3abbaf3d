//! Clients of 2026-07-28: no session, each request on its own, rounds instead of questions, and changes by listening.

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    http::{Answer, Http, answer},
    member::{Manner, Member},
    message,
};
use crate::chaos::history::{Content, Outcome, What, Wire};

const PATH: &str = "/mcp";
const VERSION: &str = "2026-07-28";
/// The stream on which a client listens. Its events have no ids: what is missed is not made up for.
const PREFIX: &str = "io.modelcontextprotocol/";

pub(super) async fn live(mut member: Member) {
    let Ok(http) = member.http() else { return };
    while member.goes_on() {
        member.new_session();
        member.began(Wire::Stateless, "");
        while member.goes_on() && member.calls < member.shared.load.calls_per_session {
            if member.client.is_multiple_of(4) && member.calls % 4 == 3 {
                listen(&mut member, &http).await;
            } else {
                call(&mut member, &http).await;
            }
            member.think().await;
        }
        member.leaving();
    }
    member.is_done();
}

/// All rounds of one call.
async fn call(member: &mut Member, http: &Http) {
    let plan = member.plan();
    let call = plan.call;
    let mut request = member.request(&plan);
    with_meta(&mut request["params"]);
    let mut backoff = Member::backoff();
    loop {
        let message = match send(http, &request).await {
            Answer::Json(message) => Some(message),
            Answer::Stream(mut stream) => {
                let mut last = None;
                let mut seen = 0;
                while let Some(event) = stream.next().await {
                    let (content, message) = member.content(&event.data);
                    member.event(call, event.id.as_deref(), content);
                    seen += 1;
                    if content == (Content::Answer { call }) {
                        last = Some(message);
                        break;
                    }
                    if plan.manner == Manner::Vanishes && seen > plan.expects.events / 2 {
                        // Hanging up cancels the call.
                        return member.write(What::Vanished { call });
                    }
                }
                last
            }
            // A clock that was moved makes a `requestState` too old, and the client is told so.
            Answer::Status(400) if request["params"]["requestState"].is_string() => {
                let outcome = Outcome::Error { code: -32602 };
                return member.write(What::Outcome { call, outcome });
            }
            Answer::Status(status) => return member.refused(call, status),
            Answer::Broken => None,
        };
        let Some(message) = message else {
            // A round that went wrong may be sent again: nothing is kept of it. But whether its tool ran is unknown, and
            // this revision resumes nothing.
            return member.write(What::Unknown { call });
        };
        let result = &message["result"];
        if result["resultType"] != "input_required" {
            return member.outcome(call, &message);
        }
        let Some(asked) = result["inputRequests"].as_object() else {
            return member.write(What::Strange { call, status: 200 });
        };
        let answers: serde_json::Map<_, _> = asked
            .keys()
            .map(|key| {
                (
                    key.clone(),
                    json!({ "action": "accept", "content": { "on": true } }),
                )
            })
            .collect();
        request["params"]["inputResponses"] = Value::Object(answers);
        request["params"]["requestState"] = result["requestState"].clone();
        if Instant::now() > plan.deadline {
            return member.write(What::Hung { call });
        }
        backoff.wait().await;
    }
}

/// Listens for changes for about as long as a call takes.
async fn listen(member: &mut Member, http: &Http) {
    member.calls += 1;
    let call = member.calls;
    let mut params = json!({ "notifications": { "toolsListChanged": true } });
    with_meta(&mut params);
    let id = message::key(member.session, call);
    let request = json!({ "jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params });
    let Answer::Stream(mut stream) = send(http, &request).await else {
        return;
    };
    let until = Instant::now() + member.shared.load.think * 3;
    while let Ok(Some(event)) = tokio::time::timeout_at(until, stream.next()).await {
        let (content, _) = member.content(&event.data);
        if matches!(content, Content::Foreign { .. }) {
            member.event(call, event.id.as_deref(), content);
        }
    }
}

/// A change of which everybody hears.
pub(super) async fn trumpet(member: Member) -> anyhow::Result<()> {
    let http = member.http()?;
    let mut params = json!({ "name": "test_trigger_tool_change", "arguments": {} });
    with_meta(&mut params);
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    member.write(What::Trumpet);
    match send(&http, &request).await {
        Answer::Json(message) if message["result"]["isError"] != true && message.get("error").is_none() => {
            Ok(())
        }
        Answer::Json(message) => anyhow::bail!("a change could not be made: {message}"),
        Answer::Status(status) => anyhow::bail!("a change could not be made: {status}"),
        Answer::Stream(_) | Answer::Broken => anyhow::bail!("a change could not be made"),
    }
}

async fn send(http: &Http, request: &Value) -> Answer {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut sent = http
        .request(Method::POST, PATH)
        .header("mcp-protocol-version", VERSION)
        .header("mcp-method", text(&request["method"]));
    if request["params"]["name"].is_string() {
        sent = sent.header("mcp-name", text(&request["params"]["name"]));
    }
    answer(sent.json(request)).await
}

fn with_meta(params: &mut Value) {
    for (name, value) in [
        ("protocolVersion", json!(VERSION)),
        ("clientInfo", json!({ "name": "chaos", "version": "1" })),
        (
            "clientCapabilities",
            json!({ "elicitation": { "form": {} }, "sampling": {} }),
        ),
        ("logLevel", json!("debug")),
    ] {
        params["_meta"][format!("{PREFIX}{name}")] = value;
    }
}
