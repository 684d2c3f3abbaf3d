//! One session, and short words for what a tour does in it.

use rmcp::{
    ErrorData, ServiceError,
    model::{CallToolRequestParams, object},
};
use serde::Serialize;
use serde_json::Value;
use system_tests::{
    Stack,
    rmcp_client::{Client, DEADLINE, Login, Person},
};
use tokio::time::timeout;

pub struct Visit {
    pub client: Client,
    pub person: Person,
}

/// Shows what the processes logged, where a test fails.
pub struct ShowLogs<'a>(pub &'a Stack);

impl Visit {
    pub async fn begin(login: &Login) -> Self {
        let person = Person::default();
        let client = login.open(person.clone()).await.unwrap();
        Self { client, person }
    }

    /// The result of a tool, as the SDK understood it.
    pub async fn call(&self, tool: &'static str, arguments: Value) -> Value {
        json(&self.try_call(tool, arguments).await.unwrap())
    }

    pub async fn try_call(
        &self,
        tool: &'static str,
        arguments: Value,
    ) -> Result<rmcp::model::CallToolResult, ServiceError> {
        let params = CallToolRequestParams::new(tool).with_arguments(object(arguments));
        in_time(self.client.call_tool(params)).await
    }
}

pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("no answer in time")
}

pub fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

/// The text of the n-th content block.
pub fn text(result: &Value, index: usize) -> &str {
    result["content"][index]["text"].as_str().unwrap()
}

/// The JSON-RPC error that a request must end in.
pub fn error<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> ErrorData {
    match result {
        Err(ServiceError::McpError(error)) => error,
        other => panic!("not a JSON-RPC error: {other:?}"),
    }
}

impl Drop for ShowLogs<'_> {
    #[allow(clippy::print_stderr, reason = "it is for whoever reads the failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.logs());
        }
    }
}
