//! MCP operations and sessions (semantic-conventions-genai, docs/gen-ai/mcp.md).

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry::{
    KeyValue,
    metrics::{Histogram, UpDownCounter},
};

use super::{Metrics, names};
use crate::conventions::{
    general::{CANCELLED, ERROR_TYPE, HTTP, NETWORK_PROTOCOL_NAME, NETWORK_TRANSPORT, TCP},
    mcp::{
        EXECUTE_TOOL, GEN_AI_OPERATION_NAME, GEN_AI_PROMPT_NAME, GEN_AI_TOOL_NAME, MCP_METHOD_NAME,
        MCP_PROTOCOL_VERSION, TOOL_ERROR,
    },
    rpc::RPC_RESPONSE_STATUS_CODE,
};

/// Names that get series of their own, tools and prompts each. Further ones are `_OTHER`.
const MAX_NAMES: usize = 256;
const OTHER: &str = "_OTHER";

/// Requests and notifications that clients send, in any revision. Whatever else they send is `_OTHER`.
const METHODS: [&str; 27] = [
    "initialize",
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "server/discover",
    "subscriptions/listen",
    "tasks/get",
    "tasks/result",
    "tasks/list",
    "tasks/update",
    "tasks/cancel",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/message",
    "notifications/elicitation/complete",
    "notifications/tasks/status",
];

/// What is measured of MCP. Cheap to clone.
#[derive(Clone)]
pub struct McpServerMetrics(Arc<Inner>);

struct Inner {
    enabled: bool,
    operation: Histogram<f64>,
    running: UpDownCounter<i64>,
    session: Histogram<f64>,
    tools: Names,
    prompts: Names,
}

/// Names that exist. A client may call anything any name; that a name exists is known from a call of it that succeeded.
#[derive(Default)]
struct Names(Mutex<HashSet<String>>);

/// What a request is about, for its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Tool(String),
    Prompt(String),
}

/// A request or notification that is being served. Dropped without an end, it was given up.
pub struct Operation {
    metrics: McpServerMetrics,
    started: Instant,
    method: &'static str,
    version: Option<&'static str>,
    target: Option<Target>,
    outcome: Outcome,
}

/// What an operation ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// A tool's result says `isError`.
    ToolError,
    /// A JSON-RPC error with this code.
    Error(i64),
    /// Something behind the edge failed; a word for what.
    Failed(&'static str),
    /// Nobody waits for the result any more.
    Cancelled,
}

impl fmt::Debug for McpServerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServerMetrics").finish_non_exhaustive()
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl McpServerMetrics {
    pub fn new(metrics: &Metrics) -> Self {
        Self(Arc::new(Inner {
            enabled: metrics.is_enabled(),
            running: metrics
                .meter()
                .i64_up_down_counter(names::CALLS_RUNNING.name)
                .with_unit(names::CALLS_RUNNING.unit)
                .with_description(names::CALLS_RUNNING.description)
                .build(),
            operation: metrics.seconds(names::MCP_OPERATION_DURATION, names::MCP_BUCKETS),
            session: metrics.seconds(names::MCP_SESSION_DURATION, names::MCP_BUCKETS),
            tools: Names::default(),
            prompts: Names::default(),
        }))
    }

    /// Whether somebody takes what is measured.
    pub fn is_enabled(&self) -> bool {
        self.0.enabled
    }

    /// `target` is the name of the tool or prompt that the request is about. None: nobody takes what would be measured.
    pub fn begin(&self, method: &str, target: Option<&str>) -> Option<Operation> {
        if !self.0.enabled {
            return None;
        }
        let known = METHODS.into_iter().find(|known| *known == method);
        let method_name = known.unwrap_or(OTHER);
        self.0
            .running
            .add(1, &[KeyValue::new(MCP_METHOD_NAME, method_name)]);
        Some(Operation {
            metrics: self.clone(),
            started: Instant::now(),
            method: method_name,
            version: None,
            target: target.and_then(|name| match method {
                "tools/call" => Some(Target::Tool(name.to_owned())),
                "prompts/get" => Some(Target::Prompt(name.to_owned())),
                _ => None,
            }),
            outcome: Outcome::Cancelled,
        })
    }

    /// `version` as negotiated; it must be one that is served here.
    pub fn session_ended(&self, version: &str, lasted: Duration) {
        let attributes = [
            KeyValue::new(MCP_PROTOCOL_VERSION, version.to_owned()),
            KeyValue::new(NETWORK_PROTOCOL_NAME, HTTP),
            KeyValue::new(NETWORK_TRANSPORT, TCP),
        ];
        self.0.session.record(lasted.as_secs_f64(), &attributes);
    }
}

