use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    Incoming, MAX_BATCH, MAX_DEPTH, Message, Refusal, RequestId, ResponseOutcome, RpcError, depth,
    envelope::Envelope,
};

/// Reads the body of a client's POST.
///
/// Costs one pass for UTF-8, one for nesting and one for JSON; copies only `params`, `result` or `error`.
/// Whether a batch is allowed is the revision's business, not this function's.
pub fn parse(body: &Bytes) -> Result<Incoming, Refusal> {
    let text = std::str::from_utf8(body).map_err(|error| {
        refuse(RpcError::parse_error(format!(
            "not UTF-8 at byte {}",
            error.valid_up_to()
        )))
    })?;
    // Unread members are skipped without recursion, so even a deep message can have its id echoed.
    let deep = depth::exceeds(body, MAX_DEPTH);
    if !text.trim_ascii_start().starts_with('[') {
        return message(text, deep).map(Incoming::Single);
    }
    if deep {
        // Whose message it is that nests so deep is not worth finding out.
        let _: IgnoredAny = json(text)?;
        return Err(refuse(too_deep()));
    }
    let Batch { messages, more } = json(text)?;
    if more {
        return Err(invalid(format!(
            "a batch must not hold more than {MAX_BATCH} messages"
        )));
    }
    if messages.is_empty() {
        return Err(invalid("a batch must not be empty"));
    }
    Ok(Incoming::Batch(
        messages
            .into_iter()
            .map(|raw| message(raw.get(), false))
            .collect(),
    ))
}

/// Reads the outcome of a response object.
pub(super) fn outcome(response: &[u8]) -> Result<ResponseOutcome, RpcError> {
    let envelope: Envelope<'_> =
        serde_json::from_slice(response).map_err(|_| RpcError::parse_error(NOT_JSON))?;
    read_outcome(&envelope)
}

const NOT_JSON: &str = "not valid JSON";

/// The items of an array, unread, as far as they may be.
struct Batch<'a> {
    messages: Vec<&'a RawValue>,
    more: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Batch<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;

        impl<'de> Visitor<'de> for Items {
            type Value = Batch<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut messages = Vec::new();
                while messages.len() < MAX_BATCH {
                    match seq.next_element()? {
                        Some(item) => messages.push(item),
                        None => {
                            return Ok(Batch {
                                messages,
                                more: false,
                            });
                        }
                    }
                }
                let mut more = false;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    more = true;
                }
                Ok(Batch { messages, more })
            }
        }

        deserializer.deserialize_seq(Items)
    }
}

fn message(text: &str, deep: bool) -> Result<Message, Refusal> {
    if !text.trim_ascii_start().starts_with('{') {
        let _: IgnoredAny = json(text)?;
        return Err(invalid("a message must be a JSON object"));
    }
    let envelope: Envelope<'_> = json(text)?;
    let id = envelope.id.map(RequestId::from_raw);
    // Which of two ids was meant cannot be known, so neither is echoed.
    let echo = match (&id, envelope.duplicate) {
        (_, Some("id")) => None,
        (Some(Ok(id)), _) => Some(id.clone()),
        _ => None,
    };
    if deep {
        return Err(Refusal {
            id: echo,
            error: too_deep(),
        });
    }
    check(text, &envelope, id).map_err(|error| Refusal { id: echo, error })
}

fn check(
    text: &str,
    envelope: &Envelope<'_>,
    id: Option<Result<RequestId, &'static str>>,
) -> Result<Message, RpcError> {
    if let Some(name) = envelope.duplicate {
        return Err(RpcError::invalid_request(format!("member `{name}` occurs twice")));
    }
    match envelope.jsonrpc.map(string) {
        Some(Some(version)) if version == "2.0" => {}
        Some(_) => return Err(RpcError::invalid_request("member `jsonrpc` must be \"2.0\"")),
        None => {
            return Err(RpcError::invalid_request(
                "member `jsonrpc` is missing; it must be \"2.0\"",
            ));
        }
    }
    let id = id.transpose().map_err(RpcError::invalid_request)?;
    let Some(method) = envelope.method else {
        let outcome = read_outcome(envelope)?;
        let Some(id) = id else {
            return Err(RpcError::invalid_request(
                "a response must have the id of its request",
            ));
        };
        let raw = owned(text)?;
        return Ok(Message::Response { id, outcome, raw });
    };
    if envelope.result.is_some() || envelope.error.is_some() {
        return Err(RpcError::invalid_request(
            "a message has either `method` or one of `result` and `error`",
        ));
    }
    let Some(method) = string(method) else {
        return Err(RpcError::invalid_request("member `method` must be a string"));
    };
    if method.is_empty() {
        return Err(RpcError::invalid_request("member `method` must not be empty"));
    }
    let params = match envelope.params {
        None => None,
        Some(params) => match params.get().as_bytes().first() {
            Some(b'{') => Some(params.to_owned()),
            // Positional parameters are JSON-RPC, but no MCP method has any.
            Some(b'[') => {
                return Err(RpcError::invalid_params(
                    "member `params` must be an object, not an array",
                ));
            }
            _ => return Err(RpcError::invalid_request("member `params` must be an object")),
        },
    };
    Ok(match id {
        Some(id) => Message::Request { id, method, params },
        None => Message::Notification { method, params },
    })
}

fn read_outcome(envelope: &Envelope<'_>) -> Result<ResponseOutcome, RpcError> {
    match (envelope.result, envelope.error) {
        (None, None) => Err(RpcError::invalid_request(
            "a message needs `method`, `result` or `error`",
        )),
        (Some(_), Some(_)) => Err(RpcError::invalid_request(
            "a response has either `result` or `error`, not both",
        )),
        (Some(result), None) => {
            if !result.get().starts_with('{') {
                return Err(RpcError::invalid_request("member `result` must be an object"));
            }
            Ok(ResponseOutcome::Result(result.to_owned()))
        }
        (None, Some(error)) => {
            #[derive(serde::Deserialize)]
            struct Shape {
                #[serde(rename = "code")]
                _code: i64,
                #[serde(rename = "message")]
                _message: String,
            }
            serde_json::from_str::<Shape>(error.get()).map_err(|_| {
                RpcError::invalid_request("member `error` must have an integer `code` and a string `message`")
            })?;
            Ok(ResponseOutcome::Error(error.to_owned()))
        }
    }
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn owned(text: &str) -> Result<Box<RawValue>, RpcError> {
    serde_json::from_str::<&RawValue>(text)
        .map(ToOwned::to_owned)
        .map_err(|_| RpcError::parse_error(NOT_JSON))
}

fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        // Invisible in most editors, and forbidden (RFC 8259 section 8.1).
        if text.starts_with('\u{feff}') {
            return refuse(RpcError::parse_error(format!(
                "{NOT_JSON}: begins with a byte order mark"
            )));
        }
        refuse(RpcError::parse_error(format!(
            "{NOT_JSON}: line {} column {}",
            error.line(),
            error.column()
        )))
    })
}

fn too_deep() -> RpcError {
    RpcError::invalid_request(format!("nests deeper than {MAX_DEPTH} levels"))
}

fn invalid(message: impl Into<String>) -> Refusal {
    refuse(RpcError::invalid_request(message))
}

fn refuse(error: RpcError) -> Refusal {
    Refusal { id: None, error }
}
