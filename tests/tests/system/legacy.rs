//! HTTP+SSE of 2024-11-05: one stream per session, and messages that are posted beside it.

use serde_json::json;
use system_tests::client::LegacyClient;

use super::world::{World, echo, eventually, long_running, on_both_stores, progress, text};

on_both_stores!(
    a_whole_session,
    messages_may_be_posted_to_any_edge,
    a_question_arrives_on_the_one_stream,
    a_client_that_comes_back_finds_what_it_missed,
    notifications_arrive_on_the_stream,
    a_call_is_cancelled,
    requests_before_initialize_are_refused,
    ids_in_flight_are_refused,
);

async fn a_whole_session(world: World) {
    let mut client = world.legacy(json!({})).await;
    // A path, so that it holds behind any proxy.
    assert!(
        client.endpoint().starts_with("/message?sessionId="),
        "{}",
        client.endpoint()
    );
    let tools = client.call("tools/list", json!({})).await.unwrap();
    let tool = &tools["tools"][0];
    assert!(tool["inputSchema"].is_object());
    // Nothing of later revisions.
    for later in ["title", "annotations", "outputSchema", "icons", "execution"] {
        assert!(
            tools["tools"]
                .as_array()
                .unwrap()
                .iter()
                .all(|tool| tool.get(later).is_none()),
            "{later}"
        );
    }
    assert_eq!(
        text(&client.call("tools/call", echo("hello")).await.unwrap()),
        "Echo: hello"
    );
    let id = client.send("tools/call", long_running(0.2, 4)).await.unwrap();
    let mut messages = Vec::new();
    loop {
        let message = client.stream.message().await;
        let is_answer = message["id"] == id;
        messages.push(message);
        if is_answer {
            break;
        }
    }
    assert_eq!(progress(&messages), [1, 2, 3, 4]);
    assert!(
        client
            .call("resources/read", json!({"uri": "test://static/resource/1"}))
            .await
            .is_ok()
    );
    assert!(
        client
            .call("prompts/get", json!({"name": "simple_prompt"}))
            .await
            .is_ok()
    );
    assert_eq!(
        client.call("no/such/method", json!({})).await.unwrap_err()["code"],
        -32601
    );
    assert_eq!(client.call("ping", json!({})).await, Ok(json!({})));
}

async fn messages_may_be_posted_to_any_edge(world: World) {
    let mut client = LegacyClient::open(&world.legacy_edge(0), Some(&world.token), None)
        .await
        .unwrap();
    client.post_at(&world.legacy_edge(1)).unwrap();
    let params = json!({
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": {"name": "system tests", "version": "1"},
    });
    let result = client.call("initialize", params.clone()).await.unwrap();
    assert_eq!(result["protocolVersion"], "2024-11-05");
    assert_eq!(
        client
            .notify("notifications/initialized", json!({}))
            .await
            .unwrap()
            .status,
        202
    );
    for turn in 0..6 {
        client.post_at(&world.legacy_edge(turn % 2)).unwrap();
        let said = client.call("tools/call", echo(&turn.to_string())).await.unwrap();
        assert_eq!(text(&said), format!("Echo: {turn}"));
    }
    assert_eq!(
        client.call("initialize", params).await.unwrap_err()["code"],
        -32600
    );
}

async fn a_question_arrives_on_the_one_stream(world: World) {
    let mut client = world.legacy(json!({"sampling": {}, "roots": {}})).await;
    let call = json!({"name": "sampleLLM", "arguments": {"prompt": "hello"}});
    let id = client.send("tools/call", call).await.unwrap();
    let question = client.stream.wait_for("sampling/createMessage").await;
    client.post_at(&world.legacy_edge(1)).unwrap();
    let answer = json!({"role": "assistant", "model": "a model", "content": {"type": "text", "text": "hi"}});
    assert_eq!(client.respond(&question["id"], answer).await.unwrap().status, 202);
    assert_eq!(text(&client.answer(id).await.unwrap()), "LLM sampling result: hi");
    let id = client
        .send("tools/call", json!({"name": "getRoots", "arguments": {}}))
        .await
        .unwrap();
    let question = client.stream.wait_for("roots/list").await;
    client
        .respond(&question["id"], json!({"roots": [{"uri": "file:///a"}]}))
        .await
        .unwrap();
    assert!(text(&client.answer(id).await.unwrap()).contains("file:///a"));
}

