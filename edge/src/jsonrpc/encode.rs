//! Writing messages: the envelope around JSON that is spliced in as it is.

use std::io::Write;

use bytes::Bytes;

use super::{RequestId, RpcError};

/// A response with a result. `result` is the JSON of the `result` member and is not looked at.
pub fn result(id: &RequestId, result: impl AsRef<[u8]>) -> Bytes {
    let result = result.as_ref();
    let mut out = Vec::with_capacity(result.len() + 64);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    write_id(&mut out, id);
    out.extend_from_slice(br#","result":"#);
    out.extend_from_slice(result);
    out.push(b'}');
    out.into()
}

/// A response with an error. Without an id it is `null` (JSON-RPC 2.0 §5: the id could not be read).
pub fn error(id: Option<&RequestId>, error: &RpcError) -> Bytes {
    let mut out = Vec::with_capacity(error.message.len() + 96);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    match id {
        Some(id) => write_id(&mut out, id),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","error":"#);
    write_json(&mut out, error);
    out.push(b'}');
    out.into()
}

/// A request to the client. `params` is the JSON of an object and is not looked at.
pub fn request(id: &str, method: &str, params: Option<&[u8]>) -> Bytes {
    let mut out = Vec::with_capacity(params.map_or(0, <[u8]>::len) + id.len() + method.len() + 64);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    write_json(&mut out, &id);
    out.extend_from_slice(br#","method":"#);
    write_method_and_params(&mut out, method, params);
    out.into()
}

/// A notification to the client. `params` is the JSON of an object and is not looked at.
pub fn notification(method: &str, params: Option<&[u8]>) -> Bytes {
    let mut out = Vec::with_capacity(params.map_or(0, <[u8]>::len) + method.len() + 48);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"#);
    write_method_and_params(&mut out, method, params);
    out.into()
}

/// A batch of responses (JSON-RPC 2.0 §6; MCP 2025-03-26 only). Empty: nothing is to be sent, not even an empty array.
pub fn batch(responses: &[Bytes]) -> Bytes {
    if responses.is_empty() {
        return Bytes::new();
    }
    let mut out = Vec::with_capacity(responses.iter().map(|response| response.len() + 1).sum::<usize>() + 1);
    for response in responses {
        out.push(if out.is_empty() { b'[' } else { b',' });
        out.extend_from_slice(response);
    }
    out.push(b']');
    out.into()
}

fn write_method_and_params(out: &mut Vec<u8>, method: &str, params: Option<&[u8]>) {
    write_json(out, &method);
    if let Some(params) = params {
        out.extend_from_slice(br#","params":"#);
        out.extend_from_slice(params);
    }
    out.push(b'}');
}

fn write_id(out: &mut Vec<u8>, id: &RequestId) {
    match id {
        // Writing to a Vec cannot fail.
        RequestId::Number(number) => drop(write!(out, "{number}")),
        RequestId::String(_) => write_json(out, id),
    }
}

fn write_json(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    // Strings, integers and raw JSON into a Vec: serializing them cannot fail.
    let written = serde_json::to_writer(&mut *out, value);
    debug_assert!(written.is_ok());
}
