//! What system tests share: whole stacks, a browser that logs in, and other people's clients.
//!
//! - [`Stack`]: the server as a test asks for it, in this process or as real processes, behind a proxy that hands
//!   requests to the edges in turn.
//! - [`Browser`]: follows the login pages as a person would, and ends with a token.
//! - [`chaos`]: the fault suite.
//! - [`client`]: a raw MCP client, for what no SDK shows.
//! - [`compose`]: docker-compose.yml and the Dockerfile, run without Docker.
//! - [`conformance`]: runs the official suite and reads its verdicts.
//! - [`OtlpReceiver`]: where parts send spans and metrics to, over OTLP/gRPC, for tests that look at them.
//! - [`RedisMonitor`]: everything that Redis is told.
//! - [`rmcp_client`]: the Rust SDK's client, logged in by OAuth.
//! - [`tools`]: where `scripts/setup` put the programs that tests run.

mod browser;
pub mod chaos;
pub mod client;
pub mod compose;
pub mod conformance;
pub mod otlp;
mod redis_monitor;
pub mod rmcp_client;
mod stack;
pub mod tools;

pub use browser::{Browser, REDIRECT_URI, Tokens};
pub use otlp::OtlpReceiver;
pub use redis_monitor::RedisMonitor;
pub use stack::{Builder, FeatureKind, Layout, Stack};
