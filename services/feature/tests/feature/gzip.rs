//! `gzipAsResource` and the resources it leaves in a session.

use std::io::Read;

use base64::{Engine, engine::general_purpose::STANDARD};
use change_feed::{ChangeFeed, ChangeId};
use everything_feature::Config;
use everything_proto::{
    events::v1::{change, list_changed::List},
    feature::v1::{CallContext, ListResourcesRequest},
};
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::harness::{Feature, alice, bob, error, quiet, result};

fn unzip(blob: &Value) -> String {
    let bytes = STANDARD.decode(blob.as_str().unwrap()).unwrap();
    let mut text = String::new();
    GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    text
}

/// What the last pages list after the static resources and the user interface.
async fn own(feature: &Feature, context: CallContext) -> Vec<String> {
    let (mut uris, mut cursor) = (Vec::new(), None);
    loop {
        let request = ListResourcesRequest {
            context: Some(context.clone()),
            cursor,
        };
        let page = feature
            .client
            .clone()
            .list_resources(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(page.error, None);
        uris.extend(page.resources.into_iter().map(|resource| resource.uri));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return uris.split_off(101);
        }
    }
}

#[tokio::test]
async fn a_link_leads_to_the_compressed_data() {
    let feature = Feature::start().await;
    let arguments =
        json!({ "name": "my notes.gz", "data": ["one ", "data:,two%20", "data:;base64,dGhyZWU="] });
    let result_of_call = feature.call("gzipAsResource", arguments).await;
    let mut link = result_of_call["content"][0].clone();
    let uri = link["uri"].take().as_str().unwrap().to_owned();
    assert!(
        uri.starts_with("test://session/resource/") && uri.ends_with("/my%20notes.gz"),
        "{uri}"
    );
    let size = link["size"].take().as_u64().unwrap();
    assert_eq!(
        link,
        json!({
            "type": "resource_link",
            "uri": null,
            "name": "my notes.gz",
            "description": "Gzip-compressed file \"my notes.gz\", readable in the current session for a while.",
            "mimeType": "application/gzip",
            "size": null,
        })
    );

    let read = result(feature.read(alice(), &uri).await);
    let contents = &read["contents"][0];
    assert_eq!(
        (&contents["uri"], &contents["mimeType"]),
        (&json!(uri), &json!("application/gzip"))
    );
    assert_eq!(unzip(&contents["blob"]), "one two three");
    let bytes = STANDARD.decode(contents["blob"].as_str().unwrap()).unwrap();
    assert_eq!(bytes.len() as u64, size);
    assert_eq!(result(feature.subscribe(alice(), &uri).await), json!({}));
    assert_eq!(own(&feature, alice()).await, [uri]);
}

#[tokio::test]
async fn the_resource_itself_can_be_returned() {
    let feature = Feature::start().await;
    let arguments = json!({ "data": "hello", "outputType": "resource" });
    let result = feature.call("gzipAsResource", arguments).await;
    let resource = &result["content"][0]["resource"];
    assert_eq!(result["content"][0]["type"], "resource");
    assert_eq!(resource["mimeType"], "application/gzip");
    assert!(resource["uri"].as_str().unwrap().ends_with("/README.md.gz"));
    assert_eq!(unzip(&resource["blob"]), "hello");
}

#[tokio::test]
async fn nobody_else_sees_the_resource() {
    let feature = Feature::start().await;
    let result = feature.call("gzipAsResource", json!({ "data": "secret" })).await;
    let uri = result["content"][0]["uri"].as_str().unwrap();
    let other_session = CallContext {
        session_key: "another".to_owned(),
        ..alice()
    };
    for context in [bob(), other_session] {
        assert_eq!(own(&feature, context.clone()).await, Vec::<String>::new());
        assert_eq!(error(feature.read(context.clone(), uri).await).code, -32002);
        assert_eq!(error(feature.subscribe(context, uri).await).code, -32002);
    }
    let (start, _) = uri.rsplit_once('/').unwrap();
    assert_eq!(
        error(feature.read(alice(), &format!("{start}/other-name")).await).code,
        -32002
    );
}

#[tokio::test]
async fn without_a_session_the_user_owns_the_resource() {
    let feature = Feature::start().await;
    let no_session = |context: CallContext| CallContext {
        session_key: String::new(),
        ..context
    };
    let events = feature
        .call_in(no_session(alice()), "gzipAsResource", json!({ "data": "x" }))
        .await;
    let uri = result(events)["content"][0]["uri"].as_str().unwrap().to_owned();
    result(feature.read(no_session(alice()), &uri).await);
    assert_eq!(error(feature.read(no_session(bob()), &uri).await).code, -32002);
}

#[tokio::test]
async fn the_session_is_told_that_its_list_has_grown() {
    let feature = Feature::start().await;
    feature.call("gzipAsResource", json!({ "data": "x" })).await;
    let changes = feature.feed.since(ChangeId::ZERO).await.unwrap();
    let [(_, change)] = &changes[..] else {
        panic!("{changes:?}")
    };
    assert_eq!(change.session_key, "alice-session");
    let Some(change::Change::ListChanged(changed)) = &change.change else {
        panic!("{change:?}")
    };
    assert_eq!(changed.list(), List::Resources);
}

#[tokio::test]
async fn a_session_keeps_only_so_much() {
    let config = Config {
        session_resource_count: 12,
        session_resource_bytes: 1000,
        ..quiet()
    };
    let feature = Feature::start_with(config).await;
    for _ in 0..12 {
        let result = feature.call("gzipAsResource", json!({ "data": "x" })).await;
        assert_eq!(result.get("isError"), None);
    }
    assert_eq!(own(&feature, alice()).await.len(), 12);
    let result_of_call = feature.call("gzipAsResource", json!({ "data": "x" })).await;
    assert_eq!(
        result_of_call,
        json!({
            "content": [{
                "type": "text",
                "text": "There are already 12 such resources, as many as can be kept. They go away by themselves.",
            }],
            "isError": true,
        })
    );

    let noise: String = (0_u64..4000).map(|index| (index * index).to_string()).collect();
    let events = feature
        .call_in(bob(), "gzipAsResource", json!({ "data": noise }))
        .await;
    assert_eq!(
        result(events)["content"][0]["text"],
        "Such resources may hold 1000 bytes in all, and this one does not fit in. They go away by themselves."
    );
}

#[tokio::test]
async fn what_is_not_taken_is_named() {
    let feature = Feature::start().await;
    for (data, problem) in [
        (
            json!("https://example.com/x"),
            "data: URLs are not fetched; pass text or a data: URI",
        ),
        (
            json!("file:///etc/passwd"),
            "data: URLs are not fetched; pass text or a data: URI",
        ),
        (
            json!(["ok", "data:;base64,?"]),
            "data[1]: is a data: URI whose base64 is not valid",
        ),
        (
            json!("x".repeat(1024 * 1024 + 1)),
            "data: must have at most 1048576 bytes in all",
        ),
    ] {
        let result = feature.call("gzipAsResource", json!({ "data": data })).await;
        assert_eq!(
            result["content"][0]["text"],
            format!("Invalid arguments for tool gzipAsResource:\n- {problem}")
        );
        assert_eq!(result["isError"], true);
    }
    for name in ["", "a/b", "a\\b", "a\u{0}b", "a\nb"] {
        let result = feature
            .call("gzipAsResource", json!({ "data": "x", "name": name }))
            .await;
        assert_eq!(result["isError"], true, "{name:?}");
    }
}
