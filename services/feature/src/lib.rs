//! The feature service: tools, resources, prompts and completions of the everything server.
//!
//! [`Config`] → [`Service::build`] with [`Dependencies`] → [`Service::serve`]. Dependencies are
//! [`Dependencies::memory`] or [`Dependencies::redis`].
//!
//! Domain: [`tools`], [`resources`], [`prompts`], [`extras`], [`completion`], [`changes`], together [`features`]; they
//! know neither gRPC nor Redis. [`grpc`] translates; [`store`] keeps what outlives a call.

pub mod call;
pub mod changes;
pub mod completion;
mod config;
pub mod content;
pub mod error;
pub mod extras;
pub mod features;
pub mod grpc;
pub mod outcome;
pub mod prompts;
pub mod resources;
pub mod schema;
mod service;
pub mod store;
pub mod tools;

pub use config::Config;
pub use service::{Dependencies, Service};
