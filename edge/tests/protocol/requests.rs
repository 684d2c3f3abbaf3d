//! What clients may say: all that their schema allows is read.

use everything_edge::{
    jsonrpc::{INVALID_PARAMS, RpcError},
    revisions::{self, ClientNotification, ClientRequest, Reference, RequestMeta, WithSessions},
};
use everything_proto::feature::v1::LogLevel;
use serde_json::{Value, json, value::to_raw_value};

use crate::schema::{self, Schema};

pub fn read(
    revision: &dyn WithSessions,
    method: &str,
    params: &Value,
) -> Result<(ClientRequest, RequestMeta), RpcError> {
    let params = (!params.is_null()).then(|| to_raw_value(params).unwrap());
    revision.request(method, params.as_deref())
}

pub fn message(method: &str, params: &Value) -> Value {
    let mut message = json!({ "jsonrpc": "2.0", "id": 1, "method": method });
    if !params.is_null() {
        message["params"] = params.clone();
    }
    message
}

/// Reads what must be valid for this revision.
fn accept(schema: &Schema, method: &str, params: Value) -> (ClientRequest, RequestMeta) {
    let message = message(method, &params);
    schema.check_valid("ClientRequest", &message);
    schema.check_valid("JSONRPCMessage", &message);
    read(schema.revision, method, &params)
        .unwrap_or_else(|error| panic!("{} {method}: {error}", schema.version()))
}

#[test]
fn every_request_is_read() {
    for schema in schema::all() {
        let is = |method, params, check: fn(ClientRequest) -> bool| {
            let (request, _) = accept(&schema, method, params);
            assert!(check(request), "{} {method}", schema.version());
        };
        use ClientRequest as R;
        is("ping", Value::Null, |request| matches!(request, R::Ping));
        is("ping", json!({}), |request| matches!(request, R::Ping));
        is("tools/list", Value::Null, |request| {
            matches!(request, R::ListTools { cursor: None })
        });
        is(
            "tools/list",
            json!({ "cursor": "c" }),
            |request| matches!(request, R::ListTools { cursor: Some(cursor) } if cursor == "c"),
        );
        is("resources/list", json!({}), |request| {
            matches!(request, R::ListResources { cursor: None })
        });
        is("resources/templates/list", json!({}), |r| {
            matches!(r, R::ListResourceTemplates { cursor: None })
        });
        is("prompts/list", json!({ "cursor": "" }), |r| {
            matches!(r, R::ListPrompts { cursor: Some(_) })
        });
        is(
            "tools/call",
            json!({ "name": "t" }),
            |request| matches!(request, R::CallTool { name, arguments: None, task: None } if name == "t"),
        );
        is(
            "tools/call",
            json!({ "name": "t", "arguments": { "a": [1.5, null] }, "unknown": 1 }),
            |request| matches!(request, R::CallTool { arguments: Some(raw), .. } if raw.get() == r#"{"a":[1.5,null]}"#),
        );
        is(
            "resources/read",
            json!({ "uri": "test://a" }),
            |r| matches!(r, R::ReadResource { uri } if uri == "test://a"),
        );
        is("resources/subscribe", json!({ "uri": "test://a" }), |r| {
            matches!(r, R::Subscribe { .. })
        });
        is("resources/unsubscribe", json!({ "uri": "test://a" }), |r| {
            matches!(r, R::Unsubscribe { .. })
        });
        is(
            "prompts/get",
            json!({ "name": "p" }),
            |request| matches!(request, R::GetPrompt { name, arguments } if name == "p" && arguments.is_empty()),
        );
        is(
            "prompts/get",
            json!({ "name": "p", "arguments": { "a": "1", "b": "\n" } }),
            |request| matches!(request, R::GetPrompt { arguments, .. } if arguments["b"] == "\n" && arguments.len() == 2),
        );
        is("logging/setLevel", json!({ "level": "emergency" }), |request| {
            matches!(
                request,
                R::SetLogLevel {
                    level: LogLevel::Emergency
                }
            )
        });
        is("logging/setLevel", json!({ "level": "debug" }), |request| {
            matches!(
                request,
                R::SetLogLevel {
                    level: LogLevel::Debug
                }
            )
        });
    }
}

#[test]
fn completion_has_a_context_where_the_revision_has_one() {
    for schema in schema::all() {
        let params = json!({
            "ref": { "type": "ref/prompt", "name": "p" }, "argument": { "name": "a", "value": "" },
            "context": { "arguments": { "b": "1" } },
        });
        let (ClientRequest::Complete(complete), _) = accept(&schema, "completion/complete", params) else {
            panic!()
        };
        assert_eq!(complete.reference, Reference::Prompt("p".into()));
        assert_eq!((complete.argument.as_str(), complete.value.as_str()), ("a", ""));
        let has_context = matches!(schema.version(), "2025-06-18" | "2025-11-25");
        assert_eq!(complete.resolved_arguments.contains_key("b"), has_context);

        let params = json!({
            "ref": { "type": "ref/resource", "uri": "test://{id}" }, "argument": { "name": "id", "value": "1" },
        });
        let (ClientRequest::Complete(complete), _) = accept(&schema, "completion/complete", params) else {
            panic!()
        };
        assert_eq!(
            complete.reference,
            Reference::ResourceTemplate("test://{id}".into())
        );
    }
}

#[test]
fn initialize_is_read_whatever_version_it_asks_for() {
    for schema in schema::all() {
        for version in ["2024-11-05", "2025-11-25", "2099-01-01", "not a version"] {
            let params = json!({
                "protocolVersion": version,
                "capabilities": { "roots": { "listChanged": true }, "sampling": {}, "experimental": { "x": {} } },
                "clientInfo": { "name": "n", "version": "1", "more": [] },
                "_meta": { "progressToken": 1 },
            });
            let (ClientRequest::Initialize(initialize), _) = accept(&schema, "initialize", params) else {
                panic!()
            };
            assert_eq!(initialize.protocol_version, version);
            assert_eq!(
                initialize.client_info.get(),
                r#"{"name":"n","version":"1","more":[]}"#
            );
            assert!(
                schema
                    .revision
                    .client_capabilities(&initialize.capabilities)
                    .sampling
            );
        }
    }
}

#[test]
fn the_version_is_negotiated() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        assert_eq!(revisions::negotiate(version).version(), version);
        assert_eq!(revisions::by_version(version).unwrap().version(), version);
    }
    for version in ["", "2024-10-07", "2099-01-01", "2025-11-25 "] {
        assert_eq!(revisions::negotiate(version).version(), "2025-11-25");
        assert!(revisions::by_version(version).is_none());
    }
}

