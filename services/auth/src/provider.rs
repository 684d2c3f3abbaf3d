//! What another OAuth 2.0 or OpenID Connect provider says about itself (RFC 8414, OpenID Connect Discovery), remembered.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, USER_AGENT};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::upstream::http::HttpClient;

/// How long metadata is used before it is read again.
const AGE: Duration = Duration::from_secs(60 * 60);

/// The members that matter here.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ProviderMetadata {
    pub issuer: String,
    pub authorization_endpoint: Option<String>,
    pub token_endpoint: Option<String>,
    pub userinfo_endpoint: Option<String>,
    pub jwks_uri: Option<String>,
    pub introspection_endpoint: Option<String>,
}

/// Reads a provider's metadata when it is first needed, so that the provider need not be there when we start.
pub(crate) struct Provider {
    issuer: String,
    http: Arc<dyn HttpClient>,
    known: Mutex<Option<(Instant, Arc<ProviderMetadata>)>>,
}

impl Provider {
    pub fn new(issuer: &str, http: Arc<dyn HttpClient>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            http,
            known: Mutex::default(),
        }
    }

    /// The metadata; old one when there is no newer. Errors say what failed, for operators.
    pub async fn metadata(&self) -> Result<Arc<ProviderMetadata>, String> {
        // Held while reading: whoever comes meanwhile waits for the same answer.
        let mut known = self.known.lock().await;
        if let Some((read, metadata)) = &*known
            && read.elapsed() < AGE
        {
            return Ok(Arc::clone(metadata));
        }
        let mut problem = String::new();
        for url in well_knowns(&self.issuer) {
            match get_json::<ProviderMetadata>(self.http.as_ref(), &url).await {
                // RFC 8414 section 3.3: or it speaks for somebody else.
                Ok(metadata) if same_issuer(&metadata.issuer, &self.issuer) => {
                    let metadata = Arc::new(metadata);
                    *known = Some((Instant::now(), Arc::clone(&metadata)));
                    return Ok(metadata);
                }
                Ok(_) => problem = format!("{url}: it names another issuer"),
                Err(error) => problem = format!("{url}: {error}"),
            }
        }
        tracing::warn!(problem, "the metadata of a provider cannot be read");
        known
            .as_ref()
            .map(|(_, metadata)| Arc::clone(metadata))
            .ok_or(problem)
    }
}

/// A slash at the end is no difference: providers are not of one mind about it.
pub(crate) fn same_issuer(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// OpenID Connect appends to the issuer's path, RFC 8414 inserts before it; which one a provider has is not known.
fn well_knowns(issuer: &str) -> Vec<String> {
    let base = issuer.trim_end_matches('/');
    let mut urls = vec![format!("{base}/.well-known/openid-configuration")];
    if let Ok(url) = Url::parse(issuer) {
        let path = url.path().trim_end_matches('/').to_owned();
        let origin = url.origin().ascii_serialization();
        urls.push(format!("{origin}/.well-known/oauth-authorization-server{path}"));
    }
    urls
}

/// A JSON document of a server that the operator named.
pub(crate) async fn get_json<T: DeserializeOwned>(http: &dyn HttpClient, url: &str) -> Result<T, String> {
    let request = http::Request::get(url)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "everything-auth")
        .body(Vec::new())
        .map_err(|error| error.to_string())?;
    let response = http.send(request).await.map_err(|error| error.to_string())?;
    if response.status() != http::StatusCode::OK {
        return Err(format!("http {}", response.status().as_u16()));
    }
    serde_json::from_slice(response.body()).map_err(|error| format!("unreadable json: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_where_the_standards_put_it() {
        assert_eq!(
            well_knowns("https://login.example/realms/a"),
            [
                "https://login.example/realms/a/.well-known/openid-configuration",
                "https://login.example/.well-known/oauth-authorization-server/realms/a",
            ]
        );
        assert_eq!(
            well_knowns("https://login.example/"),
            [
                "https://login.example/.well-known/openid-configuration",
                "https://login.example/.well-known/oauth-authorization-server",
            ]
        );
    }
}
