//! A session ends, and is gone everywhere at once.

use serde_json::{Value, json};
use system_tests::client::{McpClient, Response};

use super::world::{NEWEST, World, eventually, long_running, on_both_stores};

on_both_stores!(
    a_deleted_session_is_gone_at_every_edge,
    deleting_ends_open_streams_at_every_edge,
    deleting_ends_running_calls_at_every_edge,
    sessions_that_are_not_there_all_look_the_same,
    deleting_one_session_leaves_the_others,
);

async fn a_deleted_session_is_gone_at_every_edge(world: World) {
    let client = world.client().await;
    let other = world.elsewhere(&client);
    // Both edges remember the session.
    assert!(client.call("ping", json!({})).await.is_ok());
    assert!(other.call("ping", json!({})).await.is_ok());
    let deleted = client.delete().await.unwrap();
    assert!((200..300).contains(&deleted.status), "{deleted:?}");
    assert_eq!(client.request("ping", json!({})).await.unwrap().status, 404);
    eventually("the other edge forgets it", async || {
        other.request("ping", json!({})).await.unwrap().status == 404
    })
    .await;
    for client in [client, other] {
        assert_eq!(client.delete().await.unwrap().status, 404);
        assert_eq!(client.try_get(None).await.unwrap().status, 404);
        assert_eq!(
            client
                .notify("notifications/initialized", json!({}))
                .await
                .unwrap()
                .status,
            404
        );
        assert_eq!(
            client.respond(&json!("srv-1"), json!({})).await.unwrap().status,
            404
        );
    }
}

async fn deleting_ends_open_streams_at_every_edge(world: World) {
    let client = world.client().await;
    let other = world.elsewhere(&client);
    let mut streams = [
        client.get(None).await.unwrap(),
        other.get(None).await.unwrap(),
        other.get(None).await.unwrap(),
    ];
    other.delete().await.unwrap();
    for stream in &mut streams {
        assert!(stream.rest().await.iter().all(|event| event.data.is_empty()));
    }
}

async fn deleting_ends_running_calls_at_every_edge(world: World) {
    let client = world.client_of(NEWEST, json!({"sampling": {}})).await;
    let other = world.elsewhere(&client);
    let mut calls = Vec::new();
    for client in [&client, &other] {
        let mut stream = client.open("tools/call", long_running(60.0, 600)).await.unwrap();
        stream.wait_for("notifications/progress").await;
        calls.push(stream);
        let question = json!({"name": "sampleLLM", "arguments": {"prompt": "hello"}});
        let mut stream = client.open("tools/call", question).await.unwrap();
        stream.wait_for("sampling/createMessage").await;
        calls.push(stream);
    }
    client.delete().await.unwrap();
    for call in &mut calls {
        // What was on its way, and perhaps that there is no session; no result.
        let messages = call.messages().await;
        assert!(
            messages.iter().all(|message| message.get("result").is_none()),
            "{messages:?}"
        );
    }
}

async fn sessions_that_are_not_there_all_look_the_same(world: World) {
    let client = world.client().await;
    let bob = world.log_in("bob").await;
    let bobs = McpClient::connect(&world.edge(0), NEWEST, json!({}), Some(&bob))
        .await
        .unwrap();
    let deleted = world.client().await;
    deleted.delete().await.unwrap();
    let unknown: String = client.session_id().chars().rev().collect();
    let missing = [
        client.with_session(Some(bobs.session_id())),
        client.with_session(Some(deleted.session_id())),
        client.with_session(Some(&unknown)),
        client.with_session(Some("nonsense")),
        client.with_session(Some("..")),
    ];
    for edge in [0, 1] {
        let missing = missing.clone().map(|client| client.at(&world.edge(edge)));
        assert_alike(&missing, async |client| {
            client.request_as(json!(1), "ping", json!({})).await.unwrap()
        })
        .await;
        assert_alike(&missing, async |client| {
            client
                .request_as(json!(1), "tools/list", json!({}))
                .await
                .unwrap()
        })
        .await;
        assert_alike(&missing, async |client| {
            client
                .notify("notifications/initialized", json!({}))
                .await
                .unwrap()
        })
        .await;
        assert_alike(&missing, async |client| {
            client.respond(&json!("srv-1"), json!({})).await.unwrap()
        })
        .await;
        assert_alike(&missing, async |client| client.try_get(None).await.unwrap()).await;
        assert_alike(&missing, async |client| {
            client.try_get(Some("g-1-1")).await.unwrap()
        })
        .await;
        assert_alike(&missing, async |client| client.delete().await.unwrap()).await;
    }
    // And Bob noticed nothing of it.
    assert!(bobs.call("ping", json!({})).await.is_ok());
}

/// The same 404 from all, to the byte.
async fn assert_alike(clients: &[McpClient], ask: impl AsyncFn(&McpClient) -> Response) {
    let mut first: Option<Response> = None;
    for client in clients {
        let mut answer = ask(client).await;
        // Says when, and with which trace, not what.
        for name in ["date", "traceparent", "x-request-id"] {
            answer.headers.remove(name);
        }
        assert_eq!(answer.status, 404);
        let error = answer.json();
        assert!(
            error["error"]["message"].as_str().unwrap().contains("session"),
            "{error}"
        );
        match &first {
            None => first = Some(answer),
            Some(first) => {
                assert_eq!(first.text(), answer.text());
                assert_eq!(first.headers, answer.headers);
            }
        }
    }
}

async fn deleting_one_session_leaves_the_others(world: World) {
    let (doomed, spared) = (world.client().await, world.client().await);
    let mut stream = spared.get(None).await.unwrap();
    doomed.delete().await.unwrap();
    spared.tool("gzipAsResource", json!({"data": "text"})).await;
    let message: Value = stream.message().await;
    assert_eq!(message["method"], "notifications/resources/list_changed");
}
