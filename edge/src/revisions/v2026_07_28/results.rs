//! What every result of this revision has, and the results that only it has.

use bytes::Bytes;
use everything_proto::feature::v1::{
    CacheHint, Capabilities, ClientCapabilities, DescribeResponse, InputRequest, cache_hint::Scope,
};

use super::{HAS, SERVER_INFO, TASKS};
use crate::{
    jsonrpc::RpcError,
    revisions::{
        ask, errors, handshake,
        json::{self, ObjectWriter},
        meta::with_meta,
    },
};

pub(super) fn discover(server: &DescribeResponse, versions: &[&str]) -> Bytes {
    let can = server.capabilities.clone().unwrap_or_default();
    let declared = handshake::capabilities(HAS, &can, true);
    let capabilities = match extensions(&can) {
        Some(extensions) => with_meta(&declared, &[("extensions", &extensions)], &[]),
        None => declared,
    };
    let mut result = ObjectWriter::new();
    result.value("supportedVersions", &versions);
    result.raw("capabilities", capabilities);
    result.text_if("instructions", &server.instructions);
    result.finish().into()
}

pub(super) fn complete(result: &[u8], cache: Option<&CacheHint>, server_info: &[u8]) -> Bytes {
    let result = match cache {
        Some(_) => cacheable(result, cache),
        None => Bytes::copy_from_slice(result),
    };
    typed(&result, "complete", &[(SERVER_INFO, server_info)])
}

pub(super) fn input_required(
    requests: &[InputRequest],
    request_state: &str,
    declared: &ClientCapabilities,
) -> Result<Bytes, RpcError> {
    let questions = questions(requests, declared)?;
    let mut result = ObjectWriter::new();
    result.value("resultType", &"input_required");
    result.raw("inputRequests", questions);
    result.value("requestState", &request_state);
    Ok(result.finish().into())
}

/// `InputRequests`: questions by key.
pub(super) fn questions(
    requests: &[InputRequest],
    declared: &ClientCapabilities,
) -> Result<Vec<u8>, RpcError> {
    let mut questions = ObjectWriter::new();
    for request in requests {
        let (method, params) =
            ask::question(HAS, None, request, declared).map_err(errors::missing_capability)?;
        let mut question = ObjectWriter::new();
        question.value("method", &method);
        if let Some(params) = params {
            question.raw("params", params);
        }
        questions.raw(&request.key, question.finish());
    }
    Ok(questions.finish())
}

fn extensions(can: &Capabilities) -> Option<Vec<u8>> {
    let mut can = can.clone();
    // What the edge does with a feature's tasks, whatever the feature calls it.
    can.extensions_json.remove(TASKS);
    if can.tasks {
        can.extensions_json
            .insert(TASKS.to_owned(), Bytes::from_static(b"{}"));
    }
    let mut names: Vec<&String> = can.extensions_json.keys().collect();
    names.sort();
    let mut out = ObjectWriter::new();
    for name in names {
        out.raw_if(
            name,
            can.extensions_json
                .get(name)
                .and_then(|settings| json::open_object(settings)),
        );
    }
    (!out.is_empty()).then(|| out.finish())
}

/// `ttlMs` and `cacheScope` ("Caching"). Without a hint: ask again, for this user only.
pub(super) fn cacheable(result: &[u8], cache: Option<&CacheHint>) -> Bytes {
    let ttl_ms = cache.map_or(0, |cache| cache.ttl_ms).to_string();
    let scope: &[u8] = match cache.map(CacheHint::scope) {
        Some(Scope::Public) => br#""public""#,
        Some(Scope::Private | Scope::Unspecified) | None => br#""private""#,
    };
    with_meta(
        result,
        &[("ttlMs", ttl_ms.as_bytes()), ("cacheScope", scope)],
        &[],
    )
    .into()
}

pub(super) fn typed(result: &[u8], result_type: &str, meta: &[(&str, &[u8])]) -> Bytes {
    let result_type = format!("{result_type:?}");
    with_meta(result, &[("resultType", result_type.as_bytes())], meta).into()
}
