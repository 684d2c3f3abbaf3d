//! Nobody can see, use, answer for, or end another user's session.

use serde_json::json;
use system_tests::client::McpClient;

use super::world::{NEWEST, World, echo, long_running, on_both_stores, text};

on_both_stores!(
    no_verb_reaches_another_users_session,
    nobody_answers_for_somebody_else,
    nobody_cancels_for_somebody_else,
    nobody_hears_somebody_else,
    a_legacy_session_is_its_users_too,
    the_two_transports_do_not_open_each_others_sessions_to_strangers,
);

async fn no_verb_reaches_another_users_session(world: World) {
    let client = world.client().await;
    let events = client
        .open("tools/call", long_running(0.0, 2))
        .await
        .unwrap()
        .rest()
        .await;
    let bob = world.log_in("bob").await;
    for edge in [0, 1] {
        // Both edges know the session as Alice's before Bob comes.
        let alices = client.at(&world.edge(edge));
        assert!(alices.call("ping", json!({})).await.is_ok());
        let bobs = alices.with_token(Some(&bob));
        for (method, params) in [
            ("ping", json!({})),
            ("tools/list", json!({})),
            ("tools/call", echo("hello")),
            ("resources/subscribe", json!({"uri": "test://static/resource/1"})),
            ("logging/setLevel", json!({"level": "debug"})),
        ] {
            assert_eq!(
                bobs.request(method, params).await.unwrap().status,
                404,
                "{method}"
            );
        }
        assert_eq!(bobs.try_get(None).await.unwrap().status, 404);
        for event in &events {
            assert_eq!(bobs.try_get(event.id.as_deref()).await.unwrap().status, 404);
        }
        assert_eq!(bobs.delete().await.unwrap().status, 404);
        assert!(alices.call("ping", json!({})).await.is_ok());
        // And without anybody's token it is not even said whether there is a session.
        let nobodys = alices.with_token(None);
        assert_eq!(nobodys.request("ping", json!({})).await.unwrap().status, 401);
        assert_eq!(nobodys.try_get(None).await.unwrap().status, 401);
        assert_eq!(nobodys.delete().await.unwrap().status, 401);
    }
    // Another login of Alice's is Alice.
    let again = world.log_in("alice").await;
    assert!(
        client
            .with_token(Some(&again))
            .call("ping", json!({}))
            .await
            .is_ok()
    );
}

async fn nobody_answers_for_somebody_else(world: World) {
    let client = world.client_of(NEWEST, json!({"sampling": {}})).await;
    let bob = world.log_in("bob").await;
    let bobs_own = McpClient::connect(&world.edge(1), NEWEST, json!({}), Some(&bob))
        .await
        .unwrap();
    let call = json!({"name": "sampleLLM", "arguments": {"prompt": "hello"}});
    let mut stream = client.open("tools/call", call).await.unwrap();
    let question = stream.wait_for("sampling/createMessage").await;
    let answer = |text: &str| json!({"role": "assistant", "model": "a model", "content": {"type": "text", "text": text}});
    for edge in [0, 1] {
        let intruder = client.at(&world.edge(edge)).with_token(Some(&bob));
        assert_eq!(
            intruder
                .respond(&question["id"], answer("bob's"))
                .await
                .unwrap()
                .status,
            404
        );
        // The right id in the wrong session answers nothing.
        assert_eq!(
            bobs_own
                .respond(&question["id"], answer("bob's"))
                .await
                .unwrap()
                .status,
            202
        );
    }
    world
        .elsewhere(&client)
        .respond(&question["id"], answer("alice's"))
        .await
        .unwrap();
    let messages = stream.messages().await;
    assert_eq!(text(&messages[0]["result"]), "LLM sampling result: alice's");
}

async fn nobody_cancels_for_somebody_else(world: World) {
    let client = world.client().await;
    let bob = world.log_in("bob").await;
    let mut stream = client
        .open_as(json!(1), "tools/call", long_running(0.4, 4))
        .await
        .unwrap();
    stream.message().await;
    for edge in [0, 1] {
        let intruder = client.at(&world.edge(edge)).with_token(Some(&bob));
        let cancelled = intruder
            .notify("notifications/cancelled", json!({"requestId": 1}))
            .await
            .unwrap();
        assert_eq!(cancelled.status, 404);
    }
    assert!(stream.messages().await.last().unwrap()["result"].is_object());
}

async fn nobody_hears_somebody_else(world: World) {
    let client = world.client().await;
    let bob = world.log_in("bob").await;
    let bobs = McpClient::connect(&world.edge(0), NEWEST, json!({}), Some(&bob))
        .await
        .unwrap();
    let (mut alices_stream, mut bobs_stream) =
        (client.get(None).await.unwrap(), bobs.get(None).await.unwrap());
    let made = client
        .tool("gzipAsResource", json!({"data": "alice's secret"}))
        .await;
    alices_stream
        .wait_for("notifications/resources/list_changed")
        .await;
    let uri = made["content"][0]["uri"].as_str().unwrap();
    assert!(client.call("resources/read", json!({"uri": uri})).await.is_ok());
    assert!(bobs.call("resources/read", json!({"uri": uri})).await.is_err());
    // A message of Bob's own is the first that he gets.
    bobs.tool("gzipAsResource", json!({"data": "bob's"})).await;
    let heard = bobs_stream.drain_for(std::time::Duration::from_millis(500)).await;
    assert_eq!(
        heard.iter().filter(|event| !event.data.is_empty()).count(),
        1,
        "{heard:?}"
    );
}

async fn a_legacy_session_is_its_users_too(world: World) {
    let mut alice = world.legacy(json!({})).await;
    let bob = world.log_in("bob").await;
    let ping = json!({"jsonrpc": "2.0", "id": 99, "method": "ping"});
    for edge in [0, 1] {
        alice.post_at(&world.legacy_edge(edge)).unwrap();
        assert_eq!(alice.post_as(Some(&bob), &ping).await.unwrap().status, 404);
        assert_eq!(alice.post_as(None, &ping).await.unwrap().status, 401);
    }
    // Nothing of it arrived, and everything works.
    assert_eq!(alice.call("ping", json!({})).await, Ok(json!({})));
}

async fn the_two_transports_do_not_open_each_others_sessions_to_strangers(world: World) {
    let client = world.client().await;
    let alices = world.legacy(json!({})).await;
    let bob = world.log_in("bob").await;
    let intruder = client
        .with_token(Some(&bob))
        .with_session(Some(alices.session_id()))
        .with_version(None);
    assert_eq!(intruder.request("ping", json!({})).await.unwrap().status, 404);
    assert_eq!(intruder.try_get(None).await.unwrap().status, 404);
    assert_eq!(intruder.delete().await.unwrap().status, 404);
    let url = world
        .stack
        .edge_url(1, &format!("/message?sessionId={}", client.session_id()));
    let posted = client
        .at(&url)
        .with_token(Some(&bob))
        .with_session(None)
        .request("ping", json!({}))
        .await
        .unwrap();
    assert_eq!(posted.status, 404);
}
