//! Tools that say numbered things, so that whoever listens can tell what is missing, double or out of order. The fault
//! suite calls them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    call::{Answer, Call, Question, text_result, tool_error},
    inputs::{elicited, sampled_text},
};

/// Every so many events comes progress as well.
const PROGRESS_EVERY: u64 = 10;
const MOST_EVENTS: u64 = 100_000;
const LONGEST_PAUSE_MS: u64 = 10_000;
const KEY: &str = "go_on";

/// What a call says: `events` texts of `<key> <round> <run> <n> <events>`, `pause_ms` apart.
struct Plan {
    key: String,
    events: u64,
    pause: Duration,
}

pub fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "key": { "type": "string", "description": "Comes back in everything that is said" },
            "events": { "type": "integer", "description": "How many things to say" },
            "pause_ms": { "type": "integer", "description": "Milliseconds between two of them" },
        },
        "required": ["key", "events"],
    })
}

/// Says everything in one round.
pub async fn events(call: Call) -> Answer {
    match Plan::of(&call) {
        Ok(plan) => Ok(text_result(plan.run(&call, 1).await)),
        Err(answer) => answer,
    }
}

/// Says everything, asks, and says everything again.
pub async fn question(call: Call) -> Answer {
    let plan = match Plan::of(&call) {
        Ok(plan) => plan,
        Err(answer) => return answer,
    };
    let answer = call.inputs.get(KEY);
    if answer.and_then(elicited).is_some() || answer.and_then(sampled_text).is_some() {
        return Ok(text_result(plan.run(&call, 2).await));
    }
    plan.run(&call, 1).await;
    // Revisions before 2025-06-18 cannot ask the user.
    let question = if call.client.elicitation_form {
        let schema = json!({ "type": "object", "properties": { "on": { "type": "boolean" } } });
        Question::form(KEY, &plan.key, schema)
    } else {
        Question::sampling(KEY, &plan.key, 10)
    };
    call.ask(vec![question], [])
}

impl Plan {
    fn of(call: &Call) -> Result<Self, Answer> {
        let key = call.string_argument("key").map_err(Ok)?.to_owned();
        let number = |name: &str, most: u64| match call.arguments.get(name) {
            None => Ok(0),
            Some(value) => value.as_u64().filter(|number| *number <= most).ok_or_else(|| {
                let sentence = format!("Invalid arguments: `{name}` must be between 0 and {most}.");
                Ok(tool_error(&sentence))
            }),
        };
        Ok(Self {
            key,
            events: number("events", MOST_EVENTS)?,
            pause: Duration::from_millis(number("pause_ms", LONGEST_PAUSE_MS)?),
        })
    }

    /// One round; its last words name the run.
    async fn run(&self, call: &Call, round: u8) -> String {
        let Self { key, events, pause } = self;
        let run = uuid::Uuid::new_v4().simple().to_string();
        let run = &run[..16];
        // What a client cannot see: how often a tool ran.
        tracing::info!("run began: {key} {round} {run}");
        for n in 1..=*events {
            if n > 1 && !pause.is_zero() {
                sleep(*pause).await;
            }
            call.reporter
                .info(&format!("{key} {round} {run} {n} {events}"))
                .await;
            if n.is_multiple_of(PROGRESS_EVERY) {
                let done = n + events * u64::from(round - 1);
                call.reporter
                    .progress(done as f64, (events * 2) as f64, key)
                    .await;
            }
        }
        format!("{key} {round} {run}")
    }
}
