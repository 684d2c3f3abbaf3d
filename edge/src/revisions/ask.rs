//! Questions to the client: a feature's `InputRequest` as a JSON-RPC request, and the client's answer to it.

use bytes::Bytes;
use everything_proto::feature::v1::{ClientCapabilities, InputRequest, input_request::Request};
use serde_json::value::RawValue;

use super::{
    elicitation,
    json::{self, Object, ObjectWriter, array_of},
    sampling,
    session_wire::{Elicitation, Has},
};
use crate::jsonrpc::{self, INVALID_REQUEST, RpcError};

/// The whole JSON-RPC request, for revisions in which the server sends requests.
pub(super) fn request(
    has: &Has,
    id: &str,
    request: &InputRequest,
    declared: &ClientCapabilities,
) -> Result<Bytes, RpcError> {
    let (method, params) = question(has, Some(id), request, declared)?;
    Ok(jsonrpc::request(id, method, params.as_deref()))
}

/// Method and params of a question. `id`: its own, for revisions in which an elicitation by URL has one.
pub(super) fn question(
    has: &Has,
    id: Option<&str>,
    request: &InputRequest,
    declared: &ClientCapabilities,
) -> Result<(&'static str, Option<Vec<u8>>), RpcError> {
    Ok(match request.request.as_ref().ok_or_else(malformed)? {
        Request::SamplingJson(params) => {
            require(declared.sampling, "sampling", r#"{"sampling":{}}"#)?;
            (
                "sampling/createMessage",
                Some(sampling::params(has, params, declared)?),
            )
        }
        Request::ElicitationFormJson(params) => {
            let able = declared.elicitation_form && has.elicitation != Elicitation::Absent;
            require(able, "elicitation", r#"{"elicitation":{"form":{}}}"#)?;
            ("elicitation/create", Some(elicitation::form_params(has, params)?))
        }
        Request::ElicitationUrlJson(params) => {
            let able = declared.elicitation_url && has.elicitation == Elicitation::FormsAndUrls;
            require(able, "elicitation.url", r#"{"elicitation":{"url":{}}}"#)?;
            ("elicitation/create", Some(elicitation::url_params(id, params)?))
        }
        Request::ListRoots(_) => {
            require(declared.roots, "roots", r#"{"roots":{}}"#)?;
            ("roots/list", None)
        }
    })
}

pub(super) fn response(request: &InputRequest, result: &RawValue) -> Result<Bytes, RpcError> {
    match request.request.as_ref().ok_or_else(malformed)? {
        Request::SamplingJson(_) => sampling::answer(result),
        Request::ElicitationFormJson(params) => elicitation::form_answer(params, result),
        Request::ElicitationUrlJson(_) => elicitation::url_answer(result),
        Request::ListRoots(_) => roots(result),
    }
    .map(Bytes::from)
}

/// The error for what the client cannot be asked. `data` is that of `MissingRequiredClientCapabilityError`, the code is
/// the one of the revisions before it.
pub(super) fn require(able: bool, capability: &str, required: &str) -> Result<(), RpcError> {
    if able {
        return Ok(());
    }
    let mut data = ObjectWriter::new();
    data.raw("requiredCapabilities", required);
    let message =
        format!("this needs the client capability `{capability}`, which the client did not declare");
    Err(RpcError {
        data: json::open(&data.finish()).map(ToOwned::to_owned),
        ..RpcError::new(INVALID_REQUEST, message)
    })
}

/// The error for an answer that does not fit the question.
pub(super) fn bad_answer(method: &str, fault: &str) -> RpcError {
    RpcError::invalid_params(format!("the client's answer to {method} is not valid: {fault}"))
}

pub(super) fn malformed() -> RpcError {
    RpcError::internal("the server's question to the client was malformed")
}

fn roots(result: &RawValue) -> Result<Vec<u8>, RpcError> {
    let wrong = |fault| bad_answer("roots/list", fault);
    let answer = Object::parse(result.get()).map_err(|_| wrong("it must be an object"))?;
    let roots = answer
        .get("roots")
        .and_then(|roots| json::array(roots.get()).ok())
        .ok_or_else(|| wrong("`roots` must be an array"))?;
    let mut out = Vec::with_capacity(roots.len());
    for root in roots {
        let root = Object::parse(root.get()).map_err(|_| wrong("a root must be an object"))?;
        if root.string("uri").is_none() {
            return Err(wrong("`uri` of a root must be a string"));
        }
        if root.get("name").is_some() && root.string("name").is_none() {
            return Err(wrong("`name` of a root must be a string"));
        }
        let mut item = ObjectWriter::new();
        item.copy(&root, &["uri", "name", "_meta"]);
        out.push(item.finish());
    }
    let mut answer = ObjectWriter::new();
    answer.raw("roots", array_of(out));
    Ok(answer.finish())
}
