//! Two edges and two replicas of the session service, as processes, over a feature service of the test's own.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Value, json};
use system_tests::{
    Stack,
    client::{Event, McpClient, SseStream},
};

use super::feature::{Replica, Runs};

pub const NEWEST: &str = "2025-11-25";
/// What a client is told whose call cannot be run again.
pub const LOST: &str = "send it again if that is safe";
/// How long a call may take that is interrupted, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub stack: Stack,
    pub runs: Arc<Runs>,
    pub features: Vec<Option<Replica>>,
    paths: [PathBuf; 2],
    _sockets: Sockets,
}

/// Where the replicas of the feature service listen. Gone with the world.
struct Sockets(PathBuf);

impl World {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let sockets = Sockets::create();
        let runs = Arc::<Runs>::default();
        let paths = [0, 1].map(|replica| sockets.0.join(format!("slow-{replica}.sock")));
        let mut features = Vec::new();
        for path in &paths {
            features.push(Some(Replica::start(path, &runs).await));
        }
        let urls: Vec<String> = paths
            .iter()
            .map(|path| format!("unix:{}", path.display()))
            .collect();
        let mut builder = Stack::builder()
            .processes()
            .redis()
            .edges(2)
            .replicas(2)
            .auth_disabled()
            .setting("FEATURE_URL", &urls.join(","))
            .setting("SESSION_HEARTBEAT_MS", "200")
            .setting("SESSION_EDGE_GRACE_MS", "400");
        for (name, value) in settings {
            builder = builder.setting(name, value);
        }
        Self {
            stack: builder.start().await.unwrap(),
            runs,
            features,
            paths,
            _sockets: sockets,
        }
    }

    pub async fn restart_feature(&mut self, replica: usize) {
        self.features[replica] = Some(Replica::start(&self.paths[replica], &self.runs).await);
    }

    pub fn edge(&self, edge: usize) -> String {
        self.stack.edge_url(edge, "/mcp")
    }

    /// A session, begun at edge 0.
    pub async fn client(&self) -> McpClient {
        self.client_of(NEWEST).await
    }

    pub async fn client_of(&self, revision: &str) -> McpClient {
        McpClient::connect(&self.edge(0), revision, json!({}), None)
            .await
            .unwrap()
    }

    /// The same session through the other edge.
    pub fn elsewhere(&self, client: &McpClient) -> McpClient {
        client.at(&self.edge(1))
    }

    /// The stream from there on, at the other edge, after the event that says where it begins.
    pub async fn resume(&self, client: &McpClient, cursor: &str) -> SseStream {
        let mut stream = self
            .elsewhere(client)
            .get(Some(cursor))
            .await
            .unwrap()
            .with_deadline(PATIENCE);
        let first = stream.next().await.expect("a first event");
        assert!(first.data.is_empty(), "{first:?}");
        stream
    }
}

impl Sockets {
    fn create() -> Self {
        let path = std::env::temp_dir().join(format!("slow-{}", uuid()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Short and not used twice.
fn uuid() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:x}", RandomState::new().hash_one(std::process::id()))
}

/// `tools/call` of a slow tool.
pub fn slow(tool: &str, steps: u64, pause_ms: u64) -> Value {
    json!({
        "name": tool,
        "arguments": { "steps": steps, "pause_ms": pause_ms },
        "_meta": { "progressToken": "token" },
    })
}

/// Reads until this much progress was told; what came goes to `events`.
pub async fn until_progress(stream: &mut SseStream, told: u64, events: &mut Vec<Event>) {
    loop {
        let event = stream.next().await.expect("progress before the end");
        let reached = progress_of(&event) >= Some(told);
        events.push(event);
        if reached {
            return;
        }
    }
}

fn progress_of(event: &Event) -> Option<u64> {
    let message = messages(std::slice::from_ref(event)).pop()?;
    message["params"]["progress"].as_f64().map(|told| told as u64)
}

pub fn messages(events: &[Event]) -> Vec<Value> {
    let carrying = events.iter().filter(|event| !event.data.is_empty());
    carrying.map(Event::json).collect()
}

pub fn progress(events: &[Event]) -> Vec<u64> {
    events.iter().filter_map(progress_of).collect()
}

/// The one outcome: every id once, the answer last, and progress that rises.
pub fn outcome(events: &[Event]) -> Value {
    let mut ids: Vec<_> = events.iter().filter_map(|event| event.id.clone()).collect();
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "an event came twice: {events:#?}");
    let told = progress(events);
    assert!(
        told.is_sorted_by(|one, next| one < next),
        "progress falls: {told:?}"
    );
    let messages = messages(events);
    let answers: Vec<_> = messages
        .iter()
        .filter(|message| message.get("method").is_none())
        .collect();
    assert_eq!(answers.len(), 1, "{messages:#?}");
    assert_eq!(
        messages.last(),
        answers.first().copied(),
        "something follows the answer"
    );
    answers[0].clone()
}

pub fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no result: {answer}"))
}

pub fn assert_lost(answer: &Value) {
    assert_eq!(answer["error"]["code"], -32603, "{answer}");
    let sentence = answer["error"]["message"].as_str().unwrap();
    assert!(sentence.contains(LOST), "{answer}");
}
