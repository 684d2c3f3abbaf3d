//! A revision's official schema: whether a value is valid, and whether it holds what the schema never heard of.

use std::{cell::RefCell, collections::HashMap, fmt::Write as _, path::Path, rc::Rc};

use everything_edge::revisions::{self, Revision, Stateless, WithSessions};
use serde_json::{Value, json};

pub struct Schema<R: ?Sized + 'static = dyn WithSessions> {
    pub revision: &'static R,
    document: Value,
    /// `definitions` (draft 7) or `$defs` (2020-12).
    definitions: &'static str,
    validators: RefCell<HashMap<String, Rc<jsonschema::Validator>>>,
}

/// Each revision that has sessions with its schema, oldest first.
pub fn all() -> Vec<Schema> {
    revisions::all()
        .iter()
        .map(|revision| Schema::of(*revision))
        .collect()
}

pub fn of(version: &str) -> Schema {
    Schema::of(revisions::by_version(version).unwrap())
}

/// The revision without sessions.
pub fn stateless() -> Schema<dyn Stateless> {
    Schema::of(revisions::newest_stateless())
}

impl<R: Revision + ?Sized> Schema<R> {
    fn of(revision: &'static R) -> Self {
        let file = format!("tests/schema/{}.schema.json", revision.version());
        let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let document: Value = serde_json::from_slice(&text).unwrap();
        let definitions = if document.get("$defs").is_some() {
            "$defs"
        } else {
            "definitions"
        };
        Self {
            revision,
            document,
            definitions,
            validators: RefCell::default(),
        }
    }

    pub fn version(&self) -> &'static str {
        self.revision.version()
    }

    pub fn has(&self, definition: &str) -> bool {
        self.document[self.definitions].get(definition).is_some()
    }

    pub fn is_valid(&self, definition: &str, value: &Value) -> bool {
        self.validator(definition).is_valid(value)
    }

    /// Valid, and nothing in it that the definition does not declare.
    #[track_caller]
    pub fn check(&self, definition: &str, value: &Value) {
        self.check_valid(definition, value);
        let leaks = self.leaks(definition, value);
        assert!(
            leaks.is_empty(),
            "{} {definition} knows no {leaks:?} in {value:#}",
            self.version()
        );
    }

    #[track_caller]
    pub fn check_valid(&self, definition: &str, value: &Value) {
        let mut faults = String::new();
        for fault in self.validator(definition).iter_errors(value) {
            let _ = write!(faults, "\n  {}: {fault}", fault.instance_path());
        }
        assert!(
            faults.is_empty(),
            "{} {definition}:{faults}\nin {value:#}",
            self.version()
        );
    }

    /// A whole message: valid as JSON-RPC, and beside its envelope nothing that the definition does not declare.
    #[track_caller]
    pub fn check_message(&self, definition: &str, message: &Value) {
        self.check_valid("JSONRPCMessage", message);
        self.check_valid(definition, message);
        let mut leaks = self.leaks(definition, message);
        leaks.retain(|leak| !matches!(leak.as_str(), "/jsonrpc" | "/id"));
        assert!(
            leaks.is_empty(),
            "{} {definition} knows no {leaks:?} in {message:#}",
            self.version()
        );
    }

    fn validator(&self, definition: &str) -> Rc<jsonschema::Validator> {
        let mut validators = self.validators.borrow_mut();
        let validator = validators.entry(definition.to_owned()).or_insert_with(|| {
            assert!(self.has(definition), "{} has no {definition}", self.version());
            let mut root = json!({
                "$schema": self.document["$schema"],
                "$ref": format!("#/{}/{definition}", self.definitions),
            });
            root[self.definitions] = self.document[self.definitions].clone();
            Rc::new(jsonschema::validator_for(&root).unwrap())
        });
        Rc::clone(validator)
    }

    fn leaks(&self, definition: &str, value: &Value) -> Vec<String> {
        let mut leaks = Vec::new();
        self.walk(
            &self.document[self.definitions][definition],
            value,
            "",
            &mut leaks,
        );
        leaks
    }

    fn walk(&self, schema: &Value, value: &Value, path: &str, leaks: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.document.pointer(reference.trim_start_matches('#')).unwrap();
            return self.walk(target, value, path, leaks);
        }
        if let Some(variants) = schema["anyOf"].as_array() {
            let fewest = variants
                .iter()
                .filter(|variant| self.fits(variant, value))
                .map(|variant| {
                    let mut leaks = Vec::new();
                    self.walk(variant, value, path, &mut leaks);
                    leaks
                })
                .min_by_key(Vec::len);
            return leaks.extend(fewest.unwrap_or_else(|| vec![format!("{path}: no variant")]));
        }
        match value {
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.walk(&schema["items"], item, &format!("{path}/{n}"), leaks);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let path = format!("{path}/{name}");
                    // Any keyword of JSON Schema may stand there.
                    if name == "inputSchema" || name == "outputSchema" {
                        continue;
                    }
                    // Where there is a place for it, anything may be in it.
                    if name == "_meta" && schema["properties"].get(name).is_some() {
                        continue;
                    }
                    match (schema["properties"].get(name), schema.get("additionalProperties")) {
                        (Some(known), _) => self.walk(known, member, &path, leaks),
                        (None, Some(open)) if open.is_object() => self.walk(open, member, &path, leaks),
                        (None, Some(Value::Bool(true))) => {}
                        // An untyped schema, as of `data`.
                        (None, _) if schema.get("type").is_none() && schema.get("properties").is_none() => {}
                        (None, _) => leaks.push(path),
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether the value has the kind, the constants and the required members of a variant.
    fn fits(&self, variant: &Value, value: &Value) -> bool {
        if let Some(reference) = variant["$ref"].as_str() {
            return self.fits(
                self.document.pointer(reference.trim_start_matches('#')).unwrap(),
                value,
            );
        }
        if let Some(variants) = variant["anyOf"].as_array() {
            return variants.iter().any(|variant| self.fits(variant, value));
        }
        if variant["type"] == "array" || value.is_array() {
            return variant["type"] == "array" && value.is_array();
        }
        let required = variant["required"].as_array().into_iter().flatten();
        let constants = variant["properties"].as_object().into_iter().flatten();
        required
            .filter_map(Value::as_str)
            .all(|name| value.get(name).is_some())
            && constants
                .filter_map(|(name, schema)| Some((value.get(name)?, schema)))
                .all(|(given, schema)| {
                    schema.get("const").is_none_or(|constant| constant == given)
                        && schema["enum"]
                            .as_array()
                            .is_none_or(|values| values.contains(given))
                })
    }
}
