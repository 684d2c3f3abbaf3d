//! Random JSON, as text and otherwise.

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

/// Text with what text formats trip over.
pub fn text() -> impl Strategy<Value = String> {
    let awkward = prop_oneof![
        Just("\r"),
        Just("\n"),
        Just("\r\n"),
        Just("\0"),
        Just("\u{2028}"),
        Just("\u{2029}"),
        Just("\u{feff}"),
        Just("\u{85}"),
        Just(":"),
        Just(" "),
        Just("data: "),
        Just("\""),
        Just("\\"),
        Just("=?base64?"),
        Just("?="),
        Just("ü"),
        Just("🔊"),
    ];
    let part = prop_oneof![awkward.prop_map(str::to_owned), "[a-z]{1,3}", "\\PC{1,3}"];
    vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// Any JSON value, some levels deep.
pub fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|number: f64| json!(number)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            members(inner).prop_map(Value::from)
        ]
    })
}

pub fn object() -> impl Strategy<Value = Value> {
    members(value()).prop_map(Value::from)
}

fn members(of: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    vec((text(), of), 0..4).prop_map(|members| members.into_iter().collect())
}

/// Bytes that are nearly `text`: some taken out, put in, or changed.
pub fn damaged(text: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..4_u8, any::<u8>());
    vec(change, 1..4).prop_map(move |changes| {
        let mut bytes = text.clone();
        for (place, kind, byte) in changes {
            let place = place.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(place, byte),
                1 if place < bytes.len() => drop(bytes.remove(place)),
                2 if place < bytes.len() => bytes[place] = byte,
                _ => bytes.truncate(place),
            }
        }
        bytes
    })
}