impl Operation {
    /// `version` is a protocol revision that is served here.
    pub fn in_revision(&mut self, version: &'static str) {
        self.version = Some(version);
    }

    pub fn ended(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(8);
        attributes.push(KeyValue::new(MCP_METHOD_NAME, self.method));
        if let Some(version) = self.version {
            attributes.push(KeyValue::new(MCP_PROTOCOL_VERSION, version));
        }
        attributes.push(KeyValue::new(NETWORK_PROTOCOL_NAME, HTTP));
        attributes.push(KeyValue::new(NETWORK_TRANSPORT, TCP));
        let exists = matches!(self.outcome, Outcome::Success | Outcome::ToolError);
        match &self.target {
            Some(Target::Tool(name)) => {
                attributes.push(KeyValue::new(GEN_AI_OPERATION_NAME, EXECUTE_TOOL));
                attributes.push(KeyValue::new(
                    GEN_AI_TOOL_NAME,
                    self.metrics.0.tools.named(name, exists),
                ));
            }
            Some(Target::Prompt(name)) => attributes.push(KeyValue::new(
                GEN_AI_PROMPT_NAME,
                self.metrics.0.prompts.named(name, exists),
            )),
            None => {}
        }
        match self.outcome {
            Outcome::Success => {}
            Outcome::ToolError => attributes.push(KeyValue::new(ERROR_TYPE, TOOL_ERROR)),
            Outcome::Error(code) => {
                // Features of other makes may answer any number.
                let code = match code {
                    -32768..=-32000 => code.to_string(),
                    _ => OTHER.to_owned(),
                };
                attributes.push(KeyValue::new(ERROR_TYPE, code.clone()));
                attributes.push(KeyValue::new(RPC_RESPONSE_STATUS_CODE, code));
            }
            Outcome::Failed(what) => attributes.push(KeyValue::new(ERROR_TYPE, what)),
            Outcome::Cancelled => attributes.push(KeyValue::new(ERROR_TYPE, CANCELLED)),
        }
        attributes
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        let running = &self.metrics.0.running;
        running.add(-1, &[KeyValue::new(MCP_METHOD_NAME, self.method)]);
        self.metrics
            .0
            .operation
            .record(elapsed.as_secs_f64(), &self.attributes());
    }
}

impl Names {
    fn named(&self, name: &str, exists: bool) -> String {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(name) {
            if !exists || known.len() >= MAX_NAMES || name.len() > 128 {
                return OTHER.to_owned();
            }
            known.insert(name.to_owned());
        }
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of(outcomes: &[(&str, Outcome)]) -> Vec<String> {
        let metrics = McpServerMetrics::new(&Metrics::of(
            &opentelemetry_sdk::metrics::SdkMeterProvider::default(),
        ));
        let name = |(tool, outcome): &(&str, Outcome)| {
            let mut operation = metrics.begin("tools/call", Some(tool)).unwrap();
            operation.outcome = *outcome;
            let attributes = operation.attributes();
            let name = attributes
                .iter()
                .find(|known| known.key.as_str() == "gen_ai.tool.name");
            name.unwrap().value.to_string()
        };
        outcomes.iter().map(name).collect()
    }

    #[test]
    fn names_that_clients_make_up_have_no_series() {
        let names = names_of(&[
            ("made up", Outcome::Error(-32602)),
            ("echo", Outcome::Success),
            ("echo", Outcome::Error(-32602)),
            ("made up", Outcome::Cancelled),
            ("fails", Outcome::ToolError),
        ]);
        assert_eq!(names, ["_OTHER", "echo", "echo", "_OTHER", "fails"]);
    }

    #[test]
    fn however_many_names_there_are_the_series_are_few() {
        let names: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let calls: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), Outcome::Success))
            .collect();
        let seen: HashSet<String> = names_of(&calls).into_iter().collect();
        assert_eq!(seen.len(), MAX_NAMES + 1);
    }

    #[test]
    fn nobody_pays_for_what_nobody_takes() {
        let metrics = McpServerMetrics::new(&Metrics::none());
        assert!(metrics.begin("ping", None).is_none());
    }
}
