//! The revision without sessions, held against its schema: every result, question, notification and error.

use bytes::Bytes;
use everything_edge::{
    jsonrpc::{self, RequestId, RpcError},
    revisions::{self, Filter, mirrored_headers},
};
use everything_proto::{
    events::v1::{Change, ListChanged, change},
    feature::v1::{
        CacheHint, ClientCapabilities, Error, InputRequest, ListRoots, Log, Progress, input_request::Request,
    },
};
use http::HeaderMap;
use serde_json::{Value, json, value::to_raw_value};

use crate::{
    emitted::{SEEDS, check_result, value},
    generate::{self, Seed, bytes},
    schema,
};

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// What every result of this revision says.
#[track_caller]
fn assert_complete(result: &Bytes, info: &Bytes) {
    let result = value(result);
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["_meta"][SERVER_INFO], value(info));
}

#[track_caller]
fn assert_cacheable(result: &Bytes) {
    let result = value(result);
    assert!(result["ttlMs"].is_u64(), "{result}");
    assert!(
        ["public", "private"].contains(&result["cacheScope"].as_str().unwrap()),
        "{result}"
    );
}

#[test]
fn lists_and_discovery_are_of_the_revision() {
    let schema = schema::stateless();
    let revision = schema.revision;
    for seed in 0..SEEDS {
        let seed = &mut Seed::new(seed);
        let server = generate::describe(seed);
        let info = revision.server_info(&server);
        schema.check("Implementation", &value(&info));
        let hint = CacheHint {
            ttl_ms: seed.below(100) as u64,
            scope: seed.below(4) as i32,
        };
        let discovered = revision.discover_result(&server, &revisions::all_versions());
        for (definition, result, cache) in [
            ("DiscoverResult", discovered, Some(&hint)),
            ("ListToolsResult", revision.tools(&generate::tools(seed)), None),
            (
                "ListResourcesResult",
                revision.resources(&generate::resources(seed)),
                None,
            ),
            (
                "ListResourceTemplatesResult",
                revision.resource_templates(&generate::resource_templates(seed)),
                None,
            ),
            (
                "ListPromptsResult",
                revision.prompts(&generate::prompts(seed)),
                None,
            ),
        ] {
            let result = revision.complete(&result, cache, &info);
            check_result(&schema, definition, &result);
            assert_complete(&result, &info);
            assert_cacheable(&result);
        }
        let completion = revision.completion(&generate::completion(seed));
        let completion = revision.complete(&completion, None, &info);
        check_result(&schema, "CompleteResult", &completion);
        assert_complete(&completion, &info);
    }
}

#[test]
fn results_of_calls_are_of_the_revision_and_lose_nothing() {
    let schema = schema::stateless();
    let revision = schema.revision;
    for seed in 0..SEEDS {
        let seed = &mut Seed::new(seed);
        let info = revision.server_info(&generate::describe(seed));
        let hint = CacheHint::default();
        let (tool, prompt, resource) = (
            generate::tool_result(seed),
            generate::prompt_result(seed),
            generate::resource_result(seed),
        );
        for (definition, given, worded, cache) in [
            (
                "CallToolResult",
                &tool,
                revision.call_tool_result(bytes(&tool)),
                None,
            ),
            (
                "GetPromptResult",
                &prompt,
                revision.get_prompt_result(bytes(&prompt)),
                None,
            ),
            (
                "ReadResourceResult",
                &resource,
                revision.read_resource_result(bytes(&resource)),
                Some(&hint),
            ),
        ] {
            let result = revision.complete(&worded.unwrap(), cache, &info);
            check_result(&schema, definition, &result);
            assert_complete(&result, &info);
            if cache.is_some() {
                assert_cacheable(&result);
            }
            let result = value(&result);
            for (name, member) in given.as_object().unwrap() {
                match name.as_str() {
                    "_meta" => {
                        for (name, member) in member.as_object().unwrap() {
                            assert_eq!(&result["_meta"][name], member);
                        }
                    }
                    name => assert_eq!(result.get(name), Some(member)),
                }
            }
        }
    }
}

fn able() -> ClientCapabilities {
    ClientCapabilities {
        sampling: true,
        sampling_tools: true,
        sampling_context: true,
        elicitation_form: true,
        elicitation_url: true,
        roots: true,
        ..ClientCapabilities::default()
    }
}

fn questions(seed: &mut Seed) -> Vec<InputRequest> {
    let url = json!({ "mode": "url", "message": "m", "url": "https://example.org/", "elicitationId": "1" });
    [
        Request::SamplingJson(bytes(&generate::sampling(seed, false))),
        Request::SamplingJson(bytes(&generate::sampling(seed, true))),
        Request::ElicitationFormJson(bytes(&generate::form(&["name"]))),
        Request::ElicitationUrlJson(bytes(&url)),
        Request::ListRoots(ListRoots {}),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, request)| InputRequest {
        key: format!("key \"{n}\""),
        request: Some(request),
    })
    .collect()
}

#[test]
fn questions_are_results_of_the_revision() {
    let schema = schema::stateless();
    let revision = schema.revision;
    for seed in 0..SEEDS {
        let seed = &mut Seed::new(seed);
        let info = revision.server_info(&generate::describe(seed));
        let asked = questions(seed);
        let result = revision.input_required(&asked, "st\"ate", &able()).unwrap();
        let result = revision.signed(&result, &info);
        check_result(&schema, "InputRequiredResult", &result);
        let result = value(&result);
        assert_eq!(result["resultType"], "input_required");
        assert_eq!(result["requestState"], "st\"ate");
        assert_eq!(result["_meta"][SERVER_INFO], value(&info));
        assert_eq!(result["inputRequests"].as_object().unwrap().len(), asked.len());
        for question in &asked {
            let one = revision.input_required(
                std::slice::from_ref(question),
                "s",
                &ClientCapabilities::default(),
            );
            check_error("MissingRequiredClientCapabilityError", &one.unwrap_err());
        }
    }
}

