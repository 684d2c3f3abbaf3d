//! JSON-RPC messages as clients send them, good and bad.

use bytes::Bytes;
use everything_edge::jsonrpc::{
    INVALID_PARAMS, INVALID_REQUEST, Incoming, MAX_BATCH, MAX_DEPTH, Message, PARSE_ERROR, Refusal,
    RequestId, ResponseOutcome, parse,
};

pub fn single(body: &str) -> Message {
    match parse(&Bytes::copy_from_slice(body.as_bytes())) {
        Ok(Incoming::Single(message)) => message,
        other => panic!("{other:?} for {body}"),
    }
}

fn refusal(body: impl AsRef<[u8]>) -> Refusal {
    match parse(&Bytes::copy_from_slice(body.as_ref())) {
        Err(refusal) => refusal,
        Ok(incoming) => panic!("{incoming:?} for {}", String::from_utf8_lossy(body.as_ref())),
    }
}

#[test]
fn a_request_keeps_its_params_as_they_came() {
    let body = r#" {"id":1,"params":{ "big": 12345678901234567890.10, "é":[] },"method":"x","jsonrpc":"2.0","more":0}"#;
    let Message::Request { id, method, params } = single(body) else {
        panic!()
    };
    assert_eq!((id, method.as_str()), (RequestId::Number(1), "x"));
    assert_eq!(
        params.unwrap().get(),
        r#"{ "big": 12345678901234567890.10, "é":[] }"#
    );
}

#[test]
fn a_message_without_an_id_is_a_notification() {
    let Message::Notification { method, params } = single(r#"{"jsonrpc":"2.0","method":"a\/b"}"#) else {
        panic!()
    };
    assert_eq!(method, "a/b");
    assert!(params.is_none());
}

