//! What no revision allows a client to say is refused, and the parameter named.

use everything_edge::{
    jsonrpc::{INVALID_PARAMS, METHOD_NOT_FOUND},
    revisions::{self, WithSessions},
};
use serde_json::{Value, json};

use crate::{
    requests::{message, read},
    schema,
};

#[test]
fn what_the_schema_forbids_is_refused_by_name() {
    let info = json!({ "name": "n", "version": "1" });
    let reference = json!({ "type": "ref/prompt", "name": "p" });
    let wrong = [
        (
            "initialize",
            Value::Null,
            "`protocolVersion` is missing; it must be a string",
        ),
        (
            "initialize",
            json!({ "protocolVersion": 1, "capabilities": {}, "clientInfo": info }),
            "`protocolVersion` must be a string",
        ),
        (
            "initialize",
            json!({ "protocolVersion": "1", "clientInfo": info }),
            "`capabilities` is missing; it must be an object",
        ),
        (
            "initialize",
            json!({ "protocolVersion": "1", "capabilities": [], "clientInfo": info }),
            "`capabilities` must be an object",
        ),
        (
            "initialize",
            json!({ "protocolVersion": "1", "capabilities": { "roots": true }, "clientInfo": info }),
            "`capabilities.roots` must be an object",
        ),
        (
            "initialize",
            json!({ "protocolVersion": "1", "capabilities": {} }),
            "`clientInfo` is missing; it must be an object",
        ),
        (
            "initialize",
            json!({ "protocolVersion": "1", "capabilities": {}, "clientInfo": { "name": "n" } }),
            "`clientInfo.version` is missing; it must be a string",
        ),
        (
            "initialize",
            json!({ "protocolVersion": "1", "capabilities": {}, "clientInfo": { "name": 1, "version": "1" } }),
            "`clientInfo.name` must be a string",
        ),
        ("tools/list", json!({ "cursor": 1 }), "`cursor` must be a string"),
        (
            "resources/list",
            json!({ "cursor": null }),
            "`cursor` must be a string",
        ),
        (
            "resources/templates/list",
            json!({ "cursor": {} }),
            "`cursor` must be a string",
        ),
        (
            "prompts/list",
            json!({ "cursor": [] }),
            "`cursor` must be a string",
        ),
        (
            "tools/call",
            Value::Null,
            "`name` is missing; it must be a string",
        ),
        ("tools/call", json!({ "name": 1 }), "`name` must be a string"),
        (
            "tools/call",
            json!({ "name": "t", "arguments": [] }),
            "`arguments` must be an object",
        ),
        (
            "tools/call",
            json!({ "name": "t", "arguments": null }),
            "`arguments` must be an object",
        ),
        (
            "resources/read",
            json!({}),
            "`uri` is missing; it must be a string",
        ),
        ("resources/read", json!({ "uri": {} }), "`uri` must be a string"),
        (
            "resources/subscribe",
            json!({}),
            "`uri` is missing; it must be a string",
        ),
        (
            "resources/unsubscribe",
            json!({ "uri": 1 }),
            "`uri` must be a string",
        ),
        (
            "prompts/get",
            json!({ "arguments": {} }),
            "`name` is missing; it must be a string",
        ),
        (
            "prompts/get",
            json!({ "name": "p", "arguments": "a" }),
            "`arguments` must be an object",
        ),
        (
            "prompts/get",
            json!({ "name": "p", "arguments": { "a": 1 } }),
            "`a` in `arguments` must be a string",
        ),
        (
            "completion/complete",
            json!({ "argument": { "name": "a", "value": "" } }),
            "`ref` is missing; it must be an object",
        ),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/x", "name": "p" }, "argument": { "name": "a", "value": "" } }),
            "`ref.type` must be \"ref/prompt\" or \"ref/resource\"",
        ),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt" }, "argument": { "name": "a", "value": "" } }),
            "`ref.name` is missing; it must be a string",
        ),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/resource" }, "argument": { "name": "a", "value": "" } }),
            "`ref.uri` is missing; it must be a string",
        ),
        (
            "completion/complete",
            json!({ "ref": reference }),
            "`argument` is missing; it must be an object",
        ),
        (
            "completion/complete",
            json!({ "ref": reference, "argument": { "name": "a" } }),
            "`argument.value` is missing; it must be a string",
        ),
        (
            "completion/complete",
            json!({ "ref": reference, "argument": { "name": "a", "value": 1 } }),
            "`argument.value` must be a string",
        ),
        (
            "logging/setLevel",
            json!({}),
            "`level` is missing; it must be a string",
        ),
        (
            "logging/setLevel",
            json!({ "level": "trace" }),
            "`level` must be one of debug, info, notice, warning, error, critical, alert, emergency",
        ),
    ];
    for schema in schema::all() {
        for (method, params, sentence) in &wrong {
            assert!(
                !schema.is_valid("ClientRequest", &message(method, params)),
                "{method} {params}"
            );
            assert_refused(schema.revision, method, params, sentence);
        }
    }
}

#[test]
fn what_every_json_rpc_message_forbids_is_refused_too() {
    let long = "x".repeat(5_000);
    for revision in revisions::all() {
        assert_refused(
            *revision,
            "ping",
            &json!({ "_meta": 1 }),
            "`_meta` must be an object",
        );
        for token in [json!(1.5), json!(null), json!({}), json!(true)] {
            let params = json!({ "_meta": { "progressToken": token } });
            assert_refused(
                *revision,
                "ping",
                &params,
                "`_meta.progressToken` must be a string or an integer",
            );
        }
        let params = json!({ "_meta": { "progressToken": long } });
        assert_refused(
            *revision,
            "ping",
            &params,
            "`_meta.progressToken` must not be longer than 1024 bytes",
        );
        let params = json!({ "uri": long });
        assert_refused(
            *revision,
            "resources/subscribe",
            &params,
            "`uri` must be at most 4096 bytes long",
        );
        let arguments: Value = (0..101)
            .map(|n| (format!("a{n}"), json!("1")))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let params = json!({ "name": "p", "arguments": arguments });
        assert_refused(
            *revision,
            "prompts/get",
            &params,
            "`arguments` must not have more than 100 members, nor one twice",
        );
        let twice =
            serde_json::from_str::<&serde_json::value::RawValue>(r#"{"name":"a","name":"b"}"#).unwrap();
        let error = revision.request("tools/call", Some(twice)).err().unwrap();
        assert_eq!(
            error.message,
            "`params` must be an object in which no parameter occurs twice"
        );
        let params = json!({ "protocolVersion": "1", "capabilities": { "experimental": { "x": { "y": "z".repeat(70_000) } } },
            "clientInfo": { "name": "n", "version": "1" } });
        assert_refused(
            *revision,
            "initialize",
            &params,
            "`capabilities` must be at most 65536 bytes long",
        );
    }
}

#[track_caller]
fn assert_refused(revision: &dyn WithSessions, method: &str, params: &Value, sentence: &str) {
    let error = read(revision, method, params).err().unwrap();
    assert_eq!(
        (error.code, error.message.as_str()),
        (INVALID_PARAMS, sentence),
        "{}",
        revision.version()
    );
}

#[test]
fn unknown_methods_are_not_found() {
    for revision in revisions::all() {
        for method in [
            "",
            "tools/List",
            "server/discover",
            "subscriptions/listen",
            "notifications/initialized",
        ] {
            let error = read(*revision, method, &json!({ "anything": 1 })).err().unwrap();
            assert_eq!(
                (error.code, error.message),
                (METHOD_NOT_FOUND, format!("unknown method `{method}`"))
            );
        }
    }
}
