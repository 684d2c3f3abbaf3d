//! Headers that repeat what the body says, for whoever routes by headers (2026-07-28, "Request Metadata").
//!
//! What a header says must be what the body says; otherwise something in front may have decided on other values than are
//! carried out here. Every difference is -32020.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};
use serde_json::value::RawValue;

use super::json::{self, Object};
use crate::jsonrpc::{RpcError, quoted};

/// The headers do not match the body (MCP 2026-07-28, `HeaderMismatchError`).
pub const HEADER_MISMATCH: i32 = -32020;

const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";
const PARAM_PREFIX: &str = "mcp-param-";
const VERSION: &str = "mcp-protocol-version";

/// Levels of `properties` that are searched for annotations.
const MAX_DEPTH: usize = 16;

/// An argument of a tool that its `x-mcp-header` annotation repeats in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirroredParam {
    /// Member names from the root of the arguments.
    path: Vec<String>,
    header: HeaderName,
}

/// Checks `MCP-Protocol-Version` against the version in `_meta`.
pub fn check_version(headers: &HeaderMap, version: &str) -> Result<(), RpcError> {
    expect(
        headers,
        &HeaderName::from_static(VERSION),
        "MCP-Protocol-Version",
        version,
        false,
    )
}

/// Checks `Mcp-Method`, and `Mcp-Name` for requests that name something.
pub fn check_target(headers: &HeaderMap, method: &str, name: Option<&str>) -> Result<(), RpcError> {
    expect(
        headers,
        &HeaderName::from_static(METHOD),
        "Mcp-Method",
        method,
        false,
    )?;
    match name {
        Some(name) => expect(headers, &HeaderName::from_static(NAME), "Mcp-Name", name, true),
        None => Ok(()),
    }
}

/// The annotated arguments of a tool, from its input schema. Annotations that break the rules are passed over: clients
/// do not show such a tool.
pub fn mirrored_params(input_schema: &[u8]) -> Vec<MirroredParam> {
    let mut found = Vec::new();
    if let Some(schema) = json::open_object(input_schema) {
        search(schema, &mut Vec::new(), &mut found);
    }
    found
}

/// Checks the `Mcp-Param-…` headers of a call.
pub fn check_params(
    headers: &HeaderMap,
    params: &[MirroredParam],
    arguments: Option<&RawValue>,
) -> Result<(), RpcError> {
    for param in params {
        let shown = param.header.as_str();
        let given = single(headers, &param.header, shown)?;
        let value = arguments.and_then(|arguments| find(arguments, &param.path));
        match (given, value.filter(|value| value.get() != "null")) {
            (None, None) => {}
            (Some(_), None) => return Err(mismatch(shown, "is given, but the argument is not")),
            (None, Some(_)) => return Err(mismatch(shown, "is missing, but the argument is given")),
            (Some(given), Some(value)) => {
                if !same(&decode(given, shown)?, value) {
                    return Err(mismatch(shown, "is not what the argument says"));
                }
            }
        }
    }
    Ok(())
}

fn search(schema: &RawValue, path: &mut Vec<String>, found: &mut Vec<MirroredParam>) {
    if path.len() >= MAX_DEPTH {
        return;
    }
    let Ok(schema) = Object::parse(schema.get()) else {
        return;
    };
    let Some(properties) = schema
        .get("properties")
        .and_then(|all| Object::parse(all.get()).ok())
    else {
        return;
    };
    for (name, property) in properties.iter() {
        let Ok(members) = Object::parse(property.get()) else {
            continue;
        };
        path.push(name.to_owned());
        let header = members
            .string("x-mcp-header")
            .and_then(|annotation| format!("{PARAM_PREFIX}{annotation}").parse::<HeaderName>().ok());
        let primitive = members
            .string("type")
            .is_some_and(|kind| matches!(&*kind, "string" | "integer" | "boolean"));
        if let Some(header) = header
            && primitive
            && found.iter().all(|known| known.header != header)
        {
            found.push(MirroredParam {
                path: path.clone(),
                header,
            });
        }
        search(property, path, found);
        path.pop();
    }
}

fn find<'a>(arguments: &'a RawValue, path: &[String]) -> Option<&'a RawValue> {
    let mut value = arguments;
    for name in path {
        value = Object::parse(value.get()).ok()?.get(name)?;
    }
    Some(value)
}

fn expect(
    headers: &HeaderMap,
    header: &HeaderName,
    shown: &str,
    body: &str,
    encodable: bool,
) -> Result<(), RpcError> {
    let given = single(headers, header, shown)?.ok_or_else(|| mismatch(shown, "is missing"))?;
    let given = if encodable {
        decode(given, shown)?
    } else {
        given.to_owned()
    };
    if given == body {
        return Ok(());
    }
    let sentence = format!("is {}, but the body says {}", quoted(&given), quoted(body));
    Err(mismatch(shown, &sentence))
}

/// The header's only value, in the characters that a value may have (RFC 9110 section 5.5).
fn single<'a>(headers: &'a HeaderMap, header: &HeaderName, shown: &str) -> Result<Option<&'a str>, RpcError> {
    let mut values = headers.get_all(header).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(mismatch(shown, "is given twice"));
    }
    // `to_str` takes visible ASCII, space and tab.
    let text = value
        .to_str()
        .map_err(|_| mismatch(shown, "has characters that a header cannot carry"))?;
    Ok(Some(text.trim_matches([' ', '\t'])))
}

