//! What the server tells by itself: logs by level, updates of subscribed resources, standard error.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::client::McpClient;
use tokio::time::Instant;

use super::world::{World, long_running, on_both_stores};

const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];
const LOG: &str = "notifications/message";
const UPDATED: &str = "notifications/resources/updated";
const STDERR: &str = "notifications/stderr";
const NEVER: &str = "3600000";

on_both_stores!(
    logs_of_a_tool_are_filtered_by_level,
    a_bad_level_is_refused,
    a_subscription_must_name_a_resource
);

/// Only this comes round, and often.
fn only(period: &'static str, ms: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut settings = vec![
        ("RANDOM_LOG_PERIOD_MS", NEVER),
        ("RESOURCE_UPDATE_PERIOD_MS", NEVER),
        ("STDERR_PERIOD_MS", NEVER),
    ];
    settings.retain(|(name, _)| *name != period);
    settings.push((period, ms));
    settings
}

fn at_least(level: &str, least: &str) -> bool {
    let rank = |level| LEVELS.iter().position(|it| *it == level).unwrap();
    rank(level) >= rank(least)
}

async fn set_level(client: &McpClient, level: &str) {
    let result = client.call("logging/setLevel", json!({"level": level})).await;
    assert_eq!(result, Ok(json!({})));
}

async fn logs_of_a_tool_are_filtered_by_level(world: World) {
    let client = world.client().await;
    let other = world.elsewhere(&client);
    let logs = async |client: &McpClient| -> Vec<Value> {
        let messages = client
            .open("tools/call", long_running(0.0, 1))
            .await
            .unwrap()
            .messages()
            .await;
        messages
            .into_iter()
            .filter(|message| message["method"] == LOG)
            .collect()
    };
    // The tool logs at debug; nobody asked for that.
    assert_eq!(logs(&client).await, Vec::<Value>::new());
    assert_eq!(logs(&other).await, Vec::<Value>::new());
    set_level(&client, "debug").await;
    let heard = logs(&client).await;
    assert_eq!(heard.len(), 1);
    assert_eq!(
        (&heard[0]["params"]["level"], &heard[0]["params"]["logger"]),
        (&json!("debug"), &json!("longRunningOperation"))
    );
    // The other edge has remembered the old level and hears of the change.
    super::world::eventually("the other edge knows the level", async || {
        logs(&other).await.len() == 1
    })
    .await;
    // Another session has a level of its own.
    assert_eq!(logs(&world.client().await).await, Vec::<Value>::new());
    set_level(&other, "emergency").await;
    super::world::eventually("the first edge knows the level", async || {
        logs(&client).await.is_empty()
    })
    .await;
}

async fn a_bad_level_is_refused(world: World) {
    let client = world.client().await;
    for level in [json!("loud"), json!(""), json!("DEBUG"), json!(3), json!(null)] {
        let error = client
            .call("logging/setLevel", json!({"level": level}))
            .await
            .unwrap_err();
        assert_eq!(error["code"], -32602, "{level}: {error}");
        assert!(error["message"].as_str().unwrap().contains("level"), "{error}");
    }
}

