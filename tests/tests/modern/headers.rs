//! Headers repeat what the body says, or the request is refused.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use system_tests::Stack;

use super::client::{Modern, VERSION, send, with_meta};

/// Headers of a call, and whether it must be served.
type Case<'a> = (Value, Vec<(&'a str, String)>, bool);

fn call(arguments: &Value) -> Value {
    with_meta(json!({ "name": "mirrorHeaders", "arguments": arguments }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_headers_say_is_what_the_arguments_say() {
    let stack = Stack::builder()
        .in_process()
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let modern = Modern::new(&stack.url("/mcp"), None);
    let plain = json!({ "region": "eu", "target": { "tenant": "t" } });
    let encoded = |text: &str| format!("=?base64?{}?=", STANDARD.encode(text));
    let both = |region: &str, tenant: &str| {
        vec![
            ("mcp-param-region", region.to_owned()),
            ("mcp-param-tenant", tenant.to_owned()),
        ]
    };
    let with = |mut headers: Vec<(&'static str, String)>, name: &'static str, value: &str| {
        headers.push((name, value.to_owned()));
        headers
    };
    let set = |name: &str, value: Value| {
        let mut arguments = plain.clone();
        arguments[name] = value;
        arguments
    };
    let unicode = json!({ "region": "Zürich", "target": { "tenant": " padded " } });
    let sentinel = json!({ "region": "=?base64?x?=", "target": { "tenant": "t" } });
    let cases: Vec<Case<'_>> = vec![
        (plain.clone(), both("eu", "t"), true),
        (plain.clone(), both(&encoded("eu"), " t "), true),
        (
            unicode.clone(),
            both(&encoded("Zürich"), &encoded(" padded ")),
            true,
        ),
        (unicode.clone(), both("Zürich", &encoded(" padded ")), false),
        (sentinel.clone(), both(&encoded("=?base64?x?="), "t"), true),
        (sentinel, both("=?base64?x?=", "t"), false),
        (plain.clone(), both("eu", "other"), false),
        (plain.clone(), both("EU", "t"), false),
        (plain.clone(), both("=?base64?!!!?=", "t"), false),
        (plain.clone(), both("=?base64?/w==?=", "t"), false),
        (plain.clone(), vec![("mcp-param-region", "eu".to_owned())], false),
        (
            plain.clone(),
            with(both("eu", "t"), "mcp-param-region", "eu"),
            false,
        ),
        (
            plain.clone(),
            with(both("eu", "t"), "mcp-param-priority", "7"),
            false,
        ),
        (
            plain.clone(),
            with(both("eu", "t"), "mcp-param-unknown", "x"),
            true,
        ),
        (
            set("priority", json!(7)),
            with(both("eu", "t"), "mcp-param-priority", "7"),
            true,
        ),
        (
            set("priority", json!(7)),
            with(both("eu", "t"), "mcp-param-priority", "7.0"),
            true,
        ),
        (
            set("priority", json!(7.0)),
            with(both("eu", "t"), "mcp-param-priority", "7"),
            true,
        ),
        (
            set("priority", json!(7)),
            with(both("eu", "t"), "mcp-param-priority", "8"),
            false,
        ),
        (
            set("priority", json!(7)),
            with(both("eu", "t"), "mcp-param-priority", "seven"),
            false,
        ),
        (
            set("dryRun", json!(true)),
            with(both("eu", "t"), "mcp-param-dry-run", "true"),
            true,
        ),
        (
            set("dryRun", json!(true)),
            with(both("eu", "t"), "mcp-param-dry-run", "True"),
            false,
        ),
        (
            set("dryRun", json!(true)),
            with(both("eu", "t"), "mcp-param-dry-run", "1"),
            false,
        ),
        (set("note", json!("free")), both("eu", "t"), true),
    ];
    for (arguments, headers, good) in cases {
        let mut request = modern.prepare(&json!(1), "tools/call", &call(&arguments));
        for (name, value) in &headers {
            request = request.header(*name, value.as_bytes());
        }
        let answer = send(request).await;
        if good {
            assert_eq!(answer.status, 200, "{arguments} {headers:?}: {}", answer.text());
            assert_eq!(
                answer.result().unwrap().get("isError"),
                None,
                "{arguments} {headers:?}"
            );
        } else {
            assert_eq!(
                (answer.status, answer.error_code()),
                (400, -32020),
                "{arguments} {headers:?}"
            );
        }
    }
    // Null is absent: no header, and then it is the tool that misses it.
    let null = json!({ "region": null, "target": { "tenant": "t" } });
    let request = modern.prepare(&json!(1), "tools/call", &call(&null));
    let answer = send(request.header("mcp-param-tenant", "t")).await;
    assert_eq!(answer.result().unwrap()["isError"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn method_name_and_version_are_repeated() {
    let stack = Stack::builder()
        .in_process()
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let modern = Modern::new(&stack.url("/mcp"), None);
    let params = with_meta(json!({ "name": "echo", "arguments": { "message": "m" } }));
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let cases: [(&[(&str, &str)], bool); 11] = [
        (
            &[
                ("mcp-protocol-version", VERSION),
                ("mcp-method", "tools/call"),
                ("mcp-name", "echo"),
            ],
            true,
        ),
        (
            &[
                ("mcp-protocol-version", VERSION),
                ("mcp-method", "tools/call"),
                ("mcp-name", "=?base64?ZWNobw==?="),
            ],
            true,
        ),
        (&[], false),
        (&[("mcp-protocol-version", VERSION)], false),
        (&[("mcp-method", "tools/call"), ("mcp-name", "echo")], false),
        (
            &[("mcp-protocol-version", VERSION), ("mcp-method", "tools/call")],
            false,
        ),
        (&[("mcp-protocol-version", VERSION), ("mcp-name", "echo")], false),
        (
            &[
                ("mcp-protocol-version", VERSION),
                ("mcp-method", "tools/list"),
                ("mcp-name", "echo"),
            ],
            false,
        ),
        (
            &[
                ("mcp-protocol-version", VERSION),
                ("mcp-method", "TOOLS/CALL"),
                ("mcp-name", "echo"),
            ],
            false,
        ),
        (
            &[
                ("mcp-protocol-version", VERSION),
                ("mcp-method", "tools/call"),
                ("mcp-name", "add"),
            ],
            false,
        ),
        (
            &[
                ("mcp-protocol-version", "2025-11-25"),
                ("mcp-method", "tools/call"),
                ("mcp-name", "echo"),
            ],
            false,
        ),
    ];
    for (headers, good) in cases {
        let mut request = modern.bare(&body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = send(request).await;
        if good {
            assert_eq!(answer.status, 200, "{headers:?}: {}", answer.text());
        } else {
            assert_eq!((answer.status, answer.error_code()), (400, -32020), "{headers:?}");
        }
    }
}
