use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Definition, Hints, TaskSupport, Tool};
use crate::{
    call::Call,
    content::ToolResult,
    error::{Error, McpError},
    outcome::{InputRequest, InputRequired, Outcome},
};

pub struct SimulateResearchQuery;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// What is to be researched.
    #[schemars(title = "Topic", length(min = 1, max = 200))]
    topic: String,
    /// Whether the topic can be understood in several ways. Then the user is asked midway which one is meant, if the
    /// client can ask.
    #[schemars(title = "Ambiguous")]
    #[serde(default)]
    ambiguous: bool,
    /// How long the research takes in all, in seconds, without the wait for the user.
    #[schemars(title = "Duration", range(min = 0, max = 300))]
    #[serde(default = "default_duration")]
    duration: f64,
}

fn default_duration() -> f64 {
    4.0
}

const STAGES: [&str; 4] = [
    "Gathering sources",
    "Analyzing content",
    "Synthesizing findings",
    "Writing the report",
];
/// Stages that are over when it turns out what is not clear.
const BEFORE_QUESTION: usize = 2;
const QUESTION: &str = "interpretation";
const INTERPRETATIONS: [&str; 3] = ["technical", "historical", "popular"];

/// What the rounds before have done. Travels in the call's state, so that any replica can go on.
#[derive(Default, Serialize, Deserialize)]
struct Done {
    stages: usize,
}

/// What came of the question.
enum Reading {
    Meant(String),
    /// The user does not say, or cannot be asked.
    Open,
    Cancelled,
}

impl Done {
    fn read(state: &[u8]) -> Result<Self, McpError> {
        match state {
            [] => Ok(Self::default()),
            state => serde_json::from_slice(state)
                .map_err(|_| McpError::invalid_params("the state of the call is not this tool's")),
        }
    }
}

impl Reading {
    fn of(answer: &Value) -> Self {
        match answer["action"].as_str() {
            Some("accept") => match answer["content"][QUESTION].as_str() {
                Some(meant) => Self::Meant(meant.to_owned()),
                None => Self::Open,
            },
            Some("decline") => Self::Open,
            _ => Self::Cancelled,
        }
    }
}

fn question(topic: &str) -> Value {
    let field = json!({ "type": "string", "title": "Interpretation", "enum": INTERPRETATIONS });
    json!({
        "mode": "form",
        "message": format!("\"{topic}\" can be understood in several ways. Which one is meant?"),
        "requestedSchema": { "type": "object", "properties": { QUESTION: field }, "required": [QUESTION] },
    })
}

fn report(topic: &str, reading: &Reading) -> ToolResult {
    let subject = match reading {
        Reading::Meant(meant) => format!("{topic} ({meant})"),
        Reading::Open | Reading::Cancelled => topic.to_owned(),
    };
    let mut text = format!("# Research report: {subject}\n");
    for (number, stage) in STAGES.iter().enumerate() {
        text.push_str(&format!("\n{}. {stage}: done", number + 1));
    }
    text.push_str("\n\nNothing was looked up: this is a simulation.");
    ToolResult::text(text)
}

#[async_trait]
impl Tool for SimulateResearchQuery {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "simulateResearchQuery",
            title: "Simulate Research Query",
            description: "Pretends to research a topic in four stages, and asks the user midway if the topic is ambiguous. \
                          Can run as a task.",
            pictograph: "🔬",
            hints: Hints::ASKS,
            output_schema: None,
            meta: None,
        }
    }

    fn task_support(&self) -> TaskSupport {
        TaskSupport::Optional
    }

    async fn call(&self, arguments: Arguments, call: &Call) -> Result<Outcome<ToolResult>, Error> {
        let Arguments {
            topic,
            ambiguous,
            duration,
        } = arguments;
        let done = Done::read(&call.state)?;
        let reading = call.inputs.get(QUESTION).map_or(Reading::Open, Reading::of);
        if matches!(reading, Reading::Cancelled) {
            return Ok(Outcome::Result(ToolResult::text(
                "The user cancelled the research.",
            )));
        }
        let stage_time = Duration::from_secs_f64(duration / STAGES.len() as f64);
        let started = Instant::now();
        for (number, stage) in STAGES.iter().enumerate().skip(done.stages) {
            let is_unclear = ambiguous && number == BEFORE_QUESTION && done.stages < BEFORE_QUESTION;
            if is_unclear && call.caller.capabilities.elicitation_form {
                let asked = InputRequest::ElicitationForm(question(&topic));
                let done = Done { stages: number };
                return Ok(Outcome::InputRequired(InputRequired {
                    requests: vec![(QUESTION, asked)],
                    state: serde_json::to_vec(&done)?.into(),
                }));
            }
            let over = u32::try_from(number + 1 - done.stages).unwrap_or(u32::MAX);
            // Counted from the start, so that timer granularity does not add up.
            tokio::time::sleep_until(started + stage_time * over).await;
            let total = STAGES.len() as f64;
            call.events
                .progress((number + 1) as f64, Some(total), format!("{stage}: done"))
                .await;
        }
        Ok(Outcome::Result(report(&topic, &reading)))
    }
}