/// Undoes the Base64 form ("Value Encoding").
fn decode(value: &str, shown: &str) -> Result<String, RpcError> {
    let Some(encoded) = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="))
    else {
        return Ok(value.to_owned());
    };
    STANDARD
        .decode(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| mismatch(shown, "is not valid Base64 of UTF-8 text"))
}

fn same(header: &str, value: &RawValue) -> bool {
    if let Some(text) = json::string(value) {
        return text == header;
    }
    let body = value.get();
    if header == body {
        return true;
    }
    // Integers are compared by value: `42` is `42.0`.
    match (integer(header), integer(body)) {
        (Some(header), Some(body)) => header == body,
        _ => false,
    }
}

/// A whole number, however JSON may write it: as a float, many would pass for others.
#[derive(PartialEq, Eq)]
struct Integer {
    negative: bool,
    /// Without zeros at either end; zero has none.
    digits: String,
    zeros: i64,
}

fn integer(text: &str) -> Option<Integer> {
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    if !unsigned.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    // The grammar of numbers (RFC 8259 section 6).
    serde_json::from_str::<&RawValue>(text).ok()?;
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = exponent.parse::<i32>().map(i64::from).ok()?
        + i64::try_from(digits.len() - significant.len()).ok()?
        - i64::try_from(fraction.len()).ok()?;
    let digits = significant.trim_start_matches('0').to_owned();
    if digits.is_empty() {
        return Some(Integer {
            negative: false,
            digits,
            zeros: 0,
        });
    }
    (zeros >= 0).then_some(Integer {
        negative,
        digits,
        zeros,
    })
}

fn mismatch(header: &str, what: &str) -> RpcError {
    RpcError::new(HEADER_MISMATCH, format!("header mismatch: {header} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"object","properties":{
        "region":{"type":"string","x-mcp-header":"Region"},
        "count":{"type":"integer","x-mcp-header":"Count"},
        "ratio":{"type":"number","x-mcp-header":"Ratio"},
        "same":{"type":"string","x-mcp-header":"REGION"},
        "bad":{"type":"string","x-mcp-header":"no spaces"},
        "deep":{"type":"object","properties":{"flag":{"type":"boolean","x-mcp-header":"Flag"}}}}}"#;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn check(pairs: &[(&'static str, &str)], arguments: &str) -> Result<(), i32> {
        let arguments: Box<RawValue> = serde_json::from_str(arguments).unwrap();
        check_params(
            &headers(pairs),
            &mirrored_params(SCHEMA.as_bytes()),
            Some(&arguments),
        )
        .map_err(|error| error.code)
    }

    #[test]
    fn only_valid_annotations_count() {
        let found = mirrored_params(SCHEMA.as_bytes());
        let names: Vec<_> = found
            .iter()
            .map(|param| param.header.as_str().to_owned())
            .collect();
        assert_eq!(names, ["mcp-param-region", "mcp-param-count", "mcp-param-flag"]);
        assert_eq!(found[2].path, ["deep", "flag"]);
    }

    #[test]
    fn headers_repeat_arguments() {
        let good: [(&[(&'static str, &str)], &str); 7] = [
            (&[], "{}"),
            (&[], r#"{"region":null}"#),
            (&[("mcp-param-region", "eu")], r#"{"region":"eu"}"#),
            (
                &[("mcp-param-region", "=?base64?SGVsbG8=?=")],
                r#"{"region":"Hello"}"#,
            ),
            (
                &[("mcp-param-region", "=?base64?SGVsbG8=")],
                r#"{"region":"=?base64?SGVsbG8="}"#,
            ),
            (&[("mcp-param-count", "42.0")], r#"{"count":42}"#),
            (&[("mcp-param-flag", "true")], r#"{"deep":{"flag":true}}"#),
        ];
        for (pairs, arguments) in good {
            assert_eq!(check(pairs, arguments), Ok(()), "{pairs:?} {arguments}");
        }
        let bad: [(&[(&'static str, &str)], &str); 8] = [
            (&[], r#"{"region":"eu"}"#),
            (&[("mcp-param-region", "us")], r#"{"region":"eu"}"#),
            (&[("mcp-param-region", "eu")], "{}"),
            (
                &[("mcp-param-region", "eu"), ("mcp-param-region", "eu")],
                r#"{"region":"eu"}"#,
            ),
            (
                &[("mcp-param-region", "=?base64?SGVsbG8?=")],
                r#"{"region":"Hello"}"#,
            ),
            (
                &[("mcp-param-region", "=?base64?SGVs!!!bG8=?=")],
                r#"{"region":"Hello"}"#,
            ),
            (&[("mcp-param-count", "41")], r#"{"count":42}"#),
            (&[("mcp-param-flag", "True")], r#"{"deep":{"flag":true}}"#),
        ];
        for (pairs, arguments) in bad {
            assert_eq!(
                check(pairs, arguments),
                Err(HEADER_MISMATCH),
                "{pairs:?} {arguments}"
            );
        }
    }

    #[test]
    fn method_and_name_are_required_and_compared() {
        let given = headers(&[("mcp-method", "tools/call"), ("mcp-name", "  echo ")]);
        assert!(check_target(&given, "tools/call", Some("echo")).is_ok());
        assert!(check_target(&given, "tools/list", None).is_err());
        assert!(check_target(&given, "tools/call", Some("add")).is_err());
        assert!(check_target(&headers(&[("mcp-method", "TOOLS/LIST")]), "tools/list", None).is_err());
        assert!(
            check_target(
                &headers(&[("mcp-method", "tools/call")]),
                "tools/call",
                Some("echo")
            )
            .is_err()
        );
        assert!(check_target(&HeaderMap::new(), "tools/list", None).is_err());
    }
}
