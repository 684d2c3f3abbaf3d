//! `/.well-known/oauth-authorization-server` (RFC 8414), `/.well-known/openid-configuration` (the same document, where
//! older clients look for it) and `/.well-known/oauth-protected-resource` (RFC 9728).

use std::{sync::Arc, time::Duration};

use axum::{extract, response::Response};
use bytes::Bytes;
use everything_proto::auth::v1::{MetadataRequest, MetadataResponse};
use http::{HeaderValue, StatusCode, header::CACHE_CONTROL};
use moka::future::Cache;
use serde_json::{Map, Value};
use tonic::Status;

use crate::{
    Clients, State,
    error::{Face, Fault, json_response},
};

/// Where the metadata of `/mcp` is: the well-known part goes before the resource's path (RFC 9728 section 3.1).
pub const RESOURCE_METADATA_PATH: &str = "/.well-known/oauth-protected-resource/mcp";
/// The same of `/sse`, for legacy clients: they refuse metadata of a resource that is not the one they asked for.
pub const LEGACY_RESOURCE_METADATA_PATH: &str = "/.well-known/oauth-protected-resource/sse";

/// How long the documents are kept. They change only with the auth service's settings.
const AGE: Duration = Duration::from_secs(60);
/// How long a challenge waits for the scopes that it would like to name.
const SCOPES_TIMEOUT: Duration = Duration::from_secs(1);

/// The auth service's documents, remembered. Cheap to clone.
#[derive(Clone)]
pub struct Metadata {
    clients: Clients,
    documents: Cache<(), Arc<MetadataResponse>>,
}

impl Metadata {
    pub fn new(clients: Clients) -> Self {
        Self {
            clients,
            documents: Cache::builder().max_capacity(1).time_to_live(AGE).build(),
        }
    }

    pub async fn documents(&self) -> Result<Arc<MetadataResponse>, Arc<Status>> {
        let load = async {
            let answer = self.clients.auth()?.metadata(MetadataRequest {}).await?;
            Ok(Arc::new(answer.into_inner()))
        };
        self.documents.try_get_with((), load).await
    }

    /// All scopes there are, space-separated. None: they are not known now.
    pub async fn scopes(&self) -> Option<String> {
        let documents = tokio::time::timeout(SCOPES_TIMEOUT, self.documents())
            .await
            .ok()?
            .ok()?;
        (!documents.scopes_supported.is_empty()).then(|| documents.scopes_supported.join(" "))
    }
}

pub async fn authorization_server(extract::State(state): extract::State<State>) -> Response {
    respond(&state, |documents| {
        Some(documents.authorization_server_json.clone())
    })
    .await
}

pub async fn protected_resource(extract::State(state): extract::State<State>) -> Response {
    respond(&state, |documents| {
        Some(documents.protected_resource_json.clone())
    })
    .await
}

/// The auth service takes `/sse` for another name of the same resource.
pub async fn legacy_protected_resource(extract::State(state): extract::State<State>) -> Response {
    let resource = state.config.base.join("/sse");
    respond(&state, |documents| {
        let mut document: Map<String, Value> =
            serde_json::from_slice(&documents.protected_resource_json).ok()?;
        document.insert("resource".to_owned(), resource.into());
        serde_json::to_vec(&document).ok().map(Bytes::from)
    })
    .await
}

async fn respond(state: &State, pick: impl FnOnce(&MetadataResponse) -> Option<Bytes>) -> Response {
    let documents = match state.metadata.documents().await {
        Ok(documents) => documents,
        Err(status) => return Fault::from_status(&status).on(Face::OAuth),
    };
    // In external mode the authorization server has its own face.
    let Some(document) = pick(&documents).filter(|document| !document.is_empty()) else {
        return Fault::NotFound.on(Face::OAuth);
    };
    let mut response = json_response(StatusCode::OK, document);
    let age = HeaderValue::from_static("public, max-age=60");
    response.headers_mut().insert(CACHE_CONTROL, age);
    response
}
