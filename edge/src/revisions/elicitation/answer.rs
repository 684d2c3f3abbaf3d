//! The client's answer, held against what was asked ("servers SHOULD validate").

use serde_json::{Value, value::RawValue};

use super::{choices, open, required};
use crate::{
    jsonrpc::{RpcError, quoted},
    revisions::{
        ask::{bad_answer, malformed},
        json::{self, Object, ObjectWriter},
    },
};

const METHOD: &str = "elicitation/create";

/// An answer to a form: the action, and of an accepted form the fields that were asked for.
pub(in crate::revisions) fn form(params: &[u8], result: &RawValue) -> Result<Vec<u8>, RpcError> {
    let (action, answer) = action(result)?;
    let mut out = ObjectWriter::new();
    out.value("action", &action);
    if action != "accept" {
        return Ok(out.finish());
    }
    let params = open(params)?;
    let schema = params
        .get("requestedSchema")
        .and_then(|raw| Object::parse(raw.get()).ok())
        .ok_or_else(malformed)?;
    let fields = schema
        .get("properties")
        .and_then(|raw| Object::parse(raw.get()).ok())
        .ok_or_else(malformed)?;
    let required = required(&schema)?;
    let given = match answer.get("content") {
        // Nothing was filled in.
        None => Object::default(),
        Some(content) => Object::parse(content.get()).map_err(|_| {
            bad_answer(
                METHOD,
                "`content` must be an object in which no field occurs twice",
            )
        })?,
    };
    let mut content = ObjectWriter::new();
    for (name, field) in fields.iter() {
        let wrong = |must: &str| bad_answer(METHOD, &format!("{} must {must}", quoted(name)));
        // Some clients write null for a field left empty.
        match given.get(name).filter(|value| value.get() != "null") {
            Some(value) => {
                let field = Object::parse(field.get()).map_err(|_| malformed())?;
                check(&field, value).map_err(|must| wrong(&must))?;
                content.raw(name, value.get());
            }
            None if required.iter().any(|required| required == name) => return Err(wrong("be filled in")),
            None => {}
        }
    }
    out.raw("content", content.finish());
    Ok(out.finish())
}

/// An answer to a URL: the action alone.
pub(in crate::revisions) fn url(result: &RawValue) -> Result<Vec<u8>, RpcError> {
    let (action, _) = action(result)?;
    let mut out = ObjectWriter::new();
    out.value("action", &action);
    Ok(out.finish())
}

fn action(result: &RawValue) -> Result<(String, Object<'_>), RpcError> {
    let answer = Object::parse(result.get()).map_err(|_| bad_answer(METHOD, "it must be an object"))?;
    match answer.string("action") {
        Some(action) if matches!(action.as_ref(), "accept" | "decline" | "cancel") => {
            Ok((action.into_owned(), answer))
        }
        _ => Err(bad_answer(
            METHOD,
            "`action` must be \"accept\", \"decline\" or \"cancel\"",
        )),
    }
}

/// Holds a value against its field. The error completes "the field must …".
fn check(field: &Object<'_>, value: &RawValue) -> Result<(), String> {
    match field.string("type").as_deref() {
        Some("string") => check_string(field, &json::string(value).ok_or("be a string")?),
        Some("boolean") if !matches!(value.get(), "true" | "false") => Err("be true or false".to_owned()),
        Some("number") => check_number(field, value, "a number").map(drop),
        Some("integer") => {
            let number = check_number(field, value, "an integer")?;
            if number.fract() == 0.0 {
                Ok(())
            } else {
                Err("be an integer".to_owned())
            }
        }
        Some("array") => check_choices(field, value),
        _ => Ok(()),
    }
}

fn check_string(field: &Object<'_>, text: &str) -> Result<(), String> {
    if let Some(choices) = choices(field) {
        return one_of(&choices, text);
    }
    // Lengths of JSON Schema are in characters.
    let length = text.chars().count() as f64;
    if limit(field, "minLength").is_some_and(|least| length < least) {
        return Err(format!(
            "have at least {} characters",
            limit(field, "minLength").unwrap_or_default()
        ));
    }
    if limit(field, "maxLength").is_some_and(|most| length > most) {
        return Err(format!(
            "have at most {} characters",
            limit(field, "maxLength").unwrap_or_default()
        ));
    }
    Ok(())
}

fn check_number(field: &Object<'_>, value: &RawValue, kind: &str) -> Result<f64, String> {
    let Ok(Value::Number(number)) = serde_json::from_str(value.get()) else {
        return Err(format!("be {kind}"));
    };
    let number = number.as_f64().ok_or_else(|| format!("be {kind}"))?;
    if let Some(least) = limit(field, "minimum").filter(|least| number < *least) {
        return Err(format!("be at least {least}"));
    }
    if let Some(most) = limit(field, "maximum").filter(|most| number > *most) {
        return Err(format!("be at most {most}"));
    }
    Ok(number)
}

fn check_choices(field: &Object<'_>, value: &RawValue) -> Result<(), String> {
    let chosen: Vec<String> =
        serde_json::from_str(value.get()).map_err(|_| "be an array of strings".to_owned())?;
    let items = field
        .get("items")
        .and_then(|items| Object::parse(items.get()).ok())
        .unwrap_or_default();
    if let Some(choices) = choices(&items) {
        chosen.iter().try_for_each(|choice| one_of(&choices, choice))?;
    }
    let count = chosen.len() as f64;
    if let Some(least) = limit(field, "minItems").filter(|least| count < *least) {
        return Err(format!("have at least {least} choices"));
    }
    if let Some(most) = limit(field, "maxItems").filter(|most| count > *most) {
        return Err(format!("have at most {most} choices"));
    }
    Ok(())
}

fn one_of(choices: &[String], text: &str) -> Result<(), String> {
    if choices.iter().any(|choice| choice == text) {
        return Ok(());
    }
    let choices: Vec<_> = choices.iter().take(20).map(|choice| quoted(choice)).collect();
    Err(format!("be one of {}", choices.join(", ")))
}

fn limit(field: &Object<'_>, name: &str) -> Option<f64> {
    field
        .get(name)
        .and_then(|limit| serde_json::from_str(limit.get()).ok())
}
