//! `elicitation/create`: forms and URLs.

mod answer;

use serde_json::value::RawValue;

use super::{
    ask::malformed,
    json::{self, Object, ObjectWriter, is_object},
    session_wire::{Elicitation, Has},
};
use crate::jsonrpc::{INVALID_REQUEST, RpcError, quoted};

pub(super) use self::answer::{form as form_answer, url as url_answer};

/// The params of a form for a client of this revision.
pub(super) fn form_params(has: &Has, params: &[u8]) -> Result<Vec<u8>, RpcError> {
    let params = open(params)?;
    let schema = params
        .get("requestedSchema")
        .filter(|schema| is_object(schema))
        .ok_or_else(malformed)?;
    let mut out = ObjectWriter::new();
    match has.elicitation {
        Elicitation::Absent => return Err(malformed()),
        Elicitation::PlainForms => {
            out.copy(&params, &["message"])
                .raw("requestedSchema", plain_form(schema)?);
        }
        Elicitation::FormsAndUrls => {
            out.value("mode", &"form")
                .copy(&params, &["message"])
                .raw("requestedSchema", schema.get());
        }
    }
    Ok(out.finish())
}

/// The params of a visit to a URL. `elicitationId` is required up to 2025-11-25 and gone after; where the feature gives
/// none, the request's own id is as unique.
/// `id`: the question's own, for revisions in which an elicitation has one.
pub(super) fn url_params(id: Option<&str>, params: &[u8]) -> Result<Vec<u8>, RpcError> {
    let params = open(params)?;
    let mut out = ObjectWriter::new();
    out.value("mode", &"url").copy(&params, &["message", "url"]);
    if let Some(id) = id {
        let given = params.string("elicitationId");
        out.value("elicitationId", &given.as_deref().unwrap_or(id));
    }
    Ok(out.finish())
}

fn open(params: &[u8]) -> Result<Object<'_>, RpcError> {
    let params = json::open(params)
        .and_then(|raw| Object::parse(raw.get()).ok())
        .ok_or_else(malformed)?;
    if params.string("message").is_none() {
        return Err(malformed());
    }
    Ok(params)
}

/// A form of 2025-06-18. Fields that it cannot show are left out where the user need not fill them.
fn plain_form(schema: &RawValue) -> Result<Vec<u8>, RpcError> {
    let schema = Object::parse(schema.get()).map_err(|_| malformed())?;
    let fields = schema
        .get("properties")
        .and_then(|raw| Object::parse(raw.get()).ok())
        .ok_or_else(malformed)?;
    let required = required(&schema)?;
    let mut properties = ObjectWriter::new();
    for (name, field) in fields.iter() {
        let field = Object::parse(field.get()).map_err(|_| malformed())?;
        match plain_field(&field) {
            Some(field) => {
                properties.raw(name, field);
            }
            None if required.iter().any(|required| required == name) => {
                return Err(RpcError::new(
                    INVALID_REQUEST,
                    format!(
                        "the form needs the field {}, which this protocol version cannot ask for",
                        quoted(name)
                    ),
                ));
            }
            None => {}
        }
    }
    let mut out = ObjectWriter::new();
    out.value("type", &"object")
        .raw("properties", properties.finish());
    if !required.is_empty() {
        out.value("required", &required);
    }
    Ok(out.finish())
}

/// A field of 2025-06-18, `None` where it has no such kind.
fn plain_field(field: &Object<'_>) -> Option<Vec<u8>> {
    let kind = field.string("type")?;
    let mut out = ObjectWriter::new();
    out.value("type", &kind).copy(field, &["title", "description"]);
    match kind.as_ref() {
        "string" => {
            if let Some(choices) = field.get("oneOf") {
                let choices = titled(choices)?;
                out.value(
                    "enum",
                    &choices.iter().map(|(value, _)| value).collect::<Vec<_>>(),
                );
                out.value(
                    "enumNames",
                    &choices.iter().map(|(_, title)| title).collect::<Vec<_>>(),
                );
            } else if field.get("enum").is_some() {
                out.copy(field, &["enum", "enumNames"]);
            } else {
                out.copy(field, &["minLength", "maxLength", "format"]);
            }
        }
        "number" | "integer" => {
            out.copy(field, &["minimum", "maximum"]);
        }
        "boolean" => {
            out.copy(field, &["default"]);
        }
        _ => return None,
    }
    Some(out.finish())
}

/// The names of the fields that must be filled in.
fn required(schema: &Object<'_>) -> Result<Vec<String>, RpcError> {
    let Some(required) = schema.get("required") else {
        return Ok(Vec::new());
    };
    serde_json::from_str(required.get()).map_err(|_| malformed())
}

/// Choices with titles: `[{"const", "title"}]`.
fn titled(choices: &RawValue) -> Option<Vec<(String, String)>> {
    let choices = json::array(choices.get()).ok()?;
    choices
        .into_iter()
        .map(|choice| {
            let choice = Object::parse(choice.get()).ok()?;
            let value = choice.string("const")?;
            let title = choice.string("title").unwrap_or_else(|| value.clone());
            Some((value.clone().into_owned(), title.into_owned()))
        })
        .collect()
}

/// The values of a field of choices, of the four ways to write them.
fn choices(field: &Object<'_>) -> Option<Vec<String>> {
    let titled_values = |raw: &RawValue| Some(titled(raw)?.into_iter().map(|(value, _)| value).collect());
    if let Some(values) = field.get("enum") {
        return serde_json::from_str(values.get()).ok();
    }
    field
        .get("oneOf")
        .or_else(|| field.get("anyOf"))
        .and_then(titled_values)
}
