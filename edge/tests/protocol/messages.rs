//! Every message that the server begins, and every error, held against the schema of its revision.

use bytes::Bytes;
use everything_edge::{
    jsonrpc::{self, RequestId},
    revisions::WithSessions,
};
use everything_proto::{
    events::v1::{BroadcastLog, Change, ListChanged, ResourcesUpdated, Stderr, change},
    feature::v1::{
        ClientCapabilities, Error, InputRequest, ListRoots, Log, Progress, input_request::Request,
    },
};
use serde_json::{json, value::to_raw_value};

use crate::{
    emitted::{SEEDS, value},
    generate::{self, Seed, bytes},
    schema,
};

#[test]
fn notifications_are_of_their_revision() {
    for schema in schema::all() {
        let revision = schema.revision;
        let check = |definition: &str, message: &Bytes| schema.check_message(definition, &value(message));
        for token in [json!("t\"1"), json!(7)] {
            let token = to_raw_value(&token).unwrap();
            for progress in [
                Progress {
                    progress: 1.0,
                    total: Some(5.0),
                    message: "half".into(),
                },
                Progress {
                    progress: 0.25,
                    total: None,
                    message: String::new(),
                },
                Progress {
                    progress: f64::NAN,
                    total: Some(f64::INFINITY),
                    message: String::new(),
                },
            ] {
                check("ProgressNotification", &revision.progress(&token, &progress));
            }
        }
        for level in -1..=9 {
            let log = Log {
                level,
                logger: "l".into(),
                data_json: Bytes::from_static(b" {\"a\": 1}"),
            };
            check("LoggingMessageNotification", &revision.log(&log));
        }
        let broken = Log {
            level: 1,
            logger: String::new(),
            data_json: Bytes::from_static(b"{"),
        };
        check("LoggingMessageNotification", &revision.log(&broken));
        check(
            "ResourceUpdatedNotification",
            &revision.resource_updated("test://static/resource/1"),
        );
        check("CancelledNotification", &revision.cancelled("s-1", None));
        check(
            "CancelledNotification",
            &revision.cancelled("s-1", Some("too \"late\"")),
        );

        let change = |change| {
            revision.change(&Change {
                change: Some(change),
                ..Change::default()
            })
        };
        for (list, definition) in [
            (1, "ToolListChangedNotification"),
            (2, "ResourceListChangedNotification"),
            (3, "PromptListChangedNotification"),
        ] {
            check(
                definition,
                &change(change::Change::ListChanged(ListChanged { list })).unwrap(),
            );
        }
        let log = BroadcastLog {
            level: 4,
            logger: String::new(),
            data_json: Bytes::from_static(b"\"m\""),
        };
        check(
            "LoggingMessageNotification",
            &change(change::Change::Log(log)).unwrap(),
        );
        let stderr = change(change::Change::Stderr(Stderr {
            content: "line".into(),
        }))
        .unwrap();
        check("JSONRPCNotification", &stderr);
        assert_eq!(
            stderr,
            r#"{"jsonrpc":"2.0","method":"notifications/stderr","params":{"content":"line"}}"#
        );
        assert_eq!(
            change(change::Change::ResourcesUpdated(ResourcesUpdated::default())),
            None
        );
        assert_eq!(change(change::Change::ListChanged(ListChanged::default())), None);
        assert_eq!(revision.change(&Change::default()), None);
    }
}

#[test]
fn questions_are_of_their_revision() {
    let able = ClientCapabilities {
        sampling: true,
        sampling_tools: true,
        sampling_context: true,
        elicitation_form: true,
        elicitation_url: true,
        roots: true,
        ..ClientCapabilities::default()
    };
    for schema in schema::all() {
        let revision = schema.revision;
        let ask = |request| {
            revision.input_request(
                "s-1",
                &InputRequest {
                    key: "k".into(),
                    request: Some(request),
                },
                &able,
            )
        };
        let check = |definition: &str, message: &Bytes| schema.check_message(definition, &value(message));
        for seed in 0..SEEDS {
            let seed = &mut Seed::new(seed);
            let plain = generate::sampling(seed, false);
            check(
                "CreateMessageRequest",
                &ask(Request::SamplingJson(bytes(&plain))).unwrap(),
            );
            let with_tools = ask(Request::SamplingJson(bytes(&generate::sampling(seed, true))));
            match with_tools {
                Ok(message) => check("CreateMessageRequest", &message),
                Err(error) => {
                    assert!(error.message.contains("sampling.tools") && !schema.has("ToolUseContent"))
                }
            }
        }
        check(
            "ListRootsRequest",
            &ask(Request::ListRoots(ListRoots {})).unwrap(),
        );
        let form = ask(Request::ElicitationFormJson(bytes(&generate::form(&[
            "name", "titled",
        ]))));
        let url = json!({ "mode": "url", "message": "go", "url": "https://example.org/" });
        let url = ask(Request::ElicitationUrlJson(bytes(&url)));
        if schema.has("ElicitRequest") {
            check("ElicitRequest", &form.unwrap());
        } else {
            assert!(form.unwrap_err().message.contains("elicitation"));
        }
        if schema.has("ElicitRequestURLParams") {
            check("ElicitRequest", &url.unwrap());
        } else {
            assert!(url.unwrap_err().message.contains("elicitation.url"));
        }
    }
}

#[test]
fn errors_are_of_their_revision() {
    for schema in schema::all() {
        let definition = if schema.has("JSONRPCError") {
            "JSONRPCError"
        } else {
            "JSONRPCErrorResponse"
        };
        for error in [
            feature_error(schema.revision, -32602, r#"{"uri":"test://no"}"#),
            feature_error(schema.revision, -32603, ""),
            feature_error(schema.revision, 7, "not json"),
        ] {
            let message = value(&jsonrpc::error(Some(&RequestId::from("x")), &error));
            schema.check(definition, &message);
            schema.check_valid("JSONRPCMessage", &message);
        }
    }
}

#[test]
fn errors_have_the_code_of_their_revision() {
    for schema in schema::all() {
        let revision = schema.revision;
        let code = |code, data| feature_error(revision, code, data).code;
        // "Resources", error handling: -32002 up to 2025-11-25, under either code that a feature may give.
        assert_eq!(code(-32002, r#"{"uri":"test://no"}"#), -32002);
        assert_eq!(code(-32602, r#"{"uri":"test://no"}"#), -32002);
        assert_eq!(code(-32602, r#"{"uri":7}"#), -32602);
        assert_eq!(code(-32602, ""), -32602);
        assert_eq!(
            code(-32021, r#"{"requiredCapabilities":{"sampling":{}}}"#),
            -32600
        );
        let error = feature_error(revision, -32021, r#"{"requiredCapabilities":{"sampling":{}}}"#);
        assert_eq!(
            error.data.unwrap().get(),
            r#"{"requiredCapabilities":{"sampling":{}}}"#
        );
        assert_eq!(error.message, "why");
        assert!(feature_error(revision, -32603, "{").data.is_none());
    }
}

fn feature_error(revision: &dyn WithSessions, code: i32, data: &'static str) -> jsonrpc::RpcError {
    revision.feature_error(&Error {
        code,
        message: "why".into(),
        data_json: Bytes::from_static(data.as_bytes()),
    })
}
