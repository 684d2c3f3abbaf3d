//! A message that is not served: its HTTP status, its JSON-RPC error, and the id it answers.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};

use super::{in_flight::Refused, sessions::NoSession};
use crate::{
    error::{Fault, json_response},
    jsonrpc::{self, Refusal, RequestId, RpcError},
};

/// The session is gone, never was, or is somebody else's. The code that the official SDKs use for it.
const SESSION_NOT_FOUND: i32 = -32001;

/// Why the message is not served.
#[derive(Debug)]
pub struct HttpRefusal {
    pub status: StatusCode,
    pub id: Option<RequestId>,
    pub error: RpcError,
    pub retry_after_s: Option<u32>,
}

impl HttpRefusal {
    pub fn new(status: StatusCode, error: RpcError) -> Self {
        Self {
            status,
            id: None,
            error,
            retry_after_s: None,
        }
    }

    pub fn bad_request(error: RpcError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// `429`: the client has enough under way already.
    pub fn too_many(sentence: &'static str) -> Self {
        Self {
            retry_after_s: Some(1),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, RpcError::invalid_request(sentence))
        }
    }

    /// The refusal of a request, under its id.
    pub fn of(mut self, id: Option<&RequestId>) -> Self {
        self.id = id.cloned();
        self
    }
}

impl From<Fault> for HttpRefusal {
    fn from(fault: Fault) -> Self {
        Self {
            status: fault.status(),
            id: None,
            error: fault.rpc_error(),
            retry_after_s: fault.retry_after_s(),
        }
    }
}

impl From<NoSession> for HttpRefusal {
    fn from(error: NoSession) -> Self {
        match error {
            NoSession::NotFound => {
                let sentence = "session not found; send initialize to start a new one";
                Self::new(StatusCode::NOT_FOUND, RpcError::new(SESSION_NOT_FOUND, sentence))
            }
            NoSession::Fault(fault) => fault.into(),
        }
    }
}

impl From<Refusal> for HttpRefusal {
    fn from(refusal: Refusal) -> Self {
        Self {
            id: refusal.id,
            ..Self::bad_request(refusal.error)
        }
    }
}

impl From<Refused> for HttpRefusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Duplicate => Self::bad_request(RpcError::invalid_request(
                "a request with this id is already in flight",
            )),
            Refused::TooMany => {
                Self::too_many("the session has too many requests in flight; wait for some to end")
            }
            Refused::TooManyOfUser => {
                Self::too_many("the user has too many requests in flight; wait for some to end")
            }
            Refused::Overloaded => Fault::Overloaded.into(),
        }
    }
}

impl IntoResponse for HttpRefusal {
    fn into_response(self) -> Response {
        let mut response = json_response(self.status, jsonrpc::error(self.id.as_ref(), &self.error));
        if let Some(seconds) = self.retry_after_s {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
