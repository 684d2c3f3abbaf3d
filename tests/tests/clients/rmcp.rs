//! The Rust SDK's client on the tour.

mod asking;
mod lists;
mod prompts;
mod resources;
mod tasks;
mod tools;
mod wires;

use anyhow::{Context, bail};
use rmcp::{
    ServiceError,
    model::{CallToolRequestParams, CallToolResult, ProtocolVersion},
    service::ClientLifecycleMode,
};
use serde::Serialize;
use serde_json::Value;
use system_tests::{
    Browser, Stack,
    rmcp_client::{Client, DEADLINE, Login, Person},
};
use tokio::time::timeout;

use super::script::{Era, Outcome, Report, Script, Step};

/// A client on its tour.
struct Visit<'a> {
    client: Client,
    person: Person,
    login: &'a Login,
    era: Era,
    stack: &'a Stack,
    /// What the person answers.
    answers: &'a Value,
}

/// The client cannot do a step.
#[derive(Debug)]
struct Unsupported(&'static str);

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Unsupported {}

pub async fn tour(script: &Script, mode: &str, stack: &Stack) -> Report {
    let era = script.modes[mode].era;
    let mut browser = Browser::of("rmcp").unwrap();
    let login = Login::new(&stack.url("/mcp"), &mut browser).await.unwrap();
    let person = Person::default();
    person.will_sample(script.person["sample"].as_str().unwrap());
    let client = login.open_in(lifecycle(mode), person.clone()).await.unwrap();
    let mut visit = Visit {
        client,
        person,
        login: &login,
        era,
        stack,
        answers: &script.person,
    };
    let mut report = Report::new();
    for step in script.steps(era) {
        visit.person.forget();
        let outcome = match visit.take(step).await {
            Ok(saw) => Outcome::Saw(saw),
            Err(error) => match error.downcast::<Unsupported>() {
                Ok(Unsupported(why)) => Outcome::Unsupported(why.to_owned()),
                Err(error) => Outcome::Failed(format!("{error:?}")),
            },
        };
        report.push((step.name.clone(), outcome));
    }
    report
}

fn lifecycle(mode: &str) -> ClientLifecycleMode {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    match mode {
        "modern" => ClientLifecycleMode::Discover { preferred_versions },
        "auto" => ClientLifecycleMode::Auto {
            preferred_versions,
            legacy_version: None,
        },
        _ => ClientLifecycleMode::Initialize,
    }
}

impl Visit<'_> {
    async fn take(&mut self, step: &Step) -> anyhow::Result<Value> {
        let with = &step.with;
        match step.name.as_str() {
            "connect" => self.connect().await,
            "discover" => self.discover(with).await,
            "ping" => self.ping().await,
            "list_tools" => self.list_tools(with).await,
            "call_text" => self.call_text(with).await,
            "call_image" => self.call_image(with).await,
            "call_structured" => self.call_structured(with).await,
            "call_error" => self.call_error(with).await,
            "progress" => self.progress(with).await,
            "logging" => self.logging(with).await,
            "sampling" => self.sampling(with).await,
            "elicitation_form" => self.elicitation_form(with).await,
            "elicitation_steps" => self.elicitation_steps(with).await,
            "elicitation_url" => self.elicitation_url(with).await,
            "roots" => self.roots(with).await,
            "mirrored_headers" => self.mirrored_headers(with).await,
            "tool_list_changes" => self.tool_list_changes(with).await,
            "prompt_list_changes" => self.prompt_list_changes(with).await,
            "list_resources" => self.list_resources(with).await,
            "read_resources" => self.read_resources(with).await,
            "resource_templates" => self.resource_templates(with).await,
            "resource_updates" => self.resource_updates(with).await,
            "prompts" => self.prompts(with).await,
            "completion" => self.completion(with).await,
            "cancellation" => self.cancellation(with).await,
            "resuming" => self.resuming(with).await,
            "task" => self.task(with).await,
            "goodbye" => self.goodbye().await,
            unknown => bail!("{unknown} is not known here"),
        }
    }

    /// A call as the script words it.
    async fn call(&self, call: &Value) -> anyhow::Result<CallToolResult> {
        Ok(in_time(self.client.call_tool(params(call)?)).await??)
    }

    async fn call_named(&self, name: &str, arguments: Value) -> anyhow::Result<CallToolResult> {
        self.call(&serde_json::json!({ "name": name, "arguments": arguments }))
            .await
    }
}

fn params(call: &Value) -> anyhow::Result<CallToolRequestParams> {
    serde_json::from_value(call.clone()).context("not a call")
}

fn texts(result: &CallToolResult) -> Vec<String> {
    let texts = result.content.iter().filter_map(|block| block.as_text());
    texts.map(|text| text.text.clone()).collect()
}

fn first_text(result: &CallToolResult) -> anyhow::Result<String> {
    texts(result).into_iter().next().context("no text")
}

/// The code of the JSON-RPC error that a request must end in.
fn code<T>(result: Result<T, ServiceError>) -> Option<i32> {
    match result {
        Err(ServiceError::McpError(error)) => Some(error.code.0),
        _ => None,
    }
}

/// Those of `wanted` that are there.
fn among(wanted: &Value, there: &[String]) -> Vec<Value> {
    let wanted = wanted.as_array().into_iter().flatten();
    wanted
        .filter(|name| there.iter().any(|there| *name == there))
        .cloned()
        .collect()
}

fn text<'a>(with: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    with[name].as_str().with_context(|| format!("no {name}"))
}

/// Progress is counted in whole steps here; the SDK keeps it as a float.
fn whole(number: &Value) -> u64 {
    number.as_f64().unwrap_or_default().round() as u64
}

fn json(value: &impl Serialize) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(value)?)
}

async fn in_time<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    timeout(DEADLINE, future).await.context("no answer in time")
}
