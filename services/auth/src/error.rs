//! What can go wrong here that is not the caller's doing, and its one mapping to a gRPC status.
//!
//! What OAuth defines as an error travels in-band: see [`crate::oauth_error`].

use crate::store::StoreError;

/// A fault of the infrastructure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("internal: {0}")]
    Internal(String),
    #[error("bad settings: {0}")]
    Settings(String),
    #[error("serving: {0}")]
    Serving(#[from] serving::Error),
    /// Another provider that is needed for an answer.
    #[error("provider: {0}")]
    Provider(String),
    #[error("redis: {0}")]
    Redis(#[from] redis_store::Error),
}

impl From<Error> for tonic::Status {
    /// The details are logged here, once; the caller gets a constant sentence.
    fn from(error: Error) -> Self {
        match &error {
            Error::Store(StoreError::Unavailable(_)) => {
                tracing::warn!(%error, "the store does not answer");
                Self::unavailable("the authorization store is unavailable")
            }
            Error::Store(StoreError::Full) => {
                tracing::warn!(%error, "the store is full");
                Self::resource_exhausted("the authorization store is full")
            }
            Error::Provider(_) => {
                tracing::warn!(%error, "another provider does not answer");
                Self::unavailable("the authorization server is unavailable")
            }
            Error::Internal(_) | Error::Settings(_) | Error::Serving(_) | Error::Redis(_) => {
                tracing::error!(%error, "internal error");
                Self::internal("internal error of the authorization service")
            }
        }
    }
}
