//! Results of calls. A client of the newest session revision gets the feature's bytes; older ones get what they know.

use bytes::Bytes;

use super::{
    content,
    json::{self, Object, ObjectWriter, Unreadable, array_of, is_array, is_object},
    session_wire::Has,
};
use crate::jsonrpc::RpcError;

pub(super) fn call_tool(has: &Has, result: Bytes) -> Result<Bytes, RpcError> {
    let converted = {
        let object = object(&result)?;
        let content = object
            .get("content")
            .filter(|content| is_array(content))
            .ok_or_else(malformed)?;
        // Other than an object it exists in the newest shape only.
        let structured = object.get("structuredContent");
        let keeps_structured =
            has.structured_output && (has.structured_values || structured.is_none_or(is_object));
        if passes_unread(has) && keeps_structured {
            None
        } else {
            let mut blocks = if passes_unread(has) {
                let blocks = json::array(content.get()).map_err(from_unreadable)?;
                blocks
                    .into_iter()
                    .map(|block| block.get().as_bytes().to_vec())
                    .collect()
            } else {
                content::blocks(has, content).map_err(from_unreadable)?
            };
            if let Some(structured) = structured
                && !keeps_structured
                && !has_text(content).map_err(from_unreadable)?
            {
                blocks.push(content::text(structured.get()));
            }
            let mut out = ObjectWriter::new();
            out.raw("content", array_of(blocks));
            if keeps_structured {
                out.copy(&object, &["structuredContent"]);
            }
            out.copy(&object, &["isError", "_meta"]);
            Some(out.finish())
        }
    };
    Ok(converted.map_or(result, Bytes::from))
}

pub(super) fn read_resource(has: &Has, result: Bytes) -> Result<Bytes, RpcError> {
    let converted = {
        let object = object(&result)?;
        let contents = object
            .get("contents")
            .filter(|contents| is_array(contents))
            .ok_or_else(malformed)?;
        if passes_unread(has) {
            None
        } else {
            let contents: Result<Vec<_>, _> = json::array(contents.get())
                .map_err(from_unreadable)?
                .into_iter()
                .map(|item| content::resource_contents(has, item))
                .collect();
            let mut out = ObjectWriter::new();
            out.raw("contents", array_of(contents.map_err(from_unreadable)?));
            out.copy(&object, &["_meta"]);
            Some(out.finish())
        }
    };
    Ok(converted.map_or(result, Bytes::from))
}

pub(super) fn get_prompt(has: &Has, result: Bytes) -> Result<Bytes, RpcError> {
    let converted = {
        let object = object(&result)?;
        let messages = object
            .get("messages")
            .filter(|messages| is_array(messages))
            .ok_or_else(malformed)?;
        if passes_unread(has) {
            None
        } else {
            let messages: Result<Vec<_>, _> = json::array(messages.get())
                .map_err(from_unreadable)?
                .into_iter()
                .map(|message| {
                    let message = Object::parse(message.get())?;
                    let block = content::block(has, message.get("content").ok_or(Unreadable)?)?;
                    let mut out = ObjectWriter::new();
                    out.copy(&message, &["role"]).raw("content", block);
                    Ok(out.finish())
                })
                .collect();
            let mut out = ObjectWriter::new();
            out.copy(&object, &["description", "_meta"]);
            out.raw("messages", array_of(messages.map_err(from_unreadable)?));
            Some(out.finish())
        }
    };
    Ok(converted.map_or(result, Bytes::from))
}

/// Whether results of features are results of this revision, but for the shape of `structuredContent`.
fn passes_unread(has: &Has) -> bool {
    has.icons && has.item_meta
}

fn has_text(content: &serde_json::value::RawValue) -> Result<bool, Unreadable> {
    for block in json::array(content.get())? {
        if Object::parse(block.get())?.string("type").as_deref() == Some("text") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Finds the members of a result, and with that checks that it is JSON that can be put into a message.
fn object(result: &Bytes) -> Result<Object<'_>, RpcError> {
    std::str::from_utf8(result)
        .ok()
        .and_then(|text| Object::parse(text.trim_ascii()).ok())
        .ok_or_else(malformed)
}

fn from_unreadable(_: Unreadable) -> RpcError {
    malformed()
}

fn malformed() -> RpcError {
    RpcError::internal("the server's answer was malformed")
}
