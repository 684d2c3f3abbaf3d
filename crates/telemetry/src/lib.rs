//! Logs, traces and the trace context that crosses HTTP, gRPC and Redis.
//!
//! Only a `main` calls [`init`]; libraries use `tracing` and the helpers in [`propagation`] and [`grpc`].

pub mod grpc;
mod init;
pub mod propagation;

pub use init::{Error, Guard, LogFormat, TelemetryArgs, init};
