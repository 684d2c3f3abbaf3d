use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Definition, Hints, Tool};
use crate::{
    call::Call,
    content::ToolResult,
    error::{Error, McpError},
    outcome::{InputRequest, InputRequired, Outcome},
};

pub struct ElicitInSteps;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// What the user is asked to plan.
    #[schemars(title = "Occasion", length(min = 1, max = 200))]
    #[serde(default = "default_occasion")]
    occasion: String,
}

fn default_occasion() -> String {
    "a dinner".to_owned()
}

/// What the steps so far brought. Travels in the call's state, so that any replica can take any step.
#[derive(Default, Serialize, Deserialize)]
struct Plan {
    #[serde(skip_serializing_if = "Option::is_none")]
    guests: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dish: Option<String>,
}

/// The questions, in turn; each depends on the answers before it.
#[derive(Clone, Copy)]
enum Step {
    Guests,
    Dish,
    Confirm,
}

const FEW_GUESTS: u64 = 4;
const MOST_GUESTS: u64 = 100;

impl Step {
    /// Stands for the question in the client's answers.
    fn key(self) -> &'static str {
        match self {
            Self::Guests => "guests",
            Self::Dish => "dish",
            Self::Confirm => "confirm",
        }
    }
}

impl Plan {
    fn read(state: &[u8]) -> Result<Self, McpError> {
        match state {
            [] => Ok(Self::default()),
            state => serde_json::from_slice(state)
                .map_err(|_| McpError::invalid_params("the state of the call is not this tool's")),
        }
    }

    fn step(&self) -> Step {
        match self {
            Self { guests: None, .. } => Step::Guests,
            Self { dish: None, .. } => Step::Dish,
            Self { .. } => Step::Confirm,
        }
    }

    fn dishes(&self) -> [&'static str; 3] {
        if self.guests <= Some(FEW_GUESTS) {
            ["risotto", "dumplings", "soup"]
        } else {
            ["curry", "chili", "lasagne"]
        }
    }

    fn question(&self, occasion: &str) -> Value {
        let (message, name, field) = match self.step() {
            Step::Guests => {
                let field =
                    json!({ "type": "integer", "title": "Guests", "minimum": 1, "maximum": MOST_GUESTS });
                (
                    format!("Step 1 of 3. How many guests come to {occasion}?"),
                    "guests",
                    field,
                )
            }
            Step::Dish => {
                let field = json!({ "type": "string", "title": "Dish", "enum": self.dishes() });
                let guests = self.guests.unwrap_or_default();
                (format!("Step 2 of 3. What is there for {guests}?"), "dish", field)
            }
            Step::Confirm => {
                let field = json!({ "type": "boolean", "title": "Agreed", "default": true });
                (
                    format!("Step 3 of 3. {} Agreed?", self.summary(occasion)),
                    "agreed",
                    field,
                )
            }
        };
        json!({
            "mode": "form",
            "message": message,
            "requestedSchema": { "type": "object", "properties": { name: field }, "required": [name] },
        })
    }

    fn summary(&self, occasion: &str) -> String {
        let dish = self.dish.as_deref().unwrap_or_default();
        let guests = self.guests.unwrap_or_default();
        format!("For {occasion}: {dish} for {guests}.")
    }

    /// Takes what the user filled in. Something else than was asked for leaves the plan as it is, and is asked again.
    /// The last step answers with the end of the call.
    fn take(&mut self, content: &Value, occasion: &str) -> Option<ToolResult> {
        match self.step() {
            Step::Guests => {
                self.guests = content["guests"]
                    .as_u64()
                    .filter(|guests| (1..=MOST_GUESTS).contains(guests));
                None
            }
            Step::Dish => {
                let dish = content["dish"].as_str();
                self.dish = dish
                    .filter(|dish| self.dishes().contains(dish))
                    .map(str::to_owned);
                None
            }
            Step::Confirm => match content["agreed"].as_bool()? {
                true => Some(ToolResult::text(format!("Planned. {}", self.summary(occasion)))),
                false => Some(ToolResult::text("The user did not agree to the plan.")),
            },
        }
    }
}

#[async_trait]
impl Tool for ElicitInSteps {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "elicitInSteps",
            title: "Elicit in Steps",
            description: "Asks the user three questions, one after the other, each of which depends on the answers before.",
            pictograph: "🪜",
            hints: Hints::ASKS,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(
        &self,
        Arguments { occasion }: Arguments,
        call: &Call,
    ) -> Result<Outcome<ToolResult>, Error> {
        let mut plan = Plan::read(&call.state)?;
        if let Some(answer) = call.inputs.get(plan.step().key()) {
            match answer["action"].as_str() {
                Some("accept") => {
                    if let Some(result) = plan.take(&answer["content"], &occasion) {
                        return Ok(Outcome::Result(result));
                    }
                }
                Some("decline") => {
                    return Ok(Outcome::Result(ToolResult::text("The user declined to plan.")));
                }
                _ => return Ok(Outcome::Result(ToolResult::text("The user cancelled the plan."))),
            }
        }
        if !call.caller.capabilities.elicitation_form {
            let required = json!({ "elicitation": { "form": {} } });
            return Err(McpError::missing_client_capability("elicitation.form", required).into());
        }
        let question = InputRequest::ElicitationForm(plan.question(&occasion));
        Ok(Outcome::InputRequired(InputRequired {
            requests: vec![(plan.step().key(), question)],
            state: serde_json::to_vec(&plan)?.into(),
        }))
    }
}