async fn a_client_that_comes_back_finds_what_it_missed(world: World) {
    let mut client = world.legacy(json!({})).await;
    let id = client.send("tools/call", long_running(0.6, 6)).await.unwrap();
    let mut messages = vec![client.stream.message().await, client.stream.message().await];
    let cursor = client.stream.last_event_id().to_owned();
    let endpoint = client.endpoint().to_owned();
    drop(client);
    let mut client = LegacyClient::open(&world.legacy_edge(1), Some(&world.token), Some(&cursor))
        .await
        .unwrap();
    // The same session.
    assert_eq!(client.endpoint(), endpoint);
    while messages.last().unwrap()["id"] != id {
        messages.push(client.stream.message().await);
    }
    assert_eq!(progress(&messages), [1, 2, 3, 4, 5, 6]);
    assert_eq!(messages.len(), 7);
    assert_eq!(
        text(&client.call("tools/call", echo("again")).await.unwrap()),
        "Echo: again"
    );
    // Somebody else with the same cursor does not get in.
    let bob = world.log_in("bob").await;
    assert!(
        LegacyClient::open(&world.legacy_edge(0), Some(&bob), Some(&cursor))
            .await
            .is_err()
    );
}

async fn notifications_arrive_on_the_stream(world: World) {
    let mut client = world.legacy(json!({})).await;
    client.post_at(&world.legacy_edge(1)).unwrap();
    let call = json!({"name": "gzipAsResource", "arguments": {"data": "text"}});
    let id = client.send("tools/call", call).await.unwrap();
    // Which of them is first, nobody can say.
    let both = [client.stream.message().await, client.stream.message().await];
    assert!(both.iter().any(|message| message["id"] == id));
    assert!(
        both.iter()
            .any(|message| message["method"] == "notifications/resources/list_changed")
    );
    let level = client.call("logging/setLevel", json!({"level": "debug"})).await;
    assert_eq!(level, Ok(json!({})));
    client.send("tools/call", long_running(0.0, 1)).await.unwrap();
    let log = client.stream.wait_for("notifications/message").await;
    assert_eq!(log["params"]["level"], "debug");
}

async fn a_call_is_cancelled(world: World) {
    let mut client = world.legacy(json!({})).await;
    let id = client.send("tools/call", long_running(60.0, 600)).await.unwrap();
    client.stream.wait_for("notifications/progress").await;
    client.post_at(&world.legacy_edge(1)).unwrap();
    assert_eq!(
        client
            .notify("notifications/cancelled", json!({"requestId": id}))
            .await
            .unwrap()
            .status,
        202
    );
    eventually("it is silent", async || {
        client
            .stream
            .drain_for(std::time::Duration::from_millis(300))
            .await
            .is_empty()
    })
    .await;
    assert_eq!(client.call("ping", json!({})).await, Ok(json!({})));
}

async fn requests_before_initialize_are_refused(world: World) {
    let mut client = LegacyClient::open(&world.legacy_edge(0), Some(&world.token), None)
        .await
        .unwrap();
    assert_eq!(
        client.call("tools/list", json!({})).await.unwrap_err()["code"],
        -32600
    );
    // A session that has not begun is of no use on the other transport.
    let other = world
        .client()
        .await
        .with_session(Some(client.session_id()))
        .with_version(None);
    assert_eq!(other.request("tools/list", json!({})).await.unwrap().status, 404);
    let params = json!({
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": {"name": "system tests", "version": "1"},
    });
    assert!(client.call("initialize", params).await.is_ok());
    assert!(client.call("tools/list", json!({})).await.is_ok());
}

async fn ids_in_flight_are_refused(world: World) {
    let mut client = world.legacy(json!({})).await;
    let id = client.send("tools/call", long_running(0.5, 5)).await.unwrap();
    client.stream.wait_for("notifications/progress").await;
    let again = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    let refused = client.post(&again).await.unwrap();
    assert_eq!((refused.status, refused.error_code()), (400, -32600));
    assert!(client.answer(id).await.is_ok());
}
