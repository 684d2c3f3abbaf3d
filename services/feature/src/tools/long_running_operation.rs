use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Definition, Hints, Tool};
use crate::{
    call::{Call, LogLevel},
    content::ToolResult,
    error::Error,
    outcome::Outcome,
};

pub struct LongRunningOperation;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Duration of the operation in seconds.
    #[schemars(title = "Duration", range(min = 0, max = 300))]
    #[serde(default = "default_duration")]
    duration: f64,
    /// Number of steps in the operation; progress is reported after each.
    #[schemars(title = "Steps", range(min = 1, max = 1000))]
    #[serde(default = "default_steps")]
    steps: u32,
}

fn default_duration() -> f64 {
    10.0
}

fn default_steps() -> u32 {
    5
}

#[async_trait]
impl Tool for LongRunningOperation {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "longRunningOperation",
            title: "Long Running Operation",
            description: "Takes its time, reports progress after every step, and can be cancelled.",
            pictograph: "⏳",
            hints: Hints::PURE,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, arguments: Arguments, call: &Call) -> Result<Outcome<ToolResult>, Error> {
        let Arguments { duration, steps } = arguments;
        let plan = json!({ "message": "operation started", "duration": duration, "steps": steps });
        call.events
            .log(LogLevel::Debug, "longRunningOperation", plan)
            .await;

        let step = Duration::from_secs_f64(duration / f64::from(steps));
        let started = tokio::time::Instant::now();
        for done in 1..=steps {
            // Counted from the start, so that timer granularity does not add up.
            tokio::time::sleep_until(started + step * done).await;
            let message = format!("Step {done} of {steps}");
            call.events
                .progress(f64::from(done), Some(f64::from(steps)), message)
                .await;
        }
        Ok(Outcome::Result(ToolResult::text(format!(
            "Long running operation completed. Duration: {duration} seconds, Steps: {steps}."
        ))))
    }
}
