//! The edge: the only HTTP face, and the only place that knows JSON-RPC, SSE, protocol revisions and browsers.
//!
//! It keeps no domain state: any edge serves any request of any session. [`EdgeConfig`] → [`Edge::build`] with the
//! services behind it → [`Edge::serve`] on a listener. Nothing here binds, reads the environment or handles signals.

pub mod authentication;
pub mod clients;
pub mod config;
pub mod error;
mod healthcheck;
pub mod jsonrpc;
pub mod mcp;
pub mod metrics;
pub mod middleware;
pub mod oauth;
pub mod pages;
pub mod readiness;
pub mod revisions;
pub mod router;
pub mod serve;
pub mod sse;
pub mod state;

pub use authentication::{Authenticator, Principal};
pub use clients::{Clients, Upstreams};
pub use config::{AuthMode, EdgeConfig, Settings, UpstreamArgs};
pub use healthcheck::{Probe, healthcheck};
pub use metrics::EdgeMetrics;
pub use serve::{Edge, Error};
pub use state::State;

#[cfg(test)]
mod testing;