#[test]
fn a_response_keeps_its_outcome_and_itself() {
    let body = r#"{"jsonrpc":"2.0","id":"s-1","result":{"a" : 1}}"#;
    let Message::Response { id, outcome, raw } = single(body) else {
        panic!()
    };
    assert_eq!(id, RequestId::from("s-1"));
    assert!(matches!(outcome, ResponseOutcome::Result(result) if result.get() == r#"{"a" : 1}"#));
    assert_eq!(raw.get(), body);
    let again = ResponseOutcome::from_response(raw.get().as_bytes()).unwrap();
    assert!(matches!(again, ResponseOutcome::Result(result) if result.get() == r#"{"a" : 1}"#));

    let body = r#"{"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"no"}}"#;
    let Message::Response { outcome, .. } = single(body) else {
        panic!()
    };
    assert!(
        matches!(outcome, ResponseOutcome::Error(error) if error.get() == r#"{"code":-1,"message":"no"}"#)
    );
}

#[test]
fn ids_are_strings_or_integers_of_64_bits() {
    let long = "x".repeat(256);
    for (json, id) in [
        ("0", RequestId::Number(0)),
        ("-1", RequestId::Number(-1)),
        ("9223372036854775807", RequestId::Number(i64::MAX)),
        ("-9223372036854775808", RequestId::Number(i64::MIN)),
        (r#""""#, RequestId::from("")),
        (r#""1""#, RequestId::from("1")),
        (r#""a\"\\é\u0007""#, RequestId::from("a\"\\é\u{7}")),
        (format!("{long:?}").as_str(), RequestId::from(long.as_str())),
    ] {
        let Message::Request { id: read, .. } =
            single(&format!(r#"{{"jsonrpc":"2.0","id":{json},"method":"m"}}"#))
        else {
            panic!()
        };
        assert_eq!(read, id);
        assert_eq!(RequestId::from_json(&id.to_json()), Ok(id.clone()));
        assert_eq!(serde_json::to_string(&id).unwrap(), id.to_string());
    }
    for json in [
        "null",
        "1.0",
        "1e3",
        "true",
        "{}",
        "[1]",
        "9223372036854775808",
        "-9223372036854775809",
        r#""\ud800""#,
    ] {
        let refusal = refusal(format!(r#"{{"jsonrpc":"2.0","id":{json},"method":"m"}}"#));
        assert_eq!(
            (refusal.id, refusal.error.code),
            (None, INVALID_REQUEST),
            "{json}"
        );
        assert!(
            refusal.error.message.contains("id"),
            "{json}: {}",
            refusal.error.message
        );
    }
    let refusal = refusal(format!(r#"{{"jsonrpc":"2.0","id":"{long}x","method":"m"}}"#));
    assert_eq!(refusal.error.message, "id must not be longer than 256 bytes");
}

#[test]
fn what_is_no_message_is_refused_by_name() {
    let one = Some(RequestId::Number(1));
    for (body, id, code, message) in [
        ("", None, PARSE_ERROR, "not valid JSON: line 1 column 0"),
        ("{", None, PARSE_ERROR, "not valid JSON: line 1 column 1"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m"} x"#,
            None,
            PARSE_ERROR,
            "not valid JSON: line 1 column 39",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":}}"#,
            None,
            PARSE_ERROR,
            "line 1 column 52",
        ),
        ("{'a':1}", None, PARSE_ERROR, "not valid JSON"),
        ("\u{feff}{}", None, PARSE_ERROR, "not valid JSON"),
        ("NaN", None, PARSE_ERROR, "not valid JSON"),
        ("null", None, INVALID_REQUEST, "a message must be a JSON object"),
        ("\"x\"", None, INVALID_REQUEST, "a message must be a JSON object"),
        ("1", None, INVALID_REQUEST, "a message must be a JSON object"),
        ("[]", None, INVALID_REQUEST, "a batch must not be empty"),
        ("[1", None, PARSE_ERROR, "not valid JSON"),
        ("{}", None, INVALID_REQUEST, "member `jsonrpc` is missing"),
        (
            r#"{"id":1,"method":"m"}"#,
            one.clone(),
            INVALID_REQUEST,
            "member `jsonrpc` is missing",
        ),
        (
            r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#,
            one.clone(),
            INVALID_REQUEST,
            "`jsonrpc` must be \"2.0\"",
        ),
        (
            r#"{"jsonrpc":2.0,"id":1,"method":"m"}"#,
            one.clone(),
            INVALID_REQUEST,
            "`jsonrpc` must be \"2.0\"",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1}"#,
            one.clone(),
            INVALID_REQUEST,
            "needs `method`, `result` or `error`",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            one.clone(),
            INVALID_REQUEST,
            "`method` must be a string",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":""}"#,
            one.clone(),
            INVALID_REQUEST,
            "must not be empty",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":7}"#,
            one.clone(),
            INVALID_REQUEST,
            "must be an object",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":null}"#,
            one.clone(),
            INVALID_REQUEST,
            "an object",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}"#,
            one.clone(),
            INVALID_PARAMS,
            "not an array",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","result":{}}"#,
            one.clone(),
            INVALID_REQUEST,
            "either `method`",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}"#,
            one.clone(),
            INVALID_REQUEST,
            "either `result` or `error`, not both",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":7}"#,
            one.clone(),
            INVALID_REQUEST,
            "`result` must be an object",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":"x"}}"#,
            one.clone(),
            INVALID_REQUEST,
            "`error` must have",
        ),
        (
            r#"{"jsonrpc":"2.0","result":{}}"#,
            None,
            INVALID_REQUEST,
            "must have the id of its request",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","method":"n"}"#,
            one.clone(),
            INVALID_REQUEST,
            "`method` occurs twice",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}"#,
            None,
            INVALID_REQUEST,
            "`id` occurs twice",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","param\u0073":{},"params":{}}"#,
            one,
            INVALID_REQUEST,
            "twice",
        ),
    ] {
        let refusal = refusal(body);
        assert_eq!((refusal.id, refusal.error.code), (id, code), "{body}");
        assert!(
            refusal.error.message.contains(message),
            "{body}: {}",
            refusal.error.message
        );
    }
    let refusal = refusal(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}");
    assert_eq!(
        (refusal.error.code, refusal.error.message.as_str()),
        (PARSE_ERROR, "not UTF-8 at byte 34")
    );
}

#[test]
fn nesting_is_bounded_before_anything_reads_it() {
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"a":{open}{close}}}}}"#)
    };
    // The message and its params are two levels.
    assert!(matches!(single(&nested(MAX_DEPTH - 2)), Message::Request { .. }));
    for levels in [MAX_DEPTH - 1, 200, 1_000_000] {
        let refusal = refusal(nested(levels));
        assert_eq!(
            (refusal.id, refusal.error.code),
            (Some(RequestId::Number(1)), INVALID_REQUEST)
        );
        assert_eq!(refusal.error.message, "nests deeper than 64 levels");
    }
    assert_eq!(refusal("[".repeat(4_000_000)).error.code, PARSE_ERROR);
    assert_eq!(
        refusal(format!("{}{}", "[".repeat(100), "]".repeat(100)))
            .error
            .code,
        INVALID_REQUEST
    );
    // Brackets in strings are no levels.
    let text = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"a":"\"{}"}}}}"#,
        "[{".repeat(500)
    );
    assert!(matches!(single(&text), Message::Request { .. }));
}

#[test]
fn each_message_of_a_batch_is_judged_on_its_own() {
    let body = r#"[{"jsonrpc":"2.0","id":1,"method":"a"}, 5, {"jsonrpc":"2.0","id":3}, {"jsonrpc":"2.0","method":"b"}]"#;
    let Ok(Incoming::Batch(messages)) = parse(&Bytes::from_static(body.as_bytes())) else {
        panic!()
    };
    assert!(matches!(
        &messages[0],
        Ok(Message::Request {
            id: RequestId::Number(1),
            ..
        })
    ));
    assert!(matches!(&messages[1], Err(Refusal { id: None, error }) if error.code == INVALID_REQUEST));
    assert!(matches!(
        &messages[2],
        Err(Refusal {
            id: Some(RequestId::Number(3)),
            ..
        })
    ));
    assert!(matches!(&messages[3], Ok(Message::Notification { .. })));

    let batch = |n| format!("[{}]", vec![r#"{"jsonrpc":"2.0","method":"m"}"#; n].join(","));
    assert!(
        matches!(parse(&batch(MAX_BATCH).into()), Ok(Incoming::Batch(messages)) if messages.len() == MAX_BATCH)
    );
    assert_eq!(
        refusal(batch(MAX_BATCH + 1)).error.message,
        "a batch must not hold more than 100 messages"
    );
}
