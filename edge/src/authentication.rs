//! Who is calling: from an access token to a principal.
//!
//! The auth service introspects tokens (RFC 7662). What it says of an active one is remembered for a short while, and
//! forgotten at once when the service tells of a revocation; while it cannot tell, nothing is remembered.

mod cache;
pub mod challenge;
pub mod credentials;
mod watch;

use std::{sync::Arc, time::SystemTime};

use axum::extract::FromRequestParts;
use everything_proto::auth::v1::{
    ClientAddress, DpopProof, IntrospectRequest, IntrospectResponse, OAuthError, ResourceServer,
    auth_service_client::AuthServiceClient, introspect_request::Caller,
};
use http::request::Parts;
use serving::{CancellationToken, GrpcChannel, retry};
use telemetry::Metrics;
use tonic::{Code, Status};

use crate::{AuthMode, Clients, Settings, State, error::Fault};
use cache::{Entry, TokenCache, TokenHash};
use credentials::{Credentials, Scheme};

/// Whom a request is made for. Handlers behind the authentication layer take it as an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub user_id: Arc<str>,
    /// The OAuth client. Empty where there are no tokens.
    pub client_id: Arc<str>,
    pub scopes: Arc<[String]>,
}

/// Turns credentials into principals. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Mode>);

enum Mode {
    /// AUTH_MODE=disabled.
    Everybody(Principal),
    Tokens(Tokens),
}

struct Tokens {
    client: AuthServiceClient<GrpcChannel>,
    /// What a token must have been issued for (RFC 8707).
    resource: String,
    cache: Arc<TokenCache>,
}

/// Why there is no principal.
#[derive(Clone, Debug)]
pub enum Denied {
    NoToken,
    /// RFC 6750 section 3.1 `invalid_request`: for example, two tokens.
    Malformed,
    /// Unknown, expired, revoked, or made for another resource; which, is nobody's business.
    Invalid,
    /// The auth service refuses the proof or the caller, and says why.
    Refused(OAuthError),
    /// It cannot be known now.
    Unknown(Fault),
}

impl Authenticator {
    /// Starts listening for revocations, until `shutdown`.
    pub fn new(
        settings: &Settings,
        clients: &Clients,
        metrics: &Metrics,
        shutdown: CancellationToken,
    ) -> Result<Self, Status> {
        if settings.auth == AuthMode::Disabled {
            return Ok(Self(Arc::new(Mode::Everybody(Principal::anonymous()))));
        }
        let client = clients.auth()?;
        let cache = Arc::new(TokenCache::new(
            settings.token_cache_size,
            settings.token_cache_age,
            metrics,
        ));
        let watching = watch::follow(client.clone(), cache.clone());
        tokio::spawn(async move { shutdown.run_until_cancelled(watching).await });
        let resource = settings.base.join("/mcp");
        Ok(Self(Arc::new(Mode::Tokens(Tokens {
            client,
            resource,
            cache,
        }))))
    }

    /// `address` is the client's, for rate limits.
    pub async fn authenticate(
        &self,
        credentials: Result<Option<Credentials>, Denied>,
        address: ClientAddress,
    ) -> Result<Principal, Denied> {
        match &*self.0 {
            Mode::Everybody(principal) => Ok(principal.clone()),
            Mode::Tokens(tokens) => {
                tokens
                    .principal(credentials?.ok_or(Denied::NoToken)?, address)
                    .await
            }
        }
    }

    /// Whether introspections are remembered at present.
    pub fn is_caching(&self) -> bool {
        match &*self.0 {
            Mode::Everybody(_) => false,
            Mode::Tokens(tokens) => tokens.cache.is_open(),
        }
    }
}

impl Tokens {
    async fn principal(&self, credentials: Credentials, address: ClientAddress) -> Result<Principal, Denied> {
        let request = IntrospectRequest {
            token: credentials.token().to_owned(),
            caller: Some(Caller::ResourceServer(ResourceServer {
                resource: self.resource.clone(),
            })),
            parameters: Vec::new(),
            address: Some(address),
            dpop: None,
        };
        match &credentials.scheme {
            Scheme::Bearer => {
                let hash = TokenHash::of(credentials.token());
                let entry = self
                    .cache
                    .get_or_load(hash, || self.introspect(request, false))
                    .await?;
                Ok(entry.principal)
            }
            // Each proof is for one request, so each is checked (RFC 9449 section 7).
            Scheme::Dpop(proof) => {
                let request = IntrospectRequest {
                    dpop: Some(DpopProof::clone(proof)),
                    ..request
                };
                Ok(self.introspect(request, true).await?.principal)
            }
        }
    }

    async fn introspect(&self, request: IntrospectRequest, proven: bool) -> Result<Entry, Denied> {
        let request = match proven {
            // A proof is good for one use, so it must not be sent twice.
            true => retry::once(request),
            false => tonic::Request::new(request),
        };
        let answer = self.client.clone().introspect(request).await;
        let answer = answer.map_err(|status| match status.code() {
            // Not a token that the contract can carry.
            Code::InvalidArgument => Denied::Invalid,
            _ => Denied::Unknown(Fault::from_status(&status)),
        })?;
        Entry::from_answer(answer.into_inner(), proven)
    }
}

impl Entry {
    fn from_answer(answer: IntrospectResponse, proven: bool) -> Result<Self, Denied> {
        if let Some(error) = answer.error {
            return Err(Denied::Refused(error));
        }
        // A token that is bound to a key is worth nothing without it (RFC 9449 section 7.2).
        let bound = !answer.jkt.is_empty();
        if !answer.active || answer.user_id.is_empty() || bound != proven {
            return Err(Denied::Invalid);
        }
        let entry = Self {
            principal: Principal {
                user_id: answer.user_id.into(),
                client_id: answer.client_id.into(),
                scopes: answer.scopes.into(),
            },
            grant_id: answer.grant_id,
            expires_at: answer.expires_at,
        };
        if entry.is_expired(SystemTime::now()) {
            Err(Denied::Invalid)
        } else {
            Ok(entry)
        }
    }
}

impl Principal {
    /// Whom everybody is without tokens.
    pub fn anonymous() -> Self {
        Self {
            user_id: "anonymous".into(),
            client_id: "".into(),
            scopes: Arc::default(),
        }
    }
}

impl FromRequestParts<State> for Principal {
    type Rejection = Denied;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Self::Rejection> {
        // The layer put it there; a route without the layer is closed to everybody.
        parts.extensions.get().cloned().ok_or(Denied::NoToken)
    }
}

#[cfg(test)]
mod tests;
