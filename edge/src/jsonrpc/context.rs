//! The trace context in `params._meta` (SEP-414): read from requests of clients, written into messages to them.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use telemetry::propagation::TraceParent;

/// What a span wants to know of params, however wrong the rest of them is.
#[derive(Default)]
pub struct Glimpse<'a> {
    /// The sender's context; empty where there is none, or one of another type.
    pub sender: TraceParent,
    pub name: Option<Cow<'a, str>>,
    pub uri: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Params<'a> {
    #[serde(borrow, default)]
    _meta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    uri: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default)]
    traceparent: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tracestate: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

impl<'a> Glimpse<'a> {
    pub fn of(params: Option<&'a RawValue>) -> Self {
        let Params { _meta, name, uri } = object(params);
        let Meta {
            traceparent,
            tracestate,
        } = object(_meta);
        let text = |value| string(value).unwrap_or_default();
        Self {
            sender: TraceParent::new(text(traceparent), text(tracestate)),
            name: string(name),
            uri: string(uri),
        }
    }
}

/// The same message with the context in its `params._meta`. A message that has one already keeps it.
pub fn with_context(message: Bytes, context: &TraceParent) -> Bytes {
    if context.is_empty() {
        return message;
    }
    match insertion(&message, context) {
        Some((at, text)) => [&message[..at], text.as_bytes(), &message[at..]].concat().into(),
        None => message,
    }
}

/// What to insert, and where.
fn insertion(message: &[u8], context: &TraceParent) -> Option<(usize, String)> {
    let mut members = json!({ "traceparent": context.traceparent });
    if !context.tracestate.is_empty() {
        members["tracestate"] = json!(context.tracestate);
    }
    let Message { params } = serde_json::from_slice(message).ok()?;
    let Some(params) = params else {
        // Before the message's last brace.
        return Some((
            message.len().checked_sub(1)?,
            format!(r#","params":{{"_meta":{members}}}"#),
        ));
    };
    let (object_at, text) = match object::<Params<'_>>(Some(params))._meta {
        None => (params, format!(r#""_meta":{members}"#)),
        Some(meta) => {
            if object::<Meta<'_>>(Some(meta)).traceparent.is_some() {
                return None;
            }
            let members = members.to_string();
            (meta, members.trim_matches(['{', '}']).to_owned())
        }
    };
    let json = object_at.get();
    let inside = json.strip_prefix('{')?;
    let comma = if inside.trim_start().starts_with('}') {
        ""
    } else {
        ","
    };
    // Raw values are slices of the message.
    let at = (json.as_ptr() as usize).checked_sub(message.as_ptr() as usize)? + 1;
    Some((at, format!("{text}{comma}")))
}

fn object<'a, T: Default + Deserialize<'a>>(json: Option<&'a RawValue>) -> T {
    json.and_then(|json| serde_json::from_str(json.get()).ok())
        .unwrap_or_default()
}

fn string<'a>(json: Option<&'a RawValue>) -> Option<Cow<'a, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'a>>(json?.get())
        .ok()
        .map(|text| text.0)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn raw(json: &str) -> Box<RawValue> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_glimpse_passes_over_what_is_of_the_wrong_type() {
        let params =
            format!(r#"{{"name":"a\"b","uri":7,"_meta":{{"traceparent":"{PARENT}","tracestate":[]}}}}"#);
        let params = raw(&params);
        let glimpse = Glimpse::of(Some(&params));
        assert_eq!(glimpse.sender, TraceParent::new(PARENT, ""));
        assert_eq!(glimpse.name.as_deref(), Some("a\"b"));
        assert_eq!(glimpse.uri, None);
        for params in ["[]", "7", r#"{"_meta":[]}"#, r#"{"_meta":{"traceparent":{}}}"#] {
            assert!(Glimpse::of(Some(&raw(params))).sender.is_empty(), "{params}");
        }
        assert!(Glimpse::of(None).sender.is_empty());
    }

    #[test]
    fn a_context_is_added_and_everything_else_stays() {
        let context = TraceParent::new(PARENT, "a=b");
        let meta = json!({ "traceparent": PARENT, "tracestate": "a=b" });
        for (message, path) in [
            (
                json!({"jsonrpc": "2.0", "id": "x", "method": "roots/list"}),
                "/params/_meta",
            ),
            (json!({"method": "m", "params": {}}), "/params/_meta"),
            (
                json!({"method": "m", "params": {"a": {"_meta": 1}}}),
                "/params/_meta",
            ),
        ] {
            let text = with_context(message.to_string().into(), &context);
            let mut with: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(with.pointer(path), Some(&meta), "{message}");
            with["params"].as_object_mut().unwrap().remove("_meta");
            let mut without = message.clone();
            without["params"] = message.get("params").cloned().unwrap_or_else(|| json!({}));
            assert_eq!(with, without);
        }
        let message = json!({"method": "m", "params": {"_meta": {"progressToken": 1}, "b": 1.50}});
        let with: Value =
            serde_json::from_slice(&with_context(message.to_string().into(), &context)).unwrap();
        assert_eq!(with["params"]["_meta"]["progressToken"], 1);
        assert_eq!(with["params"]["_meta"]["traceparent"], PARENT);
    }

    #[test]
    fn a_message_keeps_the_context_it_has_and_none_is_made_up() {
        let message = Bytes::from(r#"{"method":"m","params":{"_meta":{"traceparent":"mine"}}}"#);
        let context = TraceParent::new(PARENT, "");
        assert_eq!(with_context(message.clone(), &context), message);
        assert_eq!(with_context(message.clone(), &TraceParent::default()), message);
    }
}
