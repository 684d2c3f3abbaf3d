//! JSON Schema 2020-12: generated from Rust types, and used to check what comes in.

mod violation;

use jsonschema::{Draft, Validator};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// Violations that one answer names. More would not help anybody.
const MAX_VIOLATIONS: usize = 10;

/// A schema that cannot be used: a bug, found at start.
#[derive(Debug, thiserror::Error)]
#[error("the schema of {name} cannot be used: {reason}")]
pub struct BadSchema {
    pub name: String,
    pub reason: String,
}

/// A compiled schema.
#[derive(Debug)]
pub struct Checker(Validator);

/// The schema of values that `T` is read from.
pub fn input<T: JsonSchema>() -> Value {
    generate::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// The schema of values that `T` is written as.
pub fn output<T: JsonSchema>() -> Value {
    generate::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn generate<T: JsonSchema>(settings: SchemaSettings) -> Value {
    // Inline: many clients do not follow `$ref`.
    let generator = settings
        .with(|settings| settings.inline_subschemas = true)
        .into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    if let Value::Object(root) = &mut schema {
        // The name of the Rust type, which means nothing to clients.
        root.remove("title");
        root.entry("properties")
            .or_insert_with(|| Value::Object(Map::new()));
    }
    drop_rust_formats(&mut schema);
    // A default of `10`, not `10.0`.
    normalize_integers(&mut schema);
    schema
}

/// `uint32` and the like are no JSON Schema formats; strict validators refuse them.
fn drop_rust_formats(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let numeric = matches!(
                members.get("type").and_then(Value::as_str),
                Some("integer" | "number")
            );
            if numeric {
                members.remove("format");
            }
            members.values_mut().for_each(drop_rust_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_rust_formats),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Writes integral floats as integers, all the way down: to JSON Schema `3.0` is an integer, to serde it is none.
pub fn normalize_integers(value: &mut Value) {
    /// Beyond it a double does not hold every integer.
    const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64()
                && number.is_f64()
                && float.fract() == 0.0
                && float.abs() <= MAX_SAFE
            {
                #[expect(clippy::cast_possible_truncation, reason = "integral and within 2^53")]
                let integer = float as i64;
                *value = Value::from(integer);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalize_integers),
        Value::Object(members) => members.values_mut().for_each(normalize_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

impl Checker {
    /// `name` is whose schema it is, for the error.
    pub fn compile(name: &str, schema: &Value) -> Result<Self, BadSchema> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(schema)
            .map(Self)
            .map_err(|error| BadSchema {
                name: name.to_owned(),
                reason: error.to_string(),
            })
    }

    /// What is wrong with `value`, one sentence each, naming the field. Empty: nothing.
    pub fn violations(&self, value: &Value) -> Vec<String> {
        self.0
            .iter_errors(value)
            .take(MAX_VIOLATIONS)
            .map(|error| violation::describe(&error))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integral_floats_become_integers() {
        let mut value = json!({ "a": 3.0, "b": [1.5, -2.0], "c": 1e300, "d": "3.0" });
        normalize_integers(&mut value);
        assert_eq!(value, json!({ "a": 3, "b": [1.5, -2], "c": 1e300, "d": "3.0" }));
    }
}
