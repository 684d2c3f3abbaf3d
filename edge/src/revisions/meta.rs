//! Adding to objects that somebody else wrote.

use super::json::{Object, ObjectWriter};

/// An object with further members, which come first, and further members in its `_meta`.
pub(super) fn with_meta(object: &[u8], members: &[(&str, &[u8])], meta: &[(&str, &[u8])]) -> Vec<u8> {
    let object = parse(object).unwrap_or_default();
    let mut out = ObjectWriter::new();
    for (name, value) in members {
        out.raw(name, value);
    }
    for (name, value) in object.iter() {
        if name != "_meta" && !members.iter().any(|(member, _)| *member == name) {
            out.raw(name, value.get());
        }
    }
    let mut merged = ObjectWriter::new();
    let own = object
        .get("_meta")
        .and_then(|own| Object::parse(own.get()).ok())
        .unwrap_or_default();
    for (name, value) in own.iter() {
        if !meta.iter().any(|(member, _)| *member == name) {
            merged.raw(name, value.get());
        }
    }
    for (name, value) in meta {
        merged.raw(name, value);
    }
    if !merged.is_empty() {
        out.raw("_meta", merged.finish());
    }
    out.finish()
}

pub(super) fn parse(json: &[u8]) -> Option<Object<'_>> {
    Object::parse(std::str::from_utf8(json).ok()?).ok()
}
