//! A replica of the session service dies, and those who were listening do not notice.

use serde_json::{Value, json};
use system_tests::{
    Stack,
    client::{McpClient, SseStream},
};

use super::world::{NEWEST, World, eventually, long_running, progress, text};

const LIST_CHANGED: &str = "notifications/resources/list_changed";

async fn world() -> World {
    let builder = Stack::builder().processes().redis().edges(2).replicas(2);
    World::of(builder.setting("SESSION_HEARTBEAT_MS", "200")).await
}

/// Each replica in turn dies and comes back, with something going on before, meanwhile and after.
async fn while_replicas_die(world: &mut World, mut happens: impl AsyncFnMut()) {
    for replica in ["session-0", "session-1"] {
        happens().await;
        world.stack.kill(replica).unwrap();
        happens().await;
        world.stack.restart(replica).unwrap();
        happens().await;
    }
}

/// A call without effects, again until it works: what was on its way to a replica that died may fail, in clear words.
async fn works(client: &McpClient) {
    eventually("a request works", async || {
        let response = client.request("ping", json!({})).await.unwrap();
        assert!([200, 503].contains(&response.status), "{}", response.text());
        response.status == 200
    })
    .await;
}

/// Makes one change of the list, and hears of it once.
async fn hears_of_a_change(client: &McpClient, stream: &mut SseStream) {
    eventually("a change", async || {
        let call = json!({"name": "gzipAsResource", "arguments": {"data": "text"}});
        let response = client.request("tools/call", call).await.unwrap();
        assert!([200, 503].contains(&response.status), "{}", response.text());
        response.status == 200
    })
    .await;
    assert_eq!(stream.message().await["method"], LIST_CHANGED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_streams_outlive_a_session_replica() {
    let mut world = world().await;
    let clients = [world.client().await, world.client().await];
    let others = [world.elsewhere(&clients[0]), world.elsewhere(&clients[1])];
    let mut streams = [
        clients[0].get(None).await.unwrap(),
        others[1].get(None).await.unwrap(),
    ];
    while_replicas_die(&mut world, async || {
        for (other, stream) in others.iter().zip(&mut streams) {
            works(other).await;
            hears_of_a_change(other, stream).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_calls_outlive_a_session_replica() {
    let mut world = world().await;
    let client = world.client().await;
    let other = world.elsewhere(&client);
    let mut here = client.open("tools/call", long_running(3.0, 30)).await.unwrap();
    let cursor = here.next().await.unwrap().id;
    here.wait_for("notifications/progress").await;
    let mut there = other.get(cursor.as_deref()).await.unwrap();
    there.wait_for("notifications/progress").await;
    world.stack.kill("session-0").unwrap();
    here.wait_for("notifications/progress").await;
    world.stack.restart("session-0").unwrap();
    let (here, there) = (here.messages().await, there.messages().await);
    assert!(here.last().unwrap()["result"].is_object(), "{here:?}");
    assert_eq!(here.last(), there.last());
    // Progress that could not be logged at that moment may be missing; none comes twice.
    for messages in [here, there] {
        assert!(
            progress(&messages).is_sorted_by(|one, next| one < next),
            "{messages:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_questions_outlive_a_session_replica() {
    let mut world = world().await;
    for replica in ["session-0", "session-1"] {
        let client = world.client_of(NEWEST, json!({"sampling": {}})).await;
        let call = json!({"name": "sampleLLM", "arguments": {"prompt": "hello"}});
        let mut stream = client.open("tools/call", call).await.unwrap();
        let question = stream.wait_for("sampling/createMessage").await;
        world.stack.kill(replica).unwrap();
        let other = world.elsewhere(&client);
        let answer =
            json!({"role": "assistant", "model": "a model", "content": {"type": "text", "text": "hi"}});
        eventually("the answer is taken", async || {
            other
                .respond(&question["id"], answer.clone())
                .await
                .unwrap()
                .status
                == 202
        })
        .await;
        let messages: Vec<Value> = stream.messages().await;
        assert_eq!(text(&messages[0]["result"]), "LLM sampling result: hi");
        world.stack.restart(replica).unwrap();
        works(&client).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_legacy_stream_outlives_a_session_replica() {
    let mut world = world().await;
    let mut client = world.legacy(json!({})).await;
    for replica in ["session-0", "session-1"] {
        world.stack.kill(replica).unwrap();
        let ping = json!({"jsonrpc": "2.0", "id": replica, "method": "ping"});
        eventually("a message is taken", async || {
            client.post(&ping).await.unwrap().status == 202
        })
        .await;
        let answer = client.stream.message().await;
        assert_eq!((&answer["id"], &answer["result"]), (&json!(replica), &json!({})));
        world.stack.restart(replica).unwrap();
    }
}
