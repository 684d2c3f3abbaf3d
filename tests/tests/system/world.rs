//! What the scenarios have in common: a stack with two edges and one user who is logged in.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{
    Browser, Builder, Stack,
    client::{LegacyClient, McpClient},
};
use tokio::time::{Instant, sleep};

/// The newest revision with sessions.
pub const NEWEST: &str = "2025-11-25";
/// How long anything may take that a test polls for.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Declares each scenario twice: with everything in memory, and on Redis with two replicas of each service.
macro_rules! on_both_stores {
    ($($scenario:ident),* $(,)?) => {
        mod in_memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    super::$scenario($crate::system::world::World::in_memory().await).await;
                }
            )*
        }
        mod on_redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    super::$scenario($crate::system::world::World::on_redis().await).await;
                }
            )*
        }
    };
}
pub(crate) use on_both_stores;

pub struct World {
    pub stack: Stack,
    /// Alice's access token.
    pub token: String,
}

impl World {
    pub async fn in_memory() -> Self {
        Self::of(Stack::builder().in_process().edges(2)).await
    }

    pub async fn on_redis() -> Self {
        Self::of(Stack::builder().in_process().redis().edges(2).replicas(2)).await
    }

    /// Two `everything` processes on one Redis, with these settings.
    pub async fn two_processes(settings: &[(&str, &str)]) -> Self {
        Self::of(with(Stack::builder().all_in_one().redis().edges(2), settings)).await
    }

    /// One `everything` process on its own, with these settings.
    pub async fn one_process(settings: &[(&str, &str)]) -> Self {
        Self::of(with(Stack::builder().all_in_one(), settings)).await
    }

    pub async fn of(builder: Builder) -> Self {
        let stack = builder.start().await.unwrap();
        let mut world = Self {
            stack,
            token: String::new(),
        };
        world.token = world.log_in("alice").await;
        world
    }

    /// The access token of another user, or of another login.
    pub async fn log_in(&self, user: &str) -> String {
        let mut browser = Browser::of(user).unwrap();
        browser
            .log_in(&self.stack.url("/mcp"))
            .await
            .unwrap()
            .access_token
    }

    pub fn edge(&self, edge: usize) -> String {
        self.stack.edge_url(edge, "/mcp")
    }

    pub fn legacy_edge(&self, edge: usize) -> String {
        self.stack.edge_url(edge, "/sse")
    }

    /// A session of Alice's, begun at edge 0, whose client can do nothing special.
    pub async fn client(&self) -> McpClient {
        self.client_of(NEWEST, json!({})).await
    }

    /// A session of Alice's, begun at edge 0.
    pub async fn client_of(&self, revision: &str, capabilities: Value) -> McpClient {
        McpClient::connect(&self.edge(0), revision, capabilities, Some(&self.token))
            .await
            .unwrap()
    }

    /// The same session through the other edge.
    pub fn elsewhere(&self, client: &McpClient) -> McpClient {
        client.at(&self.edge(1))
    }

    pub async fn legacy(&self, capabilities: Value) -> LegacyClient {
        LegacyClient::connect(&self.legacy_edge(0), capabilities, Some(&self.token))
            .await
            .unwrap()
    }

    /// All keys of a session in Redis.
    pub async fn keys_of(&self, session_id: &str) -> Vec<String> {
        let mut keys: Vec<String> = self
            .stack
            .redis()
            .unwrap()
            .command(&["KEYS", &format!("*{session_id}*")])
            .await;
        keys.sort();
        keys
    }
}

fn with(builder: Builder, settings: &[(&str, &str)]) -> Builder {
    settings
        .iter()
        .fold(builder, |builder, (name, value)| builder.setting(name, value))
}

/// `tools/call` of `longRunningOperation` that asks for progress.
pub fn long_running(duration_s: f64, steps: u32) -> Value {
    json!({
        "name": "longRunningOperation",
        "arguments": {"duration": duration_s, "steps": steps},
        "_meta": {"progressToken": "progress"},
    })
}

/// `tools/call` of `echo`.
pub fn echo(message: &str) -> Value {
    json!({"name": "echo", "arguments": {"message": message}})
}

/// The text of a tool's first content block.
pub fn text(result: &Value) -> &str {
    result["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text in {result}"))
}

/// The numbers of all progress notifications among these messages.
pub fn progress(messages: &[Value]) -> Vec<u64> {
    messages
        .iter()
        .filter(|message| message["method"] == "notifications/progress")
        .map(|message| message["params"]["progress"].as_f64().unwrap() as u64)
        .collect()
}

/// Asks again until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
