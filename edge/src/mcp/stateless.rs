//! Requests of the revision without sessions (2026-07-28). Each stands for itself: nothing is kept between two of them.

mod call;
mod listen;
mod request_state;
mod tasks;

use axum::response::{IntoResponse, Response};
use everything_proto::feature::v1::{CallContext, Principal as FeaturePrincipal};
use http::{HeaderMap, StatusCode};
use serde_json::{json, value::RawValue};
use sha2::{Digest, Sha256};
use tracing::Instrument;

use super::{
    calls::Call,
    headers,
    operation::{Carrier, Operation},
    post::INSUFFICIENT_SCOPE,
    refusal::HttpRefusal,
    requests::{Failure, list_or_complete},
    scopes,
};
use crate::{
    Principal, State,
    authentication::challenge,
    error::{Fault, json_response},
    jsonrpc::{self, INVALID_PARAMS, METHOD_NOT_FOUND, Message, RequestId, RpcError},
    revisions::{self, ClientRequest, Envelope, RequestMeta, Stateless, mirrored_headers},
};

use tasks::AsTask;

pub use request_state::StateKeys;

/// The requested version is not served (MCP 2026-07-28, `UnsupportedProtocolVersionError`).
const UNSUPPORTED_VERSION: i32 = -32022;

/// A request that was read.
struct Job<'a> {
    state: &'a State,
    principal: &'a Principal,
    revision: &'static dyn Stateless,
    id: RequestId,
    meta: RequestMeta,
    envelope: Envelope,
    operation: Operation,
}

/// Whether a message is for this wire. A message with a session is not; otherwise its header or its `_meta` says so.
pub fn is_meant(headers: &HeaderMap, message: &Message) -> bool {
    let named = headers
        .get(headers::PROTOCOL_VERSION)
        .and_then(|value| value.to_str().ok());
    if named.is_some_and(|version| revisions::stateless_by_version(version.trim()).is_some()) {
        return true;
    }
    match message {
        Message::Request { params, .. } if !headers.contains_key(headers::SESSION_ID) => {
            revisions::newest_stateless()
                .named_version(params.as_deref())
                .is_some()
        }
        _ => false,
    }
}

/// Serves one message.
pub async fn serve(
    state: &State,
    principal: &Principal,
    carrier: Carrier,
    headers: &HeaderMap,
    message: Message,
) -> Result<Response, HttpRefusal> {
    let (id, method, params) = match message {
        Message::Request { id, method, params } => (id, method, params),
        // None is defined; what is unknown is passed over.
        Message::Notification { method, params } => {
            Operation::of_client(&carrier, &method, params.as_deref()).succeeded(b"");
            return Ok(StatusCode::ACCEPTED.into_response());
        }
        Message::Response { .. } => {
            let sentence = "this revision has no requests from the server, so there is nothing to respond to";
            return Err(HttpRefusal::bad_request(RpcError::invalid_request(sentence)));
        }
    };
    let operation = Operation::of_client(&carrier, &method, params.as_deref()).with_id(&id);
    let caller = Caller {
        state,
        principal,
        operation: operation.clone(),
    };
    request(caller, headers, &id, &method, params.as_deref())
        .instrument(operation.span())
        .await
        .inspect_err(|refusal| operation.failed(&refusal.error))
        .map_err(|refusal| refusal.of(Some(&id)))
}

/// Who sent a request, and what traces call it.
struct Caller<'a> {
    state: &'a State,
    principal: &'a Principal,
    operation: Operation,
}

