//! Redis goes away and comes back.

use std::{sync::Arc, time::Duration};

use change_feed::RedisFeed;
use everything_feature::{Dependencies, store::RedisStore};
use everything_proto::feature::v1::{CallToolRequest, ListResourcesRequest, ReadResourceRequest};
use redis_store::{Redis, testing::RedisServer};
use serde_json::json;
use tonic::{Code, Status};

use crate::harness::{alice, collect, quiet, result, serve};

#[tokio::test]
async fn what_needs_redis_fails_clearly_while_it_is_away_and_the_rest_goes_on() {
    let mut server = RedisServer::start().await;
    let redis = Redis::connect(&server.address()).unwrap();
    let config = quiet();
    // Its own readiness, so that calls reach the replica while Redis is away.
    let dependencies = Dependencies {
        store: Arc::new(RedisStore::new(redis.clone(), config.limits())),
        feed: Arc::new(RedisFeed::new(redis)),
        readiness: serving::always_ready(),
        metrics: telemetry::Metrics::none(),
    };
    let (mut client, _stop) = serve(config, dependencies).await;
    let gzip = || CallToolRequest {
        context: Some(alice()),
        name: "gzipAsResource".to_owned(),
        arguments_json: json!({ "data": "x" }).to_string().into(),
    };

    let stored = result(collect(client.call_tool(gzip()).await.unwrap().into_inner()).await);
    let uri = stored["content"][0]["uri"].as_str().unwrap().to_owned();

    server.kill();
    let refused = client
        .call_tool(gzip())
        .await
        .unwrap()
        .into_inner()
        .message()
        .await
        .unwrap_err();
    assert_unavailable(&refused);
    let own = ReadResourceRequest {
        context: Some(alice()),
        uri: uri.clone(),
    };
    let refused = client
        .read_resource(own.clone())
        .await
        .unwrap()
        .into_inner()
        .message()
        .await
        .unwrap_err();
    assert_unavailable(&refused);
    let first_page = ListResourcesRequest {
        context: Some(alice()),
        cursor: None,
    };
    assert_eq!(
        client
            .list_resources(first_page)
            .await
            .unwrap()
            .into_inner()
            .resources
            .len(),
        10
    );
    let echo = CallToolRequest {
        name: "echo".to_owned(),
        arguments_json: json!({ "message": "x" }).to_string().into(),
        ..gzip()
    };
    result(collect(client.call_tool(echo).await.unwrap().into_inner()).await);

    server.restart().await;
    let back = async {
        loop {
            match client
                .call_tool(gzip())
                .await
                .unwrap()
                .into_inner()
                .message()
                .await
            {
                Ok(_) => return,
                Err(status) => assert_unavailable(&status),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), back)
        .await
        .expect("it comes back by itself");
}

/// Nothing of what is inside is told.
fn assert_unavailable(status: &Status) {
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the store of session resources is unavailable")
    );
}
