use base64::{Engine, engine::general_purpose::STANDARD};
use everything_edge::revisions::mirrored_headers::{
    HEADER_MISMATCH, check_params, check_target, check_version, mirrored_params,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json, value::RawValue};

use crate::json::{damaged, object, text, value};

const SCHEMA: &str = r#"{"type":"object","properties":{
    "text":{"type":"string","x-mcp-header":"Text"},
    "count":{"type":"integer","x-mcp-header":"Count"},
    "deep":{"type":"object","properties":{"flag":{"type":"boolean","x-mcp-header":"Flag"}}}}}"#;

/// As clients must write it ("Value Encoding"): as it is, unless that is no header value or looks like the Base64 form.
fn encoded(text: &str) -> String {
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && text.trim() == text
        && !text.is_empty()
        && !(text.starts_with("=?base64?") && text.ends_with("?="));
    if plain { text.to_owned() } else { base64(text) }
}

fn base64(text: &str) -> String {
    format!("=?base64?{}?=", STANDARD.encode(text))
}

fn headers(values: impl IntoIterator<Item = (&'static str, String)>) -> HeaderMap {
    let values = values.into_iter();
    values
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            )
        })
        .collect()
}

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

/// The code of the refusal, if there is one.
fn params(given: &HeaderMap, arguments: &Value) -> Result<(), i32> {
    check_params(given, &mirrored_params(SCHEMA.as_bytes()), Some(&raw(arguments)))
        .map_err(|error| error.code)
}

proptest! {
    #[test]
    fn a_name_arrives_in_either_form(name in text()) {
        for value in [encoded(&name), base64(&name)] {
            let given = headers([("mcp-method", "tools/call".to_owned()), ("mcp-name", value)]);
            prop_assert!(check_target(&given, "tools/call", Some(&name)).is_ok());
        }
    }

    #[test]
    fn no_other_name_passes_for_it(name in text(), other in text()) {
        for value in [encoded(&other), base64(&other)] {
            let given = headers([("mcp-method", "tools/call".to_owned()), ("mcp-name", value)]);
            let refused = check_target(&given, "tools/call", Some(&name)).err();
            prop_assert_eq!(refused.as_ref().map(|refused| refused.code), (name != other).then_some(HEADER_MISMATCH));
            let message = refused.map(|refused| refused.message).unwrap_or_default();
            prop_assert!(!message.contains(|c: char| c.is_control()), "{}", message);
        }
    }

    /// Whatever bytes a header has: it passes for at most one name, which is the one that it says.
    #[test]
    fn any_header_says_at_most_one_name(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..30),
            text().prop_flat_map(|name| damaged(base64(&name).into_bytes())),
        ],
        name in text(),
    ) {
        let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
        let mut given = headers([("mcp-method", "tools/call".to_owned())]);
        given.insert("mcp-name", value);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_matches([' ', '\t']);
        let said = text
            .strip_prefix("=?base64?")
            .and_then(|rest| rest.strip_suffix("?="))
            .map_or_else(
                || Some(text.to_owned()),
                |encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
            );
        let says = |name: &str| check_target(&given, "tools/call", Some(name)).is_ok();
        prop_assert!(!says(&name) || said.as_ref() == Some(&name));
        if let Some(said) = said {
            prop_assert_eq!(says(&said), text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')));
        }
    }

    #[test]
    fn method_and_version_are_compared_byte_by_byte(method in "[a-z/]{1,12}", other in "[a-zA-Z/]{1,12}") {
        let given = headers([("mcp-method", method.clone()), ("mcp-protocol-version", method.clone())]);
        prop_assert!(check_target(&given, &method, None).is_ok());
        prop_assert!(check_version(&given, &method).is_ok());
        if method != other {
            prop_assert!(check_target(&given, &other, None).is_err());
            prop_assert!(check_version(&given, &other).is_err());
        }
    }

    #[test]
    fn arguments_are_what_their_headers_say(
        text in option::of(text()),
        count in option::of(any::<i64>()),
        flag in option::of(any::<bool>()),
        null in any::<bool>(),
    ) {
        let mut given = Vec::new();
        given.extend(text.iter().map(|text| ("mcp-param-text", encoded(text))));
        given.extend(count.iter().map(|count| ("mcp-param-count", count.to_string())));
        given.extend(flag.iter().map(|flag| ("mcp-param-flag", flag.to_string())));
        let mut arguments = json!({ "text": text, "count": count, "deep": { "flag": flag } });
        if !null {
            let members = arguments.as_object_mut().unwrap();
            members.retain(|_, value| !value.is_null());
        }
        prop_assert_eq!(params(&headers(given.clone()), &arguments), Ok(()));
        for left_out in 0..given.len() {
            let mut fewer = given.clone();
            fewer.remove(left_out);
            prop_assert_eq!(params(&headers(fewer), &arguments), Err(HEADER_MISMATCH));
            let mut without = arguments.clone();
            match given[left_out].0 {
                "mcp-param-text" => without["text"] = Value::Null,
                "mcp-param-count" => without["count"] = Value::Null,
                _ => without["deep"] = json!({}),
            }
            prop_assert_eq!(params(&headers(given.clone()), &without), Err(HEADER_MISMATCH));
        }
    }

    #[test]
    fn other_texts_numbers_and_flags_are_refused(
        one in (text(), any::<i64>(), any::<bool>()),
        other in (text(), any::<i64>()),
    ) {
        let (text, count, flag) = one;
        let arguments = json!({ "text": &text, "count": count, "deep": { "flag": flag } });
        let given = |text: &str, count: i64, flag: bool| {
            headers([
                ("mcp-param-text", encoded(text)),
                ("mcp-param-count", count.to_string()),
                ("mcp-param-flag", flag.to_string()),
            ])
        };
        prop_assert_eq!(params(&given(&text, count, flag), &arguments), Ok(()));
        prop_assert_eq!(params(&given(&text, count, !flag), &arguments), Err(HEADER_MISMATCH));
        prop_assert_eq!(params(&given(&text, count.wrapping_add(1), flag), &arguments), Err(HEADER_MISMATCH));
        if other.0 != text {
            prop_assert_eq!(params(&given(&other.0, count, flag), &arguments), Err(HEADER_MISMATCH));
        }
        if other.1 != count {
            prop_assert_eq!(params(&given(&text, other.1, flag), &arguments), Err(HEADER_MISMATCH));
        }
    }

    /// `42` is `42.0` is `4.2e1`.
    #[test]
    fn integers_are_compared_by_value(count in -9_007_199_254_740_991_i64..=9_007_199_254_740_991) {
        let arguments = json!({ "count": count });
        for written in [format!("{count}.0"), format!("{count}e0"), format!("{:e}", count as f64)] {
            let given = headers([("mcp-param-count", written.clone())]);
            prop_assert_eq!(params(&given, &arguments), Ok(()), "{}", written);
        }
        let given = headers([("mcp-param-count", format!("{count}.5"))]);
        prop_assert_eq!(params(&given, &arguments), Err(HEADER_MISMATCH));
    }

    #[test]
    fn any_schema_and_any_arguments_are_looked_through(
        schema in prop_oneof![value().prop_map(|value| value.to_string().into_bytes()), vec(any::<u8>(), 0..60)],
        damaged in damaged(SCHEMA.as_bytes().to_vec()),
        arguments in object(),
    ) {
        for schema in [schema, damaged] {
            let found = mirrored_params(&schema);
            _ = check_params(&HeaderMap::new(), &found, Some(&raw(&arguments)));
        }
    }
}
