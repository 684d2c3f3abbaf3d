//! Content blocks of results, prompts and sampling, in the kinds and members that a revision has.

use serde_json::value::RawValue;

use super::{
    json::{self, Object, ObjectWriter, Unreadable},
    session_wire::{Content, Has},
};

impl Content {
    pub(super) fn from_type(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Content::Text,
            "image" => Content::Image,
            "audio" => Content::Audio,
            "resource" => Content::Resource,
            "resource_link" => Content::ResourceLink,
            _ => return None,
        })
    }
}

/// A content block for a client of this revision. A kind that it does not have becomes a text that says what was there.
pub(super) fn block(has: &Has, block: &RawValue) -> Result<Vec<u8>, Unreadable> {
    let object = Object::parse(block.get())?;
    let kind = object.string("type").ok_or(Unreadable)?;
    let Some(kind) = Content::from_type(&kind).filter(|kind| has.content.contains(kind)) else {
        return Ok(in_words(has, &kind, &object, block));
    };
    let mut out = ObjectWriter::new();
    match kind {
        Content::Text => out.copy(&object, &["type", "text"]),
        Content::Image | Content::Audio => out.copy(&object, &["type", "data", "mimeType"]),
        Content::Resource => {
            let inner = object.get("resource").ok_or(Unreadable)?;
            out.copy(&object, &["type"])
                .raw("resource", resource_contents(has, inner)?)
        }
        Content::ResourceLink => {
            out.copy(
                &object,
                &["type", "uri", "name", "description", "mimeType", "size"],
            );
            if has.titles {
                out.copy(&object, &["title"]);
            }
            if has.icons {
                out.copy(&object, &["icons"]);
            }
            &mut out
        }
    };
    annotate(has, &object, &mut out);
    if has.item_meta {
        out.copy(&object, &["_meta"]);
    }
    Ok(out.finish())
}

/// An embedded or read resource: text or blob.
pub(super) fn resource_contents(has: &Has, contents: &RawValue) -> Result<Vec<u8>, Unreadable> {
    let object = Object::parse(contents.get())?;
    let mut out = ObjectWriter::new();
    out.copy(&object, &["uri", "mimeType", "text", "blob"]);
    if has.item_meta {
        out.copy(&object, &["_meta"]);
    }
    Ok(out.finish())
}

/// The members of annotations that the revision has. `None` where nothing is left.
pub(super) fn annotations(has: &Has, annotations: &RawValue) -> Option<Vec<u8>> {
    let object = Object::parse(annotations.get()).ok()?;
    let mut out = ObjectWriter::new();
    out.copy(&object, has.annotations);
    (!out.is_empty()).then(|| out.finish())
}

/// A text block.
pub(super) fn text(text: &str) -> Vec<u8> {
    let mut out = ObjectWriter::new();
    out.value("type", &"text").value("text", &text);
    out.finish()
}

fn annotate(has: &Has, object: &Object<'_>, out: &mut ObjectWriter) {
    if let Some(annotations) = object.get("annotations").and_then(|raw| annotations(has, raw)) {
        out.raw("annotations", annotations);
    }
}

fn in_words(has: &Has, kind: &str, object: &Object<'_>, block: &RawValue) -> Vec<u8> {
    let member = |name| object.string(name).unwrap_or_default();
    let words = match kind {
        "resource_link" => {
            let title = object.string("title").unwrap_or_else(|| member("name"));
            let mut words = format!("Resource {title}: {}", member("uri"));
            if let Some(description) = object.string("description") {
                words.push_str(" – ");
                words.push_str(&description);
            }
            words
        }
        // Base64 is of no use to a reader.
        "audio" => format!(
            "[{} audio, which this protocol version cannot carry]",
            member("mimeType")
        ),
        _ => block.get().to_owned(),
    };
    let mut out = ObjectWriter::new();
    out.value("type", &"text").value("text", &words);
    annotate(has, object, &mut out);
    out.finish()
}

/// Every block of a `content` array.
pub(super) fn blocks(has: &Has, content: &RawValue) -> Result<Vec<Vec<u8>>, Unreadable> {
    json::array(content.get())?
        .into_iter()
        .map(|item| block(has, item))
        .collect()
}
