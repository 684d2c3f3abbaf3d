//! `initialize`, the versions it agrees on, and what the version header may say afterwards.

use std::collections::HashSet;

use serde_json::json;
use system_tests::client::McpClient;

use super::world::{NEWEST, World, on_both_stores};

const REVISIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

on_both_stores!(
    every_revision_is_agreed_on,
    a_revision_that_is_not_served_is_answered_with_the_newest,
    session_ids_are_long_and_random,
    the_version_header_must_be_the_sessions,
    a_session_works_before_initialized_is_said,
);

async fn every_revision_is_agreed_on(world: World) {
    for revision in REVISIONS {
        let client = world.client_of(revision, json!({})).await;
        assert_eq!(client.server()["protocolVersion"], revision);
        assert!(client.server()["serverInfo"]["name"].is_string());
        assert!(client.server()["capabilities"]["tools"].is_object());
        assert_eq!(client.call("ping", json!({})).await.unwrap(), json!({}));
        assert_eq!(
            world.elsewhere(&client).call("ping", json!({})).await.unwrap(),
            json!({})
        );
    }
}

async fn a_revision_that_is_not_served_is_answered_with_the_newest(world: World) {
    for revision in ["1999-12-31", "2099-01-01", "2025-11-26", "draft", ""] {
        let client = world.client_of(revision, json!({})).await;
        assert_eq!(client.server()["protocolVersion"], NEWEST, "for {revision:?}");
    }
}

async fn session_ids_are_long_and_random(world: World) {
    let mut seen = HashSet::new();
    for _ in 0..8 {
        let id = world.client().await.session_id().to_owned();
        // 256 bits in an alphabet of 64.
        assert!(id.len() >= 43, "{id:?} is short");
        assert!(
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
            "{id:?}"
        );
        assert!(seen.insert(id));
    }
}

async fn the_version_header_must_be_the_sessions(world: World) {
    for revision in ["2025-06-18", "2025-11-25"] {
        let client = world.client_of(revision, json!({})).await;
        let status = async |version| {
            let client = client.with_version(version);
            client.request("ping", json!({})).await.unwrap().status
        };
        assert_eq!(status(Some(revision)).await, 200);
        // The session tells the version too.
        assert_eq!(status(None).await, 200);
        for other in ["2025-03-26", "2024-11-05", "1999-12-31", "nonsense"] {
            assert_eq!(
                status(Some(other)).await,
                400,
                "{other} in a session of {revision}"
            );
            let client = client.with_version(Some(other));
            assert_eq!(client.try_get(None).await.unwrap().status, 400);
        }
        let refused = client
            .with_version(Some("nonsense"))
            .request_as(json!("an id"), "ping", json!({}))
            .await;
        let refused = refused.unwrap();
        assert_eq!(
            (refused.error_code(), &refused.json()["id"]),
            (-32600, &json!("an id"))
        );
    }
    // Before 2025-06-18 there is no such header, and nothing it could mean.
    let client = world
        .client_of("2025-03-26", json!({}))
        .await
        .with_version(Some("1999-12-31"));
    assert_eq!(client.request("ping", json!({})).await.unwrap().status, 200);
}

async fn a_session_works_before_initialized_is_said(world: World) {
    let client = McpClient::begin(&world.edge(0), NEWEST, json!({}), Some(&world.token))
        .await
        .unwrap();
    assert!(client.call("ping", json!({})).await.is_ok());
    assert_eq!(
        client
            .notify("notifications/initialized", json!({}))
            .await
            .unwrap()
            .status,
        202
    );
    // Once is enough, twice does no harm.
    assert_eq!(
        client
            .notify("notifications/initialized", json!({}))
            .await
            .unwrap()
            .status,
        202
    );
    assert!(client.call("tools/list", json!({})).await.is_ok());
}
