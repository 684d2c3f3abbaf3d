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
/// When a provider is away, what it said before is good for this long.
const STALE_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// After a failure nobody waits for another one for this long.
const REST: Duration = Duration::from_secs(1);

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
    known: Reading<ProviderMetadata>,
}

/// Something of another server, read when it is needed and kept for a while.
pub(crate) struct Reading<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Option<(Instant, Arc<T>)>,
    failure: Option<(Instant, String)>,
}

impl<T> Default for Reading<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                value: None,
                failure: None,
            }),
        }
    }
}

impl<T> Reading<T> {
    /// What was read no longer ago than `age`; when it cannot be read, what was read within a day. Whoever comes while
    /// it is being read waits for the same answer, and whoever comes soon after a failure gets that.
    pub async fn get(
        &self,
        age: Duration,
        read: impl Future<Output = Result<T, String>>,
    ) -> Result<Arc<T>, String> {
        let mut state = self.state.lock().await;
        if let Some((when, value)) = &state.value
            && when.elapsed() < age
        {
            return Ok(Arc::clone(value));
        }
        let rested = state
            .failure
            .as_ref()
            .is_none_or(|(when, _)| when.elapsed() >= REST);
        if rested {
            match read.await {
                Ok(value) => {
                    let value = Arc::new(value);
                    *state = State {
                        value: Some((Instant::now(), Arc::clone(&value))),
                        failure: None,
                    };
                    return Ok(value);
                }
                Err(problem) => {
                    tracing::warn!(problem, "another server cannot be read");
                    state.failure = Some((Instant::now(), problem));
                }
            }
        }
        match (&state.value, &state.failure) {
            (Some((when, value)), _) if when.elapsed() < STALE_AGE => Ok(Arc::clone(value)),
            (_, Some((_, problem))) => Err(problem.clone()),
            (_, None) => Err("it has not been read".to_owned()),
        }
    }
}

impl Provider {
    pub fn new(issuer: &str, http: Arc<dyn HttpClient>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            http,
            known: Reading::default(),
        }
    }

    /// Errors say what failed, for operators.
    pub async fn metadata(&self) -> Result<Arc<ProviderMetadata>, String> {
        self.known.get(AGE, self.read()).await
    }

    async fn read(&self) -> Result<ProviderMetadata, String> {
        let mut problem = String::new();
        for url in well_knowns(&self.issuer) {
            match get_json::<ProviderMetadata>(self.http.as_ref(), &url).await {
                // RFC 8414 section 3.3: or it speaks for somebody else.
                Ok(metadata) if same_issuer(&metadata.issuer, &self.issuer) => return Ok(metadata),
                Ok(_) => problem = format!("{url}: it names another issuer"),
                Err(error) => problem = format!("{url}: {error}"),
            }
        }
        Err(problem)
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