async fn request(
    Caller {
        state,
        principal,
        operation,
    }: Caller<'_>,
    headers: &HeaderMap,
    id: &RequestId,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Response, HttpRefusal> {
    let revision = version(headers, params)?;
    let operation = operation.in_revision(revision.version());
    let envelope = revision.envelope(params).map_err(HttpRefusal::bad_request)?;
    let (request, meta) = revision.request(method, params).map_err(refuse)?;
    mirrored_headers::check_target(headers, method, name(&request)).map_err(HttpRefusal::bad_request)?;
    if let Some(scope) = scopes::missing(&state.config, principal, &request) {
        operation.broke(INSUFFICIENT_SCOPE);
        return Ok(challenge::insufficient_scope(state, "/mcp", Some(id), scope).await);
    }
    let job = Job {
        state,
        principal,
        revision,
        id: id.clone(),
        meta,
        envelope,
        operation,
    };
    match request {
        ClientRequest::Listen(filter) => listen::open(job, filter).await,
        ClientRequest::CallTool { name, arguments, .. } => {
            let facts = state.mcp.known_tools.of(&state.mcp, job.context(), &name).await?;
            mirrored_headers::check_params(headers, &facts.mirrored, arguments.as_deref())
                .map_err(HttpRefusal::bad_request)?;
            let as_task = AsTask::of(&facts, &job.envelope.capabilities)?;
            call::run(job, Call::Tool { name, arguments }, as_task).await
        }
        ClientRequest::ReadResource { uri } => call::run(job, Call::Resource { uri }, AsTask::Never).await,
        ClientRequest::GetPrompt { name, arguments } => {
            call::run(job, Call::Prompt { name, arguments }, AsTask::Never).await
        }
        request @ (ClientRequest::GetTask { .. }
        | ClientRequest::UpdateTask { .. }
        | ClientRequest::CancelTask { .. }) => tasks::answer(job, request, method).await,
        ClientRequest::Discover => {
            let described = state.mcp.described(revision).await?;
            let result = revision.discover_result(&described.server, &revisions::all_versions());
            Ok(job.answer(&revision.complete(&result, Some(&described.cache), &described.info)))
        }
        request => {
            let described = state.mcp.described(revision).await?;
            let result = list_or_complete(&state.mcp, revision, job.context(), request).await;
            Ok(job.answer(&revision.complete(&result.map_err(failed)?, None, &described.info)))
        }
    }
}

/// The revision that header and body agree on.
fn version(headers: &HeaderMap, params: Option<&RawValue>) -> Result<&'static dyn Stateless, HttpRefusal> {
    let newest = revisions::newest_stateless();
    let Some(named) = newest.named_version(params) else {
        // Says which part of `_meta` is missing.
        let missing = newest.envelope(params).err();
        let missing =
            missing.unwrap_or_else(|| RpcError::invalid_params("`_meta` must name the protocol version"));
        return Err(HttpRefusal::bad_request(missing));
    };
    mirrored_headers::check_version(headers, &named).map_err(HttpRefusal::bad_request)?;
    revisions::stateless_by_version(&named).ok_or_else(|| {
        let data = json!({ "supported": revisions::all_versions(), "requested": named });
        let error =
            RpcError::new(UNSUPPORTED_VERSION, "this protocol version is not served").with_data(&data);
        HttpRefusal::bad_request(error)
    })
}

/// What a request names, for `Mcp-Name`.
fn name(request: &ClientRequest) -> Option<&str> {
    match request {
        ClientRequest::CallTool { name, .. } | ClientRequest::GetPrompt { name, .. } => Some(name),
        ClientRequest::ReadResource { uri } => Some(uri),
        ClientRequest::GetTask { task_id }
        | ClientRequest::UpdateTask { task_id }
        | ClientRequest::CancelTask { task_id } => Some(task_id),
        _ => None,
    }
}

/// The HTTP status of an error that the edge itself finds.
fn refuse(error: RpcError) -> HttpRefusal {
    let status = if error.code == METHOD_NOT_FOUND {
        StatusCode::NOT_FOUND
    } else {
        StatusCode::BAD_REQUEST
    };
    HttpRefusal::new(status, error)
}

/// The HTTP status of an error that a feature answers: an answer like any other, where the revision does not say more.
fn failed(failure: Failure) -> HttpRefusal {
    match failure {
        Failure::Rpc(error) => {
            let status = match error.code {
                METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
                -32099..=-32020 => StatusCode::BAD_REQUEST,
                _ => StatusCode::OK,
            };
            HttpRefusal::new(status, error)
        }
        Failure::Fault(fault) => fault.into(),
        // There is none that could end.
        Failure::SessionEnded | Failure::TakenOver => Fault::Internal.into(),
    }
}

impl Job<'_> {
    fn context(&self) -> CallContext {
        CallContext {
            principal: Some(FeaturePrincipal {
                user_id: self.principal.user_id.as_ref().to_owned(),
                client_id: self.principal.client_id.as_ref().to_owned(),
                scopes: self.principal.scopes.to_vec(),
            }),
            session_key: user_key(self.principal),
            client_capabilities: Some(self.envelope.capabilities.clone()),
            log_level: self.envelope.log_level.into(),
            wants_progress: self.meta.progress_token.is_some(),
            ..CallContext::default()
        }
    }

    fn answer(&self, result: &[u8]) -> Response {
        self.operation.succeeded(result);
        json_response(StatusCode::OK, jsonrpc::result(&self.id, result))
    }
}

/// Stands for the user where there is no session: what a feature keeps for a session, it keeps for the user then.
fn user_key(principal: &Principal) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let digest = Sha256::new()
        .chain_update("everything user key\0")
        .chain_update(&*principal.user_id)
        .finalize();
    format!("user-{}", URL_SAFE_NO_PAD.encode(digest))
}

/// A request whose state or inputs cannot be used.
fn bad_state(sentence: &str) -> HttpRefusal {
    HttpRefusal::bad_request(RpcError::new(INVALID_PARAMS, sentence))
}
