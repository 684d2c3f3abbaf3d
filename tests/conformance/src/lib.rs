//! A second feature service: the fixtures that the official MCP conformance suite calls, with the exact values that its
//! scenarios document. It plugs in behind the same contract as the everything server's features.
//!
//! - [`Service`]: built over a [`change_feed::ChangeFeed`] in memory or on Redis, then served on a listener.
//! - [`Config`]: its settings; the binary `everything-conformance` reads them.

mod call;
mod config;
mod grpc;
mod inputs;
mod media;
mod prompts;
mod resources;
mod service;
mod tools;

pub use config::Config;
pub use service::{Error, Service};
