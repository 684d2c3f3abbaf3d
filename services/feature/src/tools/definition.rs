use std::marker::PhantomData;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    call::Call,
    content::ToolResult,
    error::Error,
    outcome::Outcome,
    schema::{self, BadSchema, Checker},
};

/// A tool: what clients are told about it, and what it does.
#[async_trait]
pub trait Tool: Send + Sync + 'static {
    /// The input schema is generated from this type.
    type Arguments: DeserializeOwned + JsonSchema + Send;

    fn definition(&self) -> Definition;

    /// Whether a call may outlive the request that makes it.
    fn task_support(&self) -> TaskSupport {
        TaskSupport::Forbidden
    }

    /// One round. Must hold nothing between rounds: the next one may run on another replica. Dropping the future
    /// cancels the work.
    async fn call(&self, arguments: Self::Arguments, call: &Call) -> Result<Outcome<ToolResult>, Error>;
}

/// What clients are told about a tool.
#[derive(Clone, Debug)]
pub struct Definition {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub pictograph: &'static str,
    pub hints: Hints,
    pub output_schema: Option<Value>,
    /// The `_meta` object.
    pub meta: Option<Value>,
}

/// MCP's tool annotations. They must be true: clients act on them, and a read-only or idempotent tool is run again
/// when the process that ran it died.
#[derive(Clone, Copy, Debug)]
pub struct Hints {
    pub read_only: bool,
    pub destructive: bool,
    pub idempotent: bool,
    pub open_world: bool,
}

/// How a tool may be called where clients know tasks. Elsewhere every tool is called plainly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskSupport {
    Forbidden,
    Optional,
}

/// A tool in the table, with its schemas.
pub struct Entry {
    pub definition: Definition,
    pub task_support: TaskSupport,
    pub input_schema: Value,
    checker: Checker,
    tool: Box<dyn AnyTool>,
}

/// A tool whose argument type is hidden.
#[async_trait]
trait AnyTool: Send + Sync {
    async fn call(&self, arguments: Value, call: &Call) -> Result<Outcome<ToolResult>, Error>;
}

struct Typed<T: Tool>(T, PhantomData<fn(T::Arguments)>);

impl Hints {
    /// Computes an answer from its arguments and changes nothing.
    pub const PURE: Self = Self {
        read_only: true,
        destructive: false,
        idempotent: true,
        open_world: false,
    };
    /// Changes nothing, and asks the client's user or model, whose answer may differ each time.
    pub const ASKS: Self = Self {
        read_only: true,
        destructive: false,
        idempotent: false,
        open_world: true,
    };
    /// Adds something new with every call, inside this server.
    pub const ADDS: Self = Self {
        read_only: false,
        destructive: false,
        idempotent: false,
        open_world: false,
    };
    /// Sets something inside this server, which the same call sets only once.
    pub const SETS: Self = Self {
        read_only: false,
        destructive: false,
        idempotent: true,
        open_world: false,
    };
}

impl Entry {
    pub fn new<T: Tool>(tool: T) -> Result<Self, BadSchema> {
        let definition = tool.definition();
        let input_schema = schema::input::<T::Arguments>();
        let checker = Checker::compile(definition.name, &input_schema)?;
        if let Some(output_schema) = &definition.output_schema {
            Checker::compile(definition.name, output_schema)?;
        }
        Ok(Self {
            definition,
            task_support: tool.task_support(),
            input_schema,
            checker,
            tool: Box::new(Typed(tool, PhantomData)),
        })
    }

    pub(super) async fn call(&self, arguments: Value, call: &Call) -> Result<Outcome<ToolResult>, Error> {
        let problems = self.checker.violations(&arguments);
        if !problems.is_empty() {
            return Ok(Outcome::Result(invalid_arguments(
                self.definition.name,
                &problems,
            )));
        }
        self.tool.call(arguments, call).await
    }
}

#[async_trait]
impl<T: Tool> AnyTool for Typed<T> {
    async fn call(&self, mut arguments: Value, call: &Call) -> Result<Outcome<ToolResult>, Error> {
        schema::normalize_integers(&mut arguments);
        match serde_json::from_value(arguments) {
            Ok(arguments) => self.0.call(arguments, call).await,
            // The schema is generated from the type, so what passes the one is refused by the other only at the edges
            // of number ranges.
            Err(error) => Ok(Outcome::Result(invalid_arguments(
                self.0.definition().name,
                &[error.to_string()],
            ))),
        }
    }
}

/// A tool error, not a protocol error: the model sees it and can correct itself.
pub(super) fn invalid_arguments(tool: &str, problems: &[String]) -> ToolResult {
    let mut text = format!("Invalid arguments for tool {tool}:");
    for problem in problems {
        text.push_str("\n- ");
        text.push_str(problem);
    }
    ToolResult::error(text)
}
