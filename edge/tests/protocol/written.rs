//! JSON-RPC messages as they are written, and what is kept out of them.

use bytes::Bytes;
use everything_edge::jsonrpc::{self, INTERNAL_ERROR, RequestId, RpcError, parse};

use crate::{generate::Seed, jsonrpc::single};

#[test]
fn messages_are_written_around_raw_json() {
    let number = RequestId::Number(-5);
    let text = RequestId::from("a\"b");
    assert_eq!(
        jsonrpc::result(&number, b"{ \"a\":1.0 }"),
        r#"{"jsonrpc":"2.0","id":-5,"result":{ "a":1.0 }}"#
    );
    assert_eq!(
        jsonrpc::result(&text, b"{}"),
        r#"{"jsonrpc":"2.0","id":"a\"b","result":{}}"#
    );
    assert_eq!(
        jsonrpc::error(Some(&number), &RpcError::internal("no\nuse")),
        r#"{"jsonrpc":"2.0","id":-5,"error":{"code":-32603,"message":"no\nuse"}}"#
    );
    assert_eq!(
        jsonrpc::error(None, &RpcError::invalid_request("x").with_data(&[1])),
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"x","data":[1]}}"#
    );
    assert_eq!(
        jsonrpc::request("r1", "roots/list", None),
        r#"{"jsonrpc":"2.0","id":"r1","method":"roots/list"}"#
    );
    assert_eq!(
        jsonrpc::request("r1", "m", Some(br#"{"a":1}"#)),
        r#"{"jsonrpc":"2.0","id":"r1","method":"m","params":{"a":1}}"#
    );
    assert_eq!(
        jsonrpc::notification("n", None),
        r#"{"jsonrpc":"2.0","method":"n"}"#
    );
    assert_eq!(
        jsonrpc::notification("n", Some(b"{}")),
        r#"{"jsonrpc":"2.0","method":"n","params":{}}"#
    );
    assert_eq!(jsonrpc::batch(&[Bytes::from("{}"), Bytes::from("[]")]), "[{},[]]");
    assert_eq!(jsonrpc::batch(&[]), "");
}

#[test]
fn errors_and_messages_do_not_show_bodies_when_debugged() {
    let error = RpcError::new(INTERNAL_ERROR, "sentence").with_data(&"secret");
    assert!(!format!("{error:?} {error}").contains("secret"));
    let message = single(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"secret"}}"#);
    assert!(!format!("{message:?}").contains("secret"));
}

#[test]
fn a_client_s_word_is_shortened_in_a_sentence() {
    let error = RpcError::method_not_found(&format!("a\n{}", "é".repeat(100)));
    assert_eq!(
        error.message,
        format!("unknown method `a\u{fffd}{}…`", "é".repeat(62))
    );
}

/// Valid bodies with bytes changed, cut, doubled and moved: whatever comes out, reading it ends, and every refusal can
/// be written.
#[test]
fn no_body_makes_the_parser_panic() {
    let bodies = [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":["\u00e9",1.5e3]}}}"#,
        r#"[{"jsonrpc":"2.0","id":"x","result":{"a":{}}},{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}]"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9223372036854775807}}"#,
    ];
    let mut seed = Seed::new(7);
    for _ in 0..20_000 {
        let mut body = seed.pick(&bodies).as_bytes().to_vec();
        for _ in 0..=seed.below(4) {
            let at = seed.below(body.len().max(1));
            match seed.below(5) {
                0 if !body.is_empty() => body[at] = seed.below(256) as u8,
                1 if !body.is_empty() => body[at] = *seed.pick(b"{}[]\",:\\0-.eu"),
                2 => body.truncate(at),
                3 => body.splice(at..at, body.clone()).for_each(drop),
                _ => body
                    .drain(at..(at + seed.below(8)).min(body.len()))
                    .for_each(drop),
            }
            body.truncate(4_096);
        }
        let written = match parse(&body.clone().into()) {
            Ok(_) => continue,
            Err(refusal) => jsonrpc::error(refusal.id.as_ref(), &refusal.error),
        };
        serde_json::from_slice::<serde_json::Value>(&written).unwrap();
    }
}
