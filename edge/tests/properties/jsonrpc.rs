use bytes::Bytes;
use everything_edge::jsonrpc::{
    self, INVALID_PARAMS, INVALID_REQUEST, Incoming, MAX_BATCH, MAX_DEPTH, MAX_ID_BYTES, Message,
    PARSE_ERROR, RequestId, ResponseOutcome, RpcError,
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json, value::RawValue};

use crate::json::{damaged, object, text, value};

fn id() -> impl Strategy<Value = RequestId> {
    prop_oneof![
        any::<i64>().prop_map(RequestId::from),
        text().prop_map(|text| RequestId::from(&*text)),
        (0..=MAX_ID_BYTES).prop_map(|length| RequestId::from(&*"x".repeat(length))),
    ]
}

fn method() -> impl Strategy<Value = String> {
    text().prop_filter("not empty", |method| !method.is_empty())
}

/// What a client may send, as an object.
fn message() -> impl Strategy<Value = Value> {
    let id = id().prop_map(|id| serde_json::to_value(id).unwrap()).boxed();
    prop_oneof![
        (id.clone(), method(), object()).prop_map(
            |(id, method, params)| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
        ),
        (method(), object())
            .prop_map(|(method, params)| json!({ "jsonrpc": "2.0", "method": method, "params": params })),
        (id.clone(), object())
            .prop_map(|(id, result)| json!({ "jsonrpc": "2.0", "id": id, "result": result })),
        (id, any::<i64>(), text(), value()).prop_map(|(id, code, message, data)| {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message, "data": data } })
        }),
    ]
}

fn read(raw: &Option<Box<RawValue>>) -> Value {
    raw.as_ref()
        .map_or(Value::Null, |raw| serde_json::from_str(raw.get()).unwrap())
}

/// The message as an object again, from what the parser kept of it.
fn again(message: &Message) -> Value {
    match message {
        Message::Request { id, method, params } => {
            json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": read(params) })
        }
        Message::Notification { method, params } => {
            json!({ "jsonrpc": "2.0", "method": method, "params": read(params) })
        }
        Message::Response { id, outcome, .. } => match outcome {
            ResponseOutcome::Result(result) => {
                json!({ "jsonrpc": "2.0", "id": id, "result": read(&Some(result.clone())) })
            }
            ResponseOutcome::Error(error) => {
                json!({ "jsonrpc": "2.0", "id": id, "error": read(&Some(error.clone())) })
            }
        },
    }
}

fn single(body: &[u8]) -> Result<Message, jsonrpc::Refusal> {
    match jsonrpc::parse(&Bytes::copy_from_slice(body))? {
        Incoming::Single(message) => Ok(message),
        Incoming::Batch(_) => panic!("not a batch"),
    }
}

/// Whatever arrives: a message that any JSON parser reads in the same way, or an error that can be sent.
fn holds(body: &[u8]) -> Result<(), TestCaseError> {
    let body = Bytes::copy_from_slice(body);
    let parsed = match jsonrpc::parse(&body) {
        Ok(Incoming::Single(message)) => vec![(serde_json::from_slice(&body), Ok(message))],
        Ok(Incoming::Batch(messages)) => {
            prop_assert!((1..=MAX_BATCH).contains(&messages.len()));
            let raw: Vec<Box<RawValue>> = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(raw.len(), messages.len());
            raw.iter()
                .map(|raw| serde_json::from_str(raw.get()))
                .zip(messages)
                .collect()
        }
        Err(refusal) => vec![(Ok(Value::Null), Err(refusal))],
    };
    for (value, message) in parsed {
        match (message, value) {
            (Ok(message), Ok(value)) => agrees(&message, &value)?,
            // Numbers that no f64 holds, and half of a surrogate pair, are JSON, but not to this parser.
            (Ok(_), Err(_)) => {}
            (Err(refusal), _) => {
                let code = refusal.error.code;
                prop_assert!(
                    [PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS].contains(&code),
                    "{code}"
                );
                let sent: Value =
                    serde_json::from_slice(&jsonrpc::error(refusal.id.as_ref(), &refusal.error)).unwrap();
                prop_assert_eq!(&sent["error"]["code"], code);
                prop_assert!(
                    sent["error"]["message"]
                        .as_str()
                        .is_some_and(|text| text.len() < 400)
                );
            }
        }
    }
    Ok(())
}

