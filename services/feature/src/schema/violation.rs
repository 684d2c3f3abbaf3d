use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;

use crate::error::shortened;

/// One sentence that names the field and what is wrong with it, so that a model can correct it. Values that came in
/// are not repeated: they may be large or private.
pub(super) fn describe(error: &ValidationError<'_>) -> String {
    let path = field(error.instance_path().as_str());
    let problem = match error.kind() {
        Kind::Required { property } => {
            let missing = property.as_str().unwrap_or_default();
            let missing = if path.is_empty() {
                missing.to_owned()
            } else {
                format!("{path}.{missing}")
            };
            return format!("{missing}: is required");
        }
        Kind::AdditionalProperties { unexpected } => {
            let names: Vec<_> = unexpected.iter().take(5).map(|name| shortened(name)).collect();
            let of = if path.is_empty() {
                String::new()
            } else {
                format!(" of {path}")
            };
            return format!("{}: is not a known field{of}", names.join(", "));
        }
        Kind::Type { kind } => format!("must be {}, but is {}", expected(kind), kind_of(error.instance())),
        Kind::Enum { options } => format!("must be one of {}", list(options)),
        Kind::Constant { expected_value } => format!("must be {expected_value}"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be greater than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::UniqueItems => "must not have an item twice".to_owned(),
        Kind::Format { format } => format!("is not a valid {format}"),
        Kind::Pattern { pattern } => format!("does not match the pattern {pattern}"),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "has none of the allowed forms".to_owned(),
        // Kinds that no schema of ours can produce.
        _ => error.masked_with("the value").to_string(),
    };
    if path.is_empty() {
        problem
    } else {
        format!("{path}: {problem}")
    }
}

/// `/tags/0` → `tags[0]`.
fn field(pointer: &str) -> String {
    let mut path = String::new();
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        if token.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{token}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&shortened(&token));
        }
    }
    path
}

fn expected(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => with_article(kind.as_str()).to_owned(),
        TypeKind::Multiple(kinds) => kinds
            .iter()
            .map(|kind| with_article(kind.as_str()))
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn with_article(kind: &str) -> &'static str {
    match kind {
        "boolean" => "a boolean",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a string",
        "array" => "an array",
        "object" => "an object",
        _ => "null",
    }
}

fn list(options: &Value) -> String {
    match options {
        Value::Array(options) => options
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}
