//! The HTTP face of the authorization server: one endpoint per file. What OAuth decides, the auth service decides.

pub mod authorize;
pub mod callback;
pub mod consent;
pub mod fake_upstream;
pub mod introspect;
pub mod metadata;
pub mod par;
pub mod register;
pub mod revoke;
pub mod token;

mod client_authentication;
mod cookie;
pub mod outcome;
mod parameters;

use axum::extract::Request;
use everything_proto::auth::v1::ClientAddress;

use crate::middleware::client_address::ClientIp;

/// Largest body that an OAuth endpoint takes, bytes. Registrations with a key set are the largest honest ones.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The client's address, as services are told it.
pub fn address(request: &Request) -> ClientAddress {
    ClientIp::of(request.extensions()).into()
}

#[cfg(test)]
mod tests;
