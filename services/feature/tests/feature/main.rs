//! The feature service through its gRPC contract, in process.

#![allow(clippy::unwrap_used, reason = "tests")]

mod arguments;
mod asking;
mod changes;
mod describe;
mod extras;
mod gzip;
mod harness;
mod listing;
mod outage;
mod prompts;
mod research;
mod resources;
mod running;
mod schemas;
mod steps;
mod tools;
