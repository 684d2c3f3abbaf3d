//! How the provider is spoken to: real HTTP, or the fake provider in this process.

use async_trait::async_trait;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HttpError(pub String);

/// Sends one request and reads the whole response, within bounds of size and time; follows no redirects (a
/// provider's endpoints do not redirect, and what is sent there is secret).
#[async_trait]
pub trait HttpClient: Send + Sync + 'static {
    async fn send(&self, request: ::http::Request<Vec<u8>>) -> Result<::http::Response<Vec<u8>>, HttpError>;
}
