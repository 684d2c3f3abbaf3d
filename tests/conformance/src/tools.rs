//! The tools, in the order that tools/list shows. Adding one is a function in its group's file and a line here.

mod changes;
mod content;
mod elicitation;
mod headers;
mod hold;
mod input_required;
mod json_schema;
mod numbered;
mod reporting;
mod sampling;
mod tasks;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Failure};

/// Whether a call can be a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tasks {
    Never,
    Optional,
    Required,
    /// Required, once what it asks first is answered.
    RequiredWithAnswers,
}

type Run = fn(Call) -> BoxFuture<'static, Answer>;

/// A fixture tool.
pub struct Tool {
    pub name: &'static str,
    pub description: &'static str,
    pub input_schema: Value,
    /// Running it again with the same arguments changes nothing.
    pub read_only: bool,
    pub tasks: Tasks,
    run: Run,
}

/// All tools. The first accepts empty arguments: the suite's header checks call it with `{}`.
pub struct Tools(Vec<Tool>);

impl Tools {
    pub fn new() -> Self {
        let mut tools = plain_tools();
        tools.extend(asking_tools());
        tools.extend(task_tools());
        tools.extend(numbered_tools());
        Self(tools)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Tool> {
        self.0.iter()
    }

    pub async fn call(&self, name: &str, call: Call) -> Answer {
        match self.0.iter().find(|tool| tool.name == name) {
            Some(tool) => (tool.run)(call).await,
            None => Err(Failure::invalid_params(format!("unknown tool: {name}"))),
        }
    }
}

impl Default for Tools {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! tool {
    ($name:literal, $description:literal, $schema:expr, $run:path) => {
        Tool {
            name: $name,
            description: $description,
            input_schema: $schema,
            read_only: true,
            tasks: Tasks::Never,
            run: |call| Box::pin($run(call)),
        }
    };
}

#[rustfmt::skip]
fn plain_tools() -> Vec<Tool> {
    vec![
        tool!("test_simple_text", "Returns one text.", no_arguments(), content::simple_text),
        tool!("test_image_content", "Returns a PNG image.", no_arguments(), content::image),
        tool!("test_audio_content", "Returns a WAV sound.", no_arguments(), content::audio),
        tool!("test_embedded_resource", "Returns a resource inside the result.", no_arguments(), content::embedded_resource),
        tool!("test_multiple_content_types", "Returns text, an image and a resource.", no_arguments(), content::multiple),
        tool!("test_error_handling", "Always answers with a tool error.", no_arguments(), content::error),
        tool!("test_tool_with_logging", "Logs three messages while it runs.", no_arguments(), reporting::with_logging),
        tool!("test_tool_with_progress", "Reports progress while it runs.", no_arguments(), reporting::with_progress),
        tool!("test_logging_tool", "Logs while it runs, for those who asked for logs.", no_arguments(), reporting::logging_tool),
        tool!("test_reconnection", "Takes long enough for its stream to be dropped and resumed.", no_arguments(), reporting::reconnection),
        tool!("json_schema_2020_12_tool", "Takes arguments described with JSON Schema 2020-12.", json_schema::input_schema(), json_schema::run),
        tool!("greet", "Greets somebody by name.", strings(&[("name", "Who to greet")]), content::greet),
        tool!("test_custom_header", "Takes an argument that clients mirror in a header.", headers::input_schema(), headers::run),
        Tool { read_only: false, ..tool!("test_trigger_tool_change", "Says that the list of tools changed.", no_arguments(), changes::tools) },
        Tool { read_only: false, ..tool!("test_trigger_prompt_change", "Says that the list of prompts changed.", no_arguments(), changes::prompts) },
    ]
}

#[rustfmt::skip]
fn asking_tools() -> Vec<Tool> {
    vec![
        tool!("test_sampling", "Has the client's model answer a prompt.", strings(&[("prompt", "The prompt to send to the LLM")]), sampling::sampling),
        tool!("test_missing_capability", "Cannot run without the client's sampling capability.", no_arguments(), sampling::missing_capability),
        tool!("test_elicitation", "Asks the user for a name and an address.", strings(&[("message", "The message to show the user")]), elicitation::elicitation),
        tool!("test_elicitation_sep1034_defaults", "Asks with a default for every kind of field.", no_arguments(), elicitation::defaults),
        tool!("test_elicitation_sep1330_enums", "Asks with every kind of choice.", no_arguments(), elicitation::enums),
        tool!("test_streaming_elicitation", "Asks for a confirmation.", no_arguments(), elicitation::streaming),
        tool!("test_input_required_result_elicitation", "Asks for a name.", no_arguments(), input_required::elicitation),
        tool!("test_input_required_result_sampling", "Asks the model a question.", no_arguments(), input_required::sampling),
        tool!("test_input_required_result_list_roots", "Asks for the client's roots.", no_arguments(), input_required::list_roots),
        tool!("test_input_required_result_request_state", "Asks, and checks its own state on return.", no_arguments(), input_required::request_state),
        tool!("test_input_required_result_multiple_inputs", "Asks three questions at once.", no_arguments(), input_required::multiple_inputs),
        tool!("test_input_required_result_multi_round", "Asks twice, one question after the other.", no_arguments(), input_required::multi_round),
        tool!("test_input_required_result_tampered_state", "Asks, and trusts only unchanged state.", no_arguments(), input_required::tampered_state),
        tool!("test_input_required_result_capabilities", "Asks only what the client declared.", no_arguments(), input_required::capabilities),
    ]
}

#[rustfmt::skip]
fn task_tools() -> Vec<Tool> {
    vec![
        Tool { tasks: Tasks::Optional, ..tool!("slow_compute", "Takes as long as it is told to.", tasks::slow_compute_schema(), tasks::slow_compute) },
        Tool { tasks: Tasks::Required, ..tool!("failing_job", "Ends with a tool error.", no_arguments(), tasks::failing_job) },
        Tool { tasks: Tasks::Optional, ..tool!("protocol_error_job", "Ends with a JSON-RPC error.", no_arguments(), tasks::protocol_error_job) },
        Tool { tasks: Tasks::Optional, ..tool!("confirm_delete", "Asks before it pretends to delete a file.", strings(&[("filename", "What to delete")]), tasks::confirm_delete) },
        Tool { tasks: Tasks::Optional, ..tool!("hold", "Runs until it is stopped, and shows it.", hold::schema(), hold::run) },
        Tool { tasks: Tasks::Optional, ..tool!("multi_input", "Asks two questions at once.", no_arguments(), tasks::multi_input) },
        Tool { tasks: Tasks::RequiredWithAnswers, ..tool!("test_tool_with_task", "Asks for a name, then works on.", no_arguments(), tasks::with_task) },
    ]
}

#[rustfmt::skip]
fn numbered_tools() -> Vec<Tool> {
    vec![
        tool!("numbered_events", "Says numbered things.", numbered::schema(), numbered::events),
        Tool { read_only: false, ..tool!("numbered_events_once", "Says numbered things, and must not run twice.", numbered::schema(), numbered::events) },
        tool!("numbered_question", "Says numbered things, asks, and says more.", numbered::schema(), numbered::question),
        Tool { read_only: false, ..tool!("numbered_question_once", "The same, and must not run twice.", numbered::schema(), numbered::question) },
    ]
}

fn no_arguments() -> Value {
    json!({ "type": "object", "properties": {} })
}

/// An object schema of required strings: name and description.
fn strings(properties: &[(&str, &str)]) -> Value {
    let names: Vec<_> = properties.iter().map(|(name, _)| *name).collect();
    let properties: serde_json::Map<_, _> = properties
        .iter()
        .map(|(name, description)| {
            (
                (*name).to_owned(),
                json!({ "type": "string", "description": description }),
            )
        })
        .collect();
    json!({ "type": "object", "properties": properties, "required": names })
}