#[test]
fn what_a_subscription_says_names_it() {
    let schema = schema::stateless();
    let revision = schema.revision;
    let filters = [
        Filter::default(),
        Filter {
            tools_list_changed: true,
            prompts_list_changed: true,
            resources_list_changed: true,
            resource_subscriptions: vec!["test://a".into(), "test://\"b\"".into()],
            ..Filter::default()
        },
    ];
    for id in [RequestId::Number(7), RequestId::String("l-\"1\"".into())] {
        let said = serde_json::from_slice::<Value>(&id.to_json()).unwrap();
        let check = |definition: &str, message: &Bytes| {
            let message = value(message);
            schema.check_message(definition, &message);
            assert_eq!(message["params"]["_meta"][SUBSCRIPTION_ID], said);
        };
        for filter in &filters {
            let acknowledged = revision.acknowledged(&id, filter);
            check("SubscriptionsAcknowledgedNotification", &acknowledged);
            let honoured = value(&acknowledged)["params"]["notifications"].clone();
            let expected = match filter.tools_list_changed {
                true => json!({
                    "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true,
                    "resourceSubscriptions": filter.resource_subscriptions,
                }),
                false => json!({}),
            };
            assert_eq!(honoured, expected);
        }
        let updated = revision.resource_updated("test://a");
        check(
            "ResourceUpdatedNotification",
            &revision.on_subscription(&updated, &id),
        );
        for (list, definition) in [
            (1, "ToolListChangedNotification"),
            (2, "ResourceListChangedNotification"),
            (3, "PromptListChangedNotification"),
        ] {
            let changed = revision
                .change(&Change {
                    change: Some(change::Change::ListChanged(ListChanged { list })),
                    ..Change::default()
                })
                .unwrap();
            check(definition, &revision.on_subscription(&changed, &id));
        }
        let info = revision.server_info(&generate::describe(&mut Seed::new(1)));
        let ended = revision.subscription_ended(&id, &info);
        check_result(&schema, "SubscriptionsListenResult", &ended);
        assert_complete(&ended, &info);
        assert_eq!(value(&ended)["_meta"][SUBSCRIPTION_ID], said);
    }
}

#[test]
fn what_a_call_says_before_its_result_is_of_the_revision() {
    let schema = schema::stateless();
    let revision = schema.revision;
    for token in [json!("t\"1"), json!(7)] {
        let token = to_raw_value(&token).unwrap();
        let progress = Progress {
            progress: 1.0,
            total: Some(5.0),
            message: "half".into(),
        };
        schema.check_message(
            "ProgressNotification",
            &value(&revision.progress(&token, &progress)),
        );
    }
    for level in -1..=9 {
        let log = Log {
            level,
            logger: "l".into(),
            data_json: Bytes::from_static(b" {\"a\": 1}"),
        };
        schema.check_message("LoggingMessageNotification", &value(&revision.log(&log)));
    }
}

#[track_caller]
fn check_error(definition: &str, error: &RpcError) {
    let message = value(&jsonrpc::error(Some(&RequestId::Number(1)), error));
    let schema = schema::stateless();
    schema.check_valid("JSONRPCMessage", &message);
    schema.check_valid(definition, &message);
}

/// The schema describes JSON-RPC's own errors without the message around them.
#[track_caller]
fn check_plain_error(definition: &str, error: &RpcError) {
    let message = value(&jsonrpc::error(Some(&RequestId::Number(1)), error));
    let schema = schema::stateless();
    schema.check_valid("JSONRPCMessage", &message);
    schema.check_valid(definition, &message["error"]);
}

#[test]
fn errors_are_of_the_revision() {
    let revision = schema::stateless().revision;
    let missing = mirrored_headers::check_version(&HeaderMap::new(), revision.version()).unwrap_err();
    check_error("HeaderMismatchError", &missing);
    let other = [("mcp-method".parse().unwrap(), "tools/list".parse().unwrap())];
    let other = HeaderMap::from_iter(other);
    let mismatch = mirrored_headers::check_target(&other, "tools/call", None).unwrap_err();
    check_error("HeaderMismatchError", &mismatch);

    let error = |code, data: Value| {
        revision.feature_error(&Error {
            code,
            message: "m".into(),
            data_json: bytes(&data),
        })
    };
    let required = json!({ "requiredCapabilities": { "elicitation": { "form": {} } } });
    check_error("MissingRequiredClientCapabilityError", &error(-32021, required));
    // Before, a resource that is not there had a code of its own.
    let absent = error(-32002, json!({ "uri": "test://a" }));
    assert_eq!(absent.code, -32602);
    check_plain_error("InvalidParamsError", &absent);
    // "Implementations MUST NOT emit any code from this sub-range that is not defined by this specification"
    for (given, said) in [
        (-32099, -32603),
        (-32042, -32603),
        (-32023, -32603),
        (-32022, -32022),
        (-32019, -32019),
        (-32100, -32100),
        (7, 7),
    ] {
        assert_eq!(error(given, Value::Null).code, said);
    }
    let Err(unknown) = revision.request("initialize", None) else {
        panic!("no handshake here")
    };
    check_plain_error("MethodNotFoundError", &unknown);
}
