//! A tool stops as soon as nobody wants its result any more. The tool holds a connection to the test while it runs, so
//! that its end is seen where it happens.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{FeatureKind, Stack, client::McpClient};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

use super::client::{CLIENT_CAPABILITIES, Modern, with_meta};

const STOPS_WITHIN: Duration = Duration::from_millis(100);
/// A busy machine may miss it now and then; a server that is slow misses it every time.
const TRIES: usize = 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// Two edges, and the tool in a process of its own.
async fn stack() -> Stack {
    let stack = Stack::builder().processes().redis().edges(2).replicas(2);
    let stack = stack.feature(FeatureKind::Conformance).auth_disabled();
    stack.start().await.unwrap()
}

/// What the tool holds while it runs.
struct Held {
    listener: TcpListener,
}

impl Held {
    async fn new() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    fn call(&self, meta: Value) -> Value {
        let port = self.listener.local_addr().unwrap().port();
        json!({ "name": "hold", "arguments": { "port": port }, "_meta": meta })
    }

    /// The tool runs.
    async fn begun(&self) -> TcpStream {
        let (connection, _) = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        connection
    }
}

async fn session(stack: &Stack, revision: &str) -> McpClient {
    McpClient::connect(&stack.edge_url(0, "/mcp"), revision, json!({}), None)
        .await
        .unwrap()
}

/// How long the tool runs on.
async fn ends(mut connection: TcpStream, since: Instant) -> Duration {
    let read = timeout(PATIENCE, connection.read(&mut [0_u8; 1])).await;
    let took = since.elapsed();
    // An end, or a reset where the process dropped it with something unread.
    assert!(matches!(read.unwrap(), Ok(0) | Err(_)));
    took
}

/// Tries until the tool stopped in time.
async fn stops_in_time(what: &str, mut attempt: impl AsyncFnMut() -> Duration) {
    let mut fastest = Duration::MAX;
    for _ in 0..TRIES {
        fastest = fastest.min(attempt().await);
        if fastest < STOPS_WITHIN {
            return;
        }
    }
    panic!("{what}: the fastest took {fastest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_the_connection_stops_the_tool() {
    let stack = stack().await;
    let modern = Modern::new(&stack.edge_url(0, "/mcp"), None);
    stops_in_time("a stream", async || {
        let held = Held::new().await;
        let call = held.call(json!({ "progressToken": 1 }));
        let mut stream = modern.open(json!(1), "tools/call", call).await;
        let connection = held.begun().await;
        stream.wait_for("notifications/progress").await;
        let closed = Instant::now();
        drop(stream);
        ends(connection, closed).await
    })
    .await;
    stops_in_time("a request that is not answered yet", async || {
        let held = Held::new().await;
        let params = with_meta(held.call(json!({})));
        let request = modern.prepare(&json!(1), "tools/call", &params).send();
        let request = tokio::spawn(request);
        let connection = held.begun().await;
        let closed = Instant::now();
        request.abort();
        ends(connection, closed).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_a_task_stops_the_tool() {
    let stack = stack().await;
    let edges = [0, 1].map(|edge| Modern::new(&stack.edge_url(edge, "/mcp"), None));
    let able = json!({ CLIENT_CAPABILITIES: { "extensions": { "io.modelcontextprotocol/tasks": {} } } });
    stops_in_time("a task of the extension", async || {
        let held = Held::new().await;
        let task = edges[0]
            .ask("tools/call", held.call(able.clone()))
            .await
            .result()
            .unwrap();
        let connection = held.begun().await;
        let cancelled = Instant::now();
        let cancel = json!({ "taskId": task["taskId"], "_meta": able });
        edges[1].ask("tasks/cancel", cancel).await.result().unwrap();
        ends(connection, cancelled).await
    })
    .await;
    let session = session(&stack, "2025-11-25").await;
    let elsewhere = session.at(&stack.edge_url(1, "/mcp"));
    stops_in_time("a task of 2025-11-25", async || {
        let held = Held::new().await;
        let mut call = held.call(json!({}));
        call["task"] = json!({});
        let created = session.call("tools/call", call).await.unwrap();
        let connection = held.begun().await;
        let cancelled = Instant::now();
        let cancel = json!({ "taskId": created["task"]["taskId"] });
        elsewhere.call("tasks/cancel", cancel).await.unwrap();
        ends(connection, cancelled).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_a_request_of_a_session_stops_the_tool() {
    let stack = stack().await;
    let session = session(&stack, "2025-06-18").await;
    for edge in [0, 1] {
        let canceller = session.at(&stack.edge_url(edge, "/mcp"));
        stops_in_time(&format!("cancelled at edge {edge}"), async || {
            let held = Held::new().await;
            let id = json!(session.next_id());
            let call = held.call(json!({ "progressToken": 1 }));
            let mut stream = session.open_as(id.clone(), "tools/call", call).await.unwrap();
            let connection = held.begun().await;
            stream.wait_for("notifications/progress").await;
            let cancelled = Instant::now();
            let params = json!({ "requestId": id });
            canceller.notify("notifications/cancelled", params).await.unwrap();
            ends(connection, cancelled).await
        })
        .await;
    }
    // Closing is not cancelling here: the client may come back.
    let held = Held::new().await;
    let call = held.call(json!({ "progressToken": 1 }));
    let mut stream = session.open("tools/call", call).await.unwrap();
    let mut connection = held.begun().await;
    stream.wait_for("notifications/progress").await;
    drop(stream);
    let ended = timeout(STOPS_WITHIN * 5, connection.read(&mut [0_u8; 1])).await;
    assert!(ended.is_err(), "the tool was stopped");
    let closed = Instant::now();
    session.delete().await.unwrap();
    ends(connection, closed).await;
}
