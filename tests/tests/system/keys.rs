//! What people who run it see in Redis.

use std::process::Command;

use serde_json::json;

use super::world::{World, eventually, long_running, text};

/// `redis-cli` with these words, as documented; its output line by line.
fn redis_cli(world: &World, words: &[&str]) -> Vec<String> {
    let url = world.stack.redis().unwrap().url();
    let output = Command::new("redis-cli")
        .args(["-u", &url])
        .args(words)
        .output()
        .expect("redis-cli runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_commands_show_sessions_owners_and_who_is_live() {
    let world = World::on_redis().await;
    assert!(redis_cli(&world, &["KEYS", "session:*:owner"]).is_empty());
    let client = world.client().await;
    let id = client.session_id();
    let owner = format!("session:{{{id}}}:owner");
    assert_eq!(redis_cli(&world, &["KEYS", "session:*:owner"]), [owner.as_str()]);
    let user = redis_cli(&world, &["GET", &owner]);
    assert_eq!(user.len(), 1);
    // The same user owns the next session, another user does not.
    let next = world.client().await;
    assert_eq!(
        redis_cli(
            &world,
            &["GET", &format!("session:{{{}}}:owner", next.session_id())]
        ),
        user
    );
    let bob = world.log_in("bob").await;
    let url = world.edge(0);
    let bobs = system_tests::client::McpClient::connect(&url, "2025-11-25", json!({}), Some(&bob))
        .await
        .unwrap();
    assert_ne!(
        redis_cli(
            &world,
            &["GET", &format!("session:{{{}}}:owner", bobs.session_id())]
        ),
        user
    );

    let stream = client.get(None).await.unwrap();
    let live = || redis_cli(&world, &["PUBSUB", "CHANNELS", "mcp:shttp:toserver:*"]);
    assert!(
        live().contains(&format!("mcp:shttp:toserver:{{{id}}}")),
        "{:?}",
        live()
    );
    drop(stream);
    client.delete().await.unwrap();
    eventually("it is live no more", async || {
        !live().contains(&format!("mcp:shttp:toserver:{{{id}}}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_has_the_documented_keys_and_all_expire() {
    let world = World::on_redis().await;
    let client = world.client().await;
    let id = client.session_id();
    client
        .open("tools/call", long_running(0.0, 2))
        .await
        .unwrap()
        .messages()
        .await;
    let stream = world.elsewhere(&client).get(None).await.unwrap();
    let redis = world.stack.redis().unwrap();
    for (name, kind) in [("owner", "string"), ("state", "hash"), ("events", "stream")] {
        let key = format!("session:{{{id}}}:{name}");
        assert_eq!(redis.command::<String>(&["TYPE", &key]).await, kind, "{key}");
    }
    for key in world.keys_of(id).await {
        let ttl_ms: i64 = redis.command(&["PTTL", &key]).await;
        assert!((1..=300_000).contains(&ttl_ms), "{key} lives for {ttl_ms} ms");
        // One slot of a cluster holds all of a session.
        assert!(key.starts_with(&format!("session:{{{id}}}:")), "{key}");
    }
    drop(stream);
    client.delete().await.unwrap();
    assert_eq!(world.keys_of(id).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_lives_for_ever() {
    let world = World::on_redis().await;
    let client = world.client_of("2025-11-25", json!({"sampling": {}})).await;
    client.tool("gzipAsResource", json!({"data": "text"})).await;
    client
        .call("resources/subscribe", json!({"uri": "test://static/resource/1"}))
        .await
        .unwrap();
    let legacy = world.legacy(json!({})).await;
    let call = json!({"name": "sampleLLM", "arguments": {"prompt": "hello"}});
    let mut stream = client.open("tools/call", call).await.unwrap();
    let question = stream.wait_for("sampling/createMessage").await;
    client
        .notify("notifications/cancelled", json!({"requestId": "nothing"}))
        .await
        .unwrap();
    client.respond(&question["id"], json!({})).await.unwrap();
    stream.messages().await;
    drop(legacy);
    let redis = world.stack.redis().unwrap();
    for key in redis.command::<Vec<String>>(&["KEYS", "*"]).await {
        let ttl_ms: i64 = redis.command(&["PTTL", &key]).await;
        // The change feed is one bounded stream; everything else goes away.
        assert!(
            ttl_ms > 0 || ttl_ms == -2 || key == "mcp:changes",
            "{key} lives for {ttl_ms} ms"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_redis_serve_the_same_session() {
    let world = World::two_processes(&[]).await;
    let client = world.client_of("2025-11-25", json!({"sampling": {}})).await;
    let other = world.elsewhere(&client);
    let call = json!({"name": "sampleLLM", "arguments": {"prompt": "hello"}});
    let mut stream = client.open("tools/call", call).await.unwrap();
    let question = stream.wait_for("sampling/createMessage").await;
    let answer = json!({"role": "assistant", "model": "a model", "content": {"type": "text", "text": "hi"}});
    other.respond(&question["id"], answer).await.unwrap();
    assert_eq!(
        text(&stream.messages().await[0]["result"]),
        "LLM sampling result: hi"
    );
    let mut notifications = other.get(None).await.unwrap();
    let made = client.tool("gzipAsResource", json!({"data": "text"})).await;
    notifications
        .wait_for("notifications/resources/list_changed")
        .await;
    let uri = &made["content"][0]["uri"];
    assert!(other.call("resources/read", json!({"uri": uri})).await.is_ok());
}
