//! Logs, traces and the trace context that crosses HTTP, gRPC and Redis.
//!
//! Only a `main` calls [`init`]; libraries use `tracing` and the helpers here: [`propagation`] carries the context of a
//! trace over any wire, [`grpc`] and [`messaging`] open the spans of RPCs and of messages, [`spans`] says what a span is
//! about, by the names in [`conventions`].

pub mod conventions;
pub mod grpc;
mod init;
pub mod messaging;
pub mod propagation;
pub mod spans;

pub use init::{Error, Guard, LogFormat, TelemetryArgs, init};