fn agrees(message: &Message, value: &Value) -> Result<(), TestCaseError> {
    let again = again(message);
    for (name, kept) in again.as_object().unwrap() {
        let given = &value[name];
        prop_assert_eq!(given, kept, "{}", name);
    }
    prop_assert_eq!(value.get("id").is_some(), again.get("id").is_some());
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_an_error_that_can_be_sent(body in vec(any::<u8>(), 0..200)) {
        holds(&body)?;
    }

    #[test]
    fn any_json_is_a_message_or_an_error_that_can_be_sent(value in value()) {
        holds(value.to_string().as_bytes())?;
    }

    #[test]
    fn damaged_messages_too(body in message().prop_flat_map(|message| damaged(message.to_string().into_bytes()))) {
        holds(&body)?;
    }

    #[test]
    fn damaged_batches_too(
        body in vec(message(), 1..4).prop_flat_map(|batch| damaged(Value::from(batch).to_string().into_bytes()))
    ) {
        holds(&body)?;
    }

    #[test]
    fn what_clients_may_send_is_read_as_it_was_meant(message in message(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&message) } else { serde_json::to_string(&message) };
        prop_assert_eq!(again(&single(text.unwrap().as_bytes()).unwrap()), message);
    }

    #[test]
    fn what_is_written_is_read_back(id in id(), method in method(), content in object(), word in text()) {
        let params = content.to_string();
        let request = single(&jsonrpc::request("7", &method, Some(params.as_bytes()))).unwrap();
        prop_assert_eq!(
            again(&request),
            json!({ "jsonrpc": "2.0", "id": "7", "method": &method, "params": &content })
        );
        let notification = single(&jsonrpc::notification(&method, Some(params.as_bytes()))).unwrap();
        prop_assert_eq!(again(&notification), json!({ "jsonrpc": "2.0", "method": &method, "params": &content }));
        let result = single(&jsonrpc::result(&id, params.as_bytes())).unwrap();
        prop_assert_eq!(again(&result), json!({ "jsonrpc": "2.0", "id": &id, "result": &content }));
        let error = RpcError::new(-1, word.clone()).with_data(&content);
        let refused = single(&jsonrpc::error(Some(&id), &error)).unwrap();
        let shown = json!({ "code": -1, "message": word, "data": content });
        prop_assert_eq!(again(&refused), json!({ "jsonrpc": "2.0", "id": &id, "error": shown }));
    }

    #[test]
    fn a_batch_is_its_messages(messages in vec(message(), 1..6)) {
        let written: Vec<_> = messages.iter().map(|message| Bytes::from(message.to_string())).collect();
        let Incoming::Batch(read) = jsonrpc::parse(&jsonrpc::batch(&written)).unwrap() else { panic!("not a batch") };
        let read: Vec<_> = read.into_iter().map(|message| again(&message.unwrap())).collect();
        prop_assert_eq!(read, messages);
    }

    #[test]
    fn ids_are_read_back(id in id()) {
        prop_assert_eq!(RequestId::from_json(&id.to_json()), Ok(id));
    }

    #[test]
    fn nesting_has_a_limit(depth in 1..2 * MAX_DEPTH, array in any::<bool>(), word in text()) {
        let (open, close) = if array { ("[", "]") } else { (r#"{"a":"#, "}") };
        let inner = serde_json::to_string(&word).unwrap();
        // The message and its parameters are two levels.
        let params = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"p":{params}}}}}"#);
        let read = single(body.as_bytes());
        prop_assert_eq!(read.is_ok(), depth + 2 <= MAX_DEPTH, "{}", depth);
        if let Err(refusal) = read {
            prop_assert_eq!((refusal.error.code, refusal.id), (INVALID_REQUEST, Some(RequestId::from(1))));
        }
    }

    #[test]
    fn a_member_that_occurs_twice_is_refused(message in message(), again in any::<prop::sample::Index>()) {
        let members = message.as_object().unwrap();
        let (name, value) = members.iter().nth(again.index(members.len())).unwrap();
        let text = message.to_string();
        let text = format!("{},{}:{value}}}", &text[..text.len() - 1], json!(name));
        let refusal = single(text.as_bytes()).unwrap_err();
        prop_assert_eq!(refusal.error.code, INVALID_REQUEST);
    }
}