async fn a_subscription_must_name_a_resource(world: World) {
    let client = world.client().await;
    let error = client
        .call(
            "resources/subscribe",
            json!({"uri": "test://static/resource/101"}),
        )
        .await
        .unwrap_err();
    assert_eq!(error["code"], -32002);
    assert_eq!(error["data"]["uri"], "test://static/resource/101");
    let error = client.call("resources/subscribe", json!({})).await.unwrap_err();
    assert_eq!(error["code"], -32602);
    // Twice is as good as once, and none is as good as never.
    for method in [
        "resources/subscribe",
        "resources/subscribe",
        "resources/unsubscribe",
        "resources/unsubscribe",
    ] {
        assert_eq!(
            client
                .call(method, json!({"uri": "test://static/resource/1"}))
                .await,
            Ok(json!({}))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broadcast_logs_are_filtered_by_each_sessions_level() {
    let world = World::two_processes(&only("RANDOM_LOG_PERIOD_MS", "20")).await;
    let (quiet, loud) = (world.client().await, world.client().await);
    set_level(&quiet, "error").await;
    set_level(&loud, "debug").await;
    let mut quiet_stream = world.elsewhere(&quiet).get(None).await.unwrap();
    let mut loud_stream = loud.get(None).await.unwrap();
    let mut seen = std::collections::HashSet::new();
    let started = Instant::now();
    while seen.len() < LEVELS.len() {
        assert!(
            started.elapsed() < super::world::PATIENCE,
            "only {seen:?} were heard"
        );
        seen.insert(level(&loud_stream.wait_for(LOG).await));
    }
    for _ in 0..20 {
        let level = level(&quiet_stream.wait_for(LOG).await);
        assert!(at_least(&level, "error"), "{level}");
    }
    // A change of mind holds for an open stream too.
    set_level(&quiet, "emergency").await;
    let mut of_late = 0;
    while of_late < 3 {
        assert!(started.elapsed() < super::world::PATIENCE * 3);
        match level(&quiet_stream.wait_for(LOG).await).as_str() {
            "emergency" => of_late += 1,
            // Was on its way.
            _ => of_late = 0,
        }
    }
}

fn level(log: &Value) -> String {
    log["params"]["level"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_hear_of_updates_until_they_unsubscribe() {
    let world = World::two_processes(&only("RESOURCE_UPDATE_PERIOD_MS", "100")).await;
    let client = world.client().await;
    let other = world.elsewhere(&client);
    let mut stream = other.get(None).await.unwrap();
    let bystander = world.client().await;
    let mut bystanders = bystander.get(None).await.unwrap();
    let uri = |number: u32| format!("test://static/resource/{number}");
    let subscribe = async |number| {
        client
            .call("resources/subscribe", json!({"uri": uri(number)}))
            .await
            .unwrap()
    };
    subscribe(7).await;
    for _ in 0..3 {
        assert_eq!(stream.wait_for(UPDATED).await["params"]["uri"], uri(7));
    }
    subscribe(8).await;
    other
        .call("resources/unsubscribe", json!({"uri": uri(7)}))
        .await
        .unwrap();
    // What was on its way may still come. As long as both are subscribed to, they take turns.
    let mut in_a_row = 0;
    for _ in 0..100 {
        let is_wanted = stream.wait_for(UPDATED).await["params"]["uri"] == uri(8);
        in_a_row = if is_wanted { in_a_row + 1 } else { 0 };
        if in_a_row == 4 {
            break;
        }
    }
    assert_eq!(in_a_row, 4, "it hears of what it does not want any more");
    other
        .call("resources/unsubscribe", json!({"uri": uri(8)}))
        .await
        .unwrap();
    let mut late = Vec::new();
    for _ in 0..10 {
        late = stream.drain_for(Duration::from_millis(500)).await;
        if late.is_empty() {
            break;
        }
    }
    assert!(late.is_empty(), "{late:?}");
    let overheard = bystanders.drain_for(Duration::from_millis(10)).await;
    assert!(
        overheard.iter().all(|event| event.data.is_empty()),
        "{overheard:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_while_no_stream_is_open_is_told_once() {
    let world = World::two_processes(&only("RESOURCE_UPDATE_PERIOD_MS", "3000")).await;
    let (client, witness) = (world.client().await, world.client().await);
    let uri = json!({"uri": "test://static/resource/7"});
    let mut witnesses = witness.get(None).await.unwrap();
    for client in [&client, &witness] {
        client.call("resources/subscribe", uri.clone()).await.unwrap();
    }
    // Twice, so that one is surely after both subscriptions.
    witnesses.wait_for(UPDATED).await;
    witnesses.wait_for(UPDATED).await;
    let mut stream = world.elsewhere(&client).get(None).await.unwrap();
    let events = stream.drain_for(Duration::from_millis(700)).await;
    let told = events.iter().filter(|event| !event.data.is_empty()).count();
    assert_eq!(told, 1, "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tick_is_told_once_however_many_replicas_run() {
    const PERIOD: Duration = Duration::from_millis(200);
    const TICKS: u32 = 8;
    let world = World::two_processes(&only("STDERR_PERIOD_MS", "200")).await;
    for edge in [0, 1] {
        let client = world.client().await.at(&world.edge(edge));
        let mut stream = client.get(None).await.unwrap();
        stream.wait_for(STDERR).await;
        let started = Instant::now();
        for _ in 0..TICKS {
            let message = stream.wait_for(STDERR).await;
            assert!(
                message["params"]["content"]
                    .as_str()
                    .unwrap()
                    .ends_with("A stderr message")
            );
        }
        // Told by each replica, they would come twice as fast.
        let took = started.elapsed();
        assert!(took > PERIOD * TICKS * 3 / 4, "{TICKS} ticks in {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_worth_nothing_later_is_not_kept_for_later() {
    let world = World::two_processes(&only("STDERR_PERIOD_MS", "1000")).await;
    let (client, witness) = (world.client().await, world.client().await);
    let mut witnesses = witness.get(None).await.unwrap();
    let content = |message: Value| message["params"]["content"].clone();
    let missed = [
        content(witnesses.wait_for(STDERR).await),
        content(witnesses.wait_for(STDERR).await),
    ];
    // Whatever is kept comes in order. This one may still be on its way to others.
    witnesses.wait_for(STDERR).await;
    let mut stream = client.get(None).await.unwrap();
    // Each says what time it is.
    let first = content(stream.wait_for(STDERR).await);
    assert!(
        !missed.contains(&first),
        "{first} was missed, and came all the same"
    );
}
