//! The authorization server: OAuth 2.1 for MCP, behind `everything.auth.v1`. The edge is its HTTP face.
//!
//! [`Service::build`] takes settings and [`Dependencies`] (a memory or Redis store); [`Service::serve`] takes a
//! listener. One file per operation:
//!
//! | RPC | file |
//! |---|---|
//! | `Metadata` | `metadata.rs` |
//! | `RegisterClient` | `registration.rs`; all kinds of clients, and how they prove who they are, in `client/` |
//! | `BeginAuthorization` | `authorization.rs`; pushed requests in `pushed.rs` |
//! | `DecideConsent` | `consent.rs` |
//! | `CompleteUpstream` | `callback.rs`, with the provider in `upstream/` |
//! | `ExchangeToken` | `token.rs`, one grant per file in `token/` |
//! | `Introspect` | `introspection.rs` |
//! | `Revoke`, `Watch` | `revocation.rs` |
//!
//! With `AUTH_ISSUER` set, another authorization server issues the tokens, and `external.rs` checks them.
//!
//! State is in [`store`] (memory or Redis, one contract), sealed by `vault`: a value is found by the SHA-256 of its
//! secret and encrypted under a key that only the secret yields. Tokens point to a grant record and are worth nothing
//! without it, so revoking everything that came from one login is one deletion.

mod authorization;
mod callback;
mod client;
pub mod clock;
mod config;
mod consent;
mod consent_memory;
mod documents;
mod dpop;
mod error;
mod external;
mod grpc;
mod introspection;
mod jwt;
mod limits;
mod metadata;
mod oauth_error;
mod outgoing;
mod parameters;
mod pkce;
mod provider;
mod pushed;
mod records;
mod redirect_uri;
mod registration;
mod resource;
mod revocation;
mod scope;
mod secret;
mod server;
mod service;
pub mod store;
mod token;
mod upstream;
mod vault;

pub use config::external::ExternalConfig;
pub use config::upstream::{SecretSetting, UpstreamAuthentication, UpstreamConfig};
pub use config::{Config, Settings};
pub use error::Error;
pub use limits::RateLimits;
pub use service::{Dependencies, Service};
