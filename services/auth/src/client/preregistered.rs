//! Clients that the operator registered, in a file.

use std::collections::HashMap;

use serde::Deserialize;
use url::Url;

use super::metadata::{Metadata, Method, Source};
use super::{Client, ClientAuthentication};
use crate::records::ClientId;
use crate::scope::Scopes;
use crate::secret::SecretHash;

const MIN_SECRET: usize = 16;

/// `{"clients": [{"client_id": …, <RFC 7591 metadata>, …}]}`
#[derive(Deserialize)]
struct File {
    clients: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    /// Instead of `client_secret`: lower-case hexadecimal SHA-256 of it, so that the file holds no secret.
    client_secret_sha256: Option<String>,
    /// Resources whose tokens this client may introspect: it is their resource server.
    #[serde(default)]
    introspects: Vec<Url>,
    #[serde(flatten)]
    metadata: Metadata,
}

/// Reads the file's text. Errors name the client, never a secret.
pub(crate) fn parse(text: &str) -> Result<HashMap<String, Client>, String> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        format!(
            "line {} column {}: not a list of clients",
            error.line(),
            error.column()
        )
    })?;
    let mut clients = HashMap::new();
    for (index, entry) in file.clients.into_iter().enumerate() {
        let client = accept(entry).map_err(|problem| format!("client {index}: {problem}"))?;
        let id = client.client_id.0.clone();
        if clients.insert(id.clone(), client).is_some() {
            return Err(format!("client {index}: client_id {id} is there twice"));
        }
    }
    Ok(clients)
}

fn accept(entry: Entry) -> Result<Client, String> {
    let Some(client_id) = entry.metadata.client_id.clone().filter(|id| !id.is_empty()) else {
        return Err("client_id is missing".to_owned());
    };
    let accepted = entry
        .metadata
        .accept(Source::Operator)
        .map_err(|error| error.description.into_owned())?;
    let authentication = match accepted.method {
        Method::None => ClientAuthentication::None,
        Method::Key(keys) => ClientAuthentication::Key(keys),
        Method::Secret(method) => {
            let hash = match (&entry.metadata.client_secret, &entry.client_secret_sha256) {
                (Some(secret), None) if secret.len() >= MIN_SECRET => SecretHash::of(secret),
                (None, Some(hash)) => SecretHash::parse(hash).ok_or("client_secret_sha256 is not one")?,
                _ => {
                    return Err(
                        "client_secret (16 characters or more) or client_secret_sha256 is needed".to_owned(),
                    );
                }
            };
            ClientAuthentication::Secret { method, hash }
        }
    };
    let scopes = match &entry.metadata.scope {
        None => None,
        Some(scope) => Some(Scopes::parse(scope).ok_or("scope holds none that exists")?),
    };
    Ok(Client {
        client_id: ClientId(client_id),
        name: accepted.name,
        uri: accepted.uri,
        redirect_uris: accepted.redirect_uris,
        grant_types: accepted.grant_types,
        authentication,
        scopes,
        introspects: entry
            .introspects
            .iter()
            .map(|url| url.as_str().trim_end_matches('/').to_owned())
            .collect(),
        issued_at: 0,
        registration: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flawed_files_are_refused_by_client_without_showing_secrets() {
        for (text, problem) in [
            ("{", "not a list"),
            (
                r#"{"clients": [{"client_name": "x"}]}"#,
                "client 0: client_id is missing",
            ),
            (
                r#"{"clients": [{"client_id": "a", "redirect_uris": ["file:///x"]}]}"#,
                "scheme",
            ),
            (
                r#"{"clients": [{"client_id": "a", "grant_types": ["client_credentials"], "client_secret": "hunter2"}]}"#,
                "16",
            ),
            (
                r#"{"clients": [
                    {"client_id": "a", "token_endpoint_auth_method": "none", "redirect_uris": ["https://a.example/"]},
                    {"client_id": "a", "token_endpoint_auth_method": "none", "redirect_uris": ["https://a.example/"]}
                ]}"#,
                "twice",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(problem), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
