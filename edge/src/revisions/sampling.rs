//! `sampling/createMessage`.

use everything_proto::feature::v1::ClientCapabilities;
use serde_json::value::RawValue;

use super::{
    ask::{bad_answer, malformed, require},
    content,
    json::{self, Object, ObjectWriter, Unreadable, array_of, is_array, is_object},
    lists,
    session_wire::Has,
};
use crate::jsonrpc::RpcError;

const METHOD: &str = "sampling/createMessage";
/// Members that every revision has.
const PARAMS: &[&str] = &[
    "modelPreferences",
    "systemPrompt",
    "temperature",
    "maxTokens",
    "stopSequences",
    "metadata",
];

/// The params for a client of this revision.
pub(super) fn params(has: &Has, params: &[u8], declared: &ClientCapabilities) -> Result<Vec<u8>, RpcError> {
    let params = json::open(params)
        .and_then(|raw| Object::parse(raw.get()).ok())
        .ok_or_else(malformed)?;
    let with_tools = has.sampling_tools && declared.sampling_tools;
    let messages = params
        .get("messages")
        .and_then(|raw| json::array(raw.get()).ok())
        .ok_or_else(malformed)?;

    let mut out = ObjectWriter::new();
    out.raw("messages", array_of(self::messages(has, &messages, with_tools)?));
    out.copy(&params, PARAMS);
    // A client that did not declare it should not be asked for context; the answer is only poorer ("Sampling").
    if declared.sampling_context {
        out.copy(&params, &["includeContext"]);
    }
    let tools = params
        .get("tools")
        .map(|raw| json::array(raw.get()).map_err(|_| malformed()))
        .transpose()?;
    if tools.as_ref().is_some_and(|tools| !tools.is_empty()) || params.get("toolChoice").is_some() {
        require_tools(with_tools)?;
    }
    if let Some(tools) = tools.filter(|_| with_tools) {
        let tools: Option<Vec<_>> = tools.into_iter().map(tool).collect();
        out.raw("tools", array_of(tools.ok_or_else(malformed)?));
        out.copy(&params, &["toolChoice"]);
    }
    Ok(out.finish())
}

/// Messages whose content is one block, where the revision has no lists: a list becomes several messages of its role.
fn messages(has: &Has, messages: &[&RawValue], with_tools: bool) -> Result<Vec<Vec<u8>>, RpcError> {
    let mut out = Vec::with_capacity(messages.len());
    for message in messages {
        let message = Object::parse(message.get()).map_err(|_| malformed())?;
        let content = message.get("content").ok_or_else(malformed)?;
        let list = is_array(content);
        let blocks = if list {
            json::array(content.get()).map_err(|_| malformed())?
        } else {
            vec![content]
        };
        let blocks: Result<Vec<_>, _> = blocks
            .into_iter()
            .map(|raw| block(has, raw, with_tools))
            .collect();
        let blocks = blocks?;
        let mut write = |content: &[u8]| {
            let mut writer = ObjectWriter::new();
            writer.copy(&message, &["role"]).raw("content", content);
            if has.sampling_tools {
                writer.copy(&message, &["_meta"]);
            }
            out.push(writer.finish());
        };
        if list && has.sampling_tools {
            write(&array_of(blocks));
        } else {
            blocks.iter().for_each(|block| write(block));
        }
    }
    Ok(out)
}

fn block(has: &Has, raw: &RawValue, with_tools: bool) -> Result<Vec<u8>, RpcError> {
    let object = Object::parse(raw.get()).map_err(|_| malformed())?;
    match object.string("type").as_deref() {
        Some("tool_use") => {
            require_tools(with_tools)?;
            Ok(raw.get().as_bytes().to_vec())
        }
        Some("tool_result") => {
            require_tools(with_tools)?;
            let mut out = ObjectWriter::new();
            out.copy(&object, &["type", "toolUseId", "content", "isError", "_meta"]);
            // Other than an object it exists in the newest shape only.
            out.raw_if(
                "structuredContent",
                object.get("structuredContent").filter(|value| is_object(value)),
            );
            Ok(out.finish())
        }
        _ => content::block(has, raw).map_err(|Unreadable| malformed()),
    }
}

/// A tool for the model: as in `tools/list`.
fn tool(tool: &RawValue) -> Option<Vec<u8>> {
    let tool = Object::parse(tool.get()).ok()?;
    let mut out = ObjectWriter::new();
    out.copy(
        &tool,
        &["name", "title", "description", "icons", "annotations", "_meta"],
    );
    out.raw("inputSchema", lists::object_schema(tool.get("inputSchema")?)?);
    if let Some(output) = tool.get("outputSchema").and_then(lists::object_schema) {
        out.raw("outputSchema", output);
    }
    Some(out.finish())
}

fn require_tools(able: bool) -> Result<(), RpcError> {
    require(able, "sampling.tools", r#"{"sampling":{"tools":{}}}"#)
}

/// The client's `CreateMessageResult`, checked. Every revision's is one of the newest.
pub(super) fn answer(result: &RawValue) -> Result<Vec<u8>, RpcError> {
    let wrong = |fault: &str| bad_answer(METHOD, fault);
    let answer = Object::parse(result.get()).map_err(|_| wrong("it must be an object"))?;
    if !matches!(answer.string("role").as_deref(), Some("user" | "assistant")) {
        return Err(wrong("`role` must be \"user\" or \"assistant\""));
    }
    if answer.string("model").is_none() {
        return Err(wrong("`model` must be a string"));
    }
    if answer.get("stopReason").is_some() && answer.string("stopReason").is_none() {
        return Err(wrong("`stopReason` must be a string"));
    }
    if answer.get("_meta").is_some_and(|meta| !is_object(meta)) {
        return Err(wrong("`_meta` must be an object"));
    }
    let content = answer
        .get("content")
        .ok_or_else(|| wrong("`content` is missing"))?;
    let blocks = if is_array(content) {
        json::array(content.get()).map_err(|_| wrong("`content` has too many blocks"))?
    } else {
        vec![content]
    };
    for block in blocks {
        check_block(block).map_err(wrong)?;
    }
    let mut out = ObjectWriter::new();
    out.copy(&answer, &["role", "content", "model", "stopReason", "_meta"]);
    Ok(out.finish())
}

fn check_block(block: &RawValue) -> Result<(), &'static str> {
    let block =
        Object::parse(block.get()).map_err(|_| "`content` must be an object or an array of objects")?;
    let strings = |names: &[&str]| names.iter().all(|name| block.string(name).is_some());
    let (good, fault) = match block.string("type").as_deref() {
        Some("text") => (strings(&["text"]), "text content must have the string `text`"),
        Some("image") => (
            strings(&["data", "mimeType"]),
            "image content must have the strings `data` and `mimeType`",
        ),
        Some("audio") => (
            strings(&["data", "mimeType"]),
            "audio content must have the strings `data` and `mimeType`",
        ),
        Some("tool_use") => (
            strings(&["id", "name"]) && block.get("input").is_some_and(is_object),
            "tool_use content must have the strings `id` and `name` and the object `input`",
        ),
        Some("tool_result") => (
            strings(&["toolUseId"]) && block.get("content").is_some_and(is_array),
            "tool_result content must have the string `toolUseId` and the array `content`",
        ),
        _ => (
            false,
            "`content.type` must be text, image, audio, tool_use or tool_result",
        ),
    };
    if good { Ok(()) } else { Err(fault) }
}