#[test]
fn transports_differ_by_revision() {
    let rules = |version| {
        let revision = revisions::by_version(version).unwrap();
        (
            revision.accepts_batches(),
            revision.requires_version_header(),
            revision.primes_streams(),
        )
    };
    assert_eq!(rules("2024-11-05"), (false, false, false));
    assert_eq!(rules("2025-03-26"), (true, false, false));
    assert_eq!(rules("2025-06-18"), (false, true, false));
    assert_eq!(rules("2025-11-25"), (false, true, true));
}

#[test]
fn meta_carries_the_progress_token_and_the_trace() {
    for schema in schema::all() {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let params = json!({
            "name": "t",
            "_meta": { "progressToken": "p\"1", "traceparent": traceparent, "tracestate": "a=b", "other": {} },
        });
        let (_, meta) = accept(&schema, "tools/call", params);
        assert_eq!(meta.progress_token.unwrap().get(), r#""p\"1""#);
        assert_eq!(meta.traceparent.as_deref(), Some(traceparent));
        assert_eq!(meta.tracestate.as_deref(), Some("a=b"));
        let (_, meta) = accept(
            &schema,
            "ping",
            json!({ "_meta": { "progressToken": -7, "traceparent": 7 } }),
        );
        assert_eq!(meta.progress_token.unwrap().get(), "-7");
        assert_eq!((meta.traceparent, meta.tracestate), (None, None));
    }
}

#[test]
fn notifications_are_read() {
    for schema in schema::all() {
        let read = |method: &str, params: Value| {
            let raw = (!params.is_null()).then(|| to_raw_value(&params).unwrap());
            let mut message = message(method, &params);
            message.as_object_mut().unwrap().remove("id");
            let read = schema
                .revision
                .notification(method, raw.as_deref())
                .map_err(|error| error.code);
            (read, schema.is_valid("ClientNotification", &message))
        };
        let reads =
            |method, params, expected| assert_eq!(read(method, params), (Ok(expected), true), "{method}");
        use ClientNotification as N;
        reads("notifications/initialized", Value::Null, N::Initialized);
        reads(
            "notifications/initialized",
            json!({ "_meta": {} }),
            N::Initialized,
        );
        reads(
            "notifications/cancelled",
            json!({ "requestId": 1 }),
            N::Cancelled {
                request_id: 1.into(),
                reason: None,
            },
        );
        reads(
            "notifications/cancelled",
            json!({ "requestId": "a", "reason": "r" }),
            N::Cancelled {
                request_id: "a".into(),
                reason: Some("r".into()),
            },
        );
        reads(
            "notifications/progress",
            json!({ "progressToken": 1, "progress": 0.5 }),
            N::Progress,
        );
        reads(
            "notifications/roots/list_changed",
            Value::Null,
            N::RootsListChanged,
        );
        assert_eq!(read("notifications/unheard", json!({})), (Ok(N::Unknown), false));
        for params in [
            json!({ "requestId": 1.5 }),
            json!({ "requestId": null }),
            json!({ "requestId": 1, "reason": 2 }),
        ] {
            let (read, valid) = read("notifications/cancelled", params);
            assert!(!valid && read == Err(INVALID_PARAMS));
        }
    }
}
