//! Errors that OAuth defines, and the pages for what cannot be answered by a redirect.

use std::borrow::Cow;
use std::time::Duration;

use crate::error::Error;

/// An OAuth error response (RFC 6749 sections 4.1.2.1 and 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthError {
    pub code: ErrorCode,
    /// Only the characters that RFC 6749 section 5.2 allows; never anything a caller sent.
    pub description: Cow<'static, str>,
    pub retry_after: Option<Duration>,
    /// RFC 9449 section 8.
    pub dpop_nonce: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    AccessDenied,
    UnsupportedResponseType,
    ServerError,
    TemporarilyUnavailable,
    /// RFC 7591 section 3.2.2.
    InvalidRedirectUri,
    /// RFC 7591 section 3.2.2.
    InvalidClientMetadata,
    /// RFC 6750 section 3.1; RFC 7592 answers it for a wrong registration access token.
    InvalidToken,
    /// RFC 8707 section 2.
    InvalidTarget,
    /// RFC 9449 section 5.
    InvalidDpopProof,
    /// RFC 9449 section 8.
    UseDpopNonce,
    /// OpenID Connect Core section 3.1.2.6.
    ConsentRequired,
    /// RFC 9101 section 5.2.
    RequestNotSupported,
    /// RFC 9101 section 5.2.
    InvalidRequestUri,
    /// Not registered, but what servers answer beside HTTP 429.
    SlowDown,
}

/// Shown instead of a redirect when nothing about the request can be trusted enough for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    pub status: u16,
    pub title: &'static str,
    pub message: Cow<'static, str>,
}

/// Why an operation did not succeed: it was refused (the caller's doing), or it could not be done (ours).
#[derive(Debug)]
pub enum Failure<R> {
    Refused(R),
    Fault(Error),
}

impl ErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidToken => "invalid_token",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::SlowDown => "slow_down",
        }
    }

    pub fn because(self, description: impl Into<Cow<'static, str>>) -> OAuthError {
        OAuthError {
            code: self,
            description: description.into(),
            retry_after: None,
            dpop_nonce: None,
        }
    }
}

impl ErrorPage {
    pub fn new(status: u16, title: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            title,
            message: message.into(),
        }
    }
}

impl<R, E: Into<Error>> From<E> for Failure<R> {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

/// Shorthand for the `Err` of an operation that answers OAuth errors.
pub(crate) fn refuse<T>(
    code: ErrorCode,
    description: impl Into<Cow<'static, str>>,
) -> Result<T, Failure<OAuthError>> {
    Err(Failure::Refused(code.because(description)))
}

impl Failure<OAuthError> {
    pub(crate) fn refused(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(code.because(description))
    }
}
