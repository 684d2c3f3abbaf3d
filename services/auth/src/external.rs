//! Another authorization server in place of ours: its tokens are checked, and clients are pointed there.

use std::sync::Arc;

use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::authentication::Audience;
use crate::clock::Clock;
use crate::config::external::ExternalSettings;
use crate::dpop::{DpopProof, ProofChecker, Thumbprint};
use crate::error::Error;
use crate::introspection::Active;
use crate::oauth_error::{Failure, OAuthError};
use crate::provider::{Provider, Reading, same_issuer};
use crate::resource::Resources;
use crate::scope::{self, Scopes};
use crate::secret::Secret;
use crate::upstream::http::HttpClient;

mod introspection;
mod keys;

/// How far clocks may differ.
const SKEW_S: u64 = 60;
/// Longest token that is looked at.
const MAX_TOKEN: usize = 16 * 1024;

/// Checks tokens of one issuer.
pub struct ExternalServer {
    settings: ExternalSettings,
    resources: Resources,
    provider: Provider,
    keys: Reading<JwkSet>,
    http: Arc<dyn HttpClient>,
    proofs: ProofChecker,
    clock: Clock,
}

/// What a token says, in the words of RFC 9068 and RFC 7662, which are the same.
#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    client_id: Option<String>,
    /// The client, in the words of OpenID Connect.
    azp: Option<String>,
    scope: Option<Value>,
    /// The same, in those of Microsoft.
    scp: Option<Value>,
    cnf: Option<Confirmation>,
    /// RFC 9068 section 6.1: the session or grant, at providers that say so.
    sid: Option<String>,
}

/// RFC 9449 section 6.1.
#[derive(Deserialize)]
struct Confirmation {
    jkt: Option<String>,
}

/// Why a token is not known to be good.
#[derive(Debug)]
enum Doubt {
    /// It is not.
    Inactive(&'static str),
    /// The issuer cannot be asked.
    Unknown(String),
}

impl ExternalServer {
    pub(crate) fn new(
        settings: ExternalSettings,
        resources: Resources,
        http: Arc<dyn HttpClient>,
        proofs: ProofChecker,
        clock: Clock,
    ) -> Self {
        let provider = Provider::new(&settings.issuer, Arc::clone(&http));
        Self {
            settings,
            resources,
            provider,
            keys: Reading::default(),
            http,
            proofs,
            clock,
        }
    }

    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    pub fn resource(&self) -> &str {
        self.resources.canonical()
    }

    /// RFC 9728: points clients to the issuer.
    pub fn protected_resource_metadata(&self) -> Value {
        json!({
            "resource": self.resource(),
            "authorization_servers": [self.issuer()],
            "scopes_supported": Scopes::all().names(),
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": crate::jwt::ALGORITHM_NAMES,
            "resource_name": "Everything MCP server",
        })
    }

    /// As [`crate::server::AuthorizationServer::introspect_for_resource`].
    pub async fn introspect(
        &self,
        token: &str,
        resource: &str,
        proof: Option<&DpopProof>,
    ) -> Result<Option<Active>, Failure<OAuthError>> {
        let Some(resource) = self
            .resources
            .resolve(resource)
            .filter(|_| token.len() <= MAX_TOKEN)
        else {
            return Ok(None);
        };
        let token = Secret::new(token);
        let claims = match &self.settings.introspection {
            Some(credentials) => self.introspected(&token, credentials).await,
            None => self.verified(&token).await,
        };
        let active = match claims.and_then(|claims| self.active(claims, resource, &token)) {
            Ok(active) => active,
            Err(Doubt::Inactive(why)) => {
                tracing::debug!(why, "a token of the external issuer is refused");
                return Ok(None);
            }
            Err(Doubt::Unknown(why)) => {
                return Err(Failure::Fault(Error::Provider(why)));
            }
        };
        let Some(proof) = proof else {
            return Ok(Some(active));
        };
        let Thumbprint(key) = self.proofs.check(proof, Some(&token)).await?;
        Ok(Some(active).filter(|active| active.jkt.as_ref() == Some(&key)))
    }

    fn active(&self, claims: Claims, resource: &str, token: &Secret) -> Result<Active, Doubt> {
        let refuse = |why| Err(Doubt::Inactive(why));
        let now = self.clock.now();
        // A slash at the end is no difference: providers are not of one mind about it.
        if !claims
            .iss
            .is_some_and(|issuer| same_issuer(&issuer, self.issuer()))
        {
            return refuse("it is of another issuer");
        }
        let Some(audience) = claims
            .aud
            .as_ref()
            .filter(|audience| self.is_for(audience, resource))
        else {
            return refuse("it is for another audience");
        };
        let Some(expires_at) = claims.exp.and_then(unix) else {
            return refuse("it never expires");
        };
        if expires_at.saturating_add(SKEW_S) <= now {
            return refuse("it has expired");
        }
        if claims.nbf.is_some_and(|nbf| nbf > (now + SKEW_S) as f64)
            || claims.iat.is_some_and(|iat| iat > (now + SKEW_S) as f64)
        {
            return refuse("it is not valid yet");
        }
        let Some(user_id) = claims.sub.filter(|sub| is_user_id(sub)) else {
            return refuse("it names no user");
        };
        let audience = audience.iter().map(str::to_owned).collect();
        Ok(Active {
            user_id,
            client_id: claims.client_id.or(claims.azp).unwrap_or_default(),
            scopes: self.scopes(claims.scope.as_ref().or(claims.scp.as_ref())),
            audience,
            issued_at: claims.iat.and_then(unix).unwrap_or(now),
            // Within the skew it is still good; whoever remembers it needs a time that is not over.
            expires_at: expires_at.max(now + 1),
            jkt: claims.cnf.and_then(|confirmation| confirmation.jkt),
            grant_id: claims.sid.unwrap_or_else(|| token.hash().as_str().to_owned()),
        })
    }

    fn is_for(&self, audience: &Audience, resource: &str) -> bool {
        audience.iter().any(|name| {
            self.resources.resolve(name) == Some(resource)
                || self.settings.audiences.iter().any(|other| other == name)
        })
    }

    /// Those of the token that mean something here; if there are none, what the operator set for such tokens.
    fn scopes(&self, claim: Option<&Value>) -> Vec<String> {
        let words: Vec<&str> = match claim {
            Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let ours: Vec<String> = scope::ALL
            .iter()
            .map(|scope| scope.as_str())
            .filter(|scope| words.contains(scope))
            .map(str::to_owned)
            .collect();
        if ours.is_empty() {
            self.settings.default_scopes.clone()
        } else {
            ours
        }
    }
}

/// Seconds since 1970; providers write fractions at times.
fn unix(value: f64) -> Option<u64> {
    (0.0..1e15).contains(&value).then_some(value as u64)
}

fn is_user_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control)
}
