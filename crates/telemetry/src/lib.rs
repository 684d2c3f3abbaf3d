//! Logs, traces, metrics, and the trace context that crosses HTTP, gRPC and Redis.
//!
//! Only a `main` calls [`init`]; libraries use `tracing` and the helpers here: [`propagation`] carries the context of a
//! trace over any wire, [`grpc`] and [`messaging`] open the spans of RPCs and of messages, [`spans`] says what a span is
//! about, by the names in [`conventions`]. What they measure, they measure with the [`Metrics`] that they are built with.

mod admin;
mod args;
pub mod conventions;
pub mod grpc;
mod init;
mod logs;
pub mod messaging;
pub mod metrics;
mod otlp;
pub mod propagation;
pub mod spans;

pub use args::{LogFormat, OtelArgs, TelemetryArgs};
pub use init::{Error, Guard, init};
pub use metrics::Metrics;
