//! docker-compose.yml and the Dockerfile as tests see them, and containers that run from them without Docker.
//!
//! Each container gets a network namespace with an address of its own, the root file system, user, environment, command
//! and volumes that the two files say, and names that resolve to all containers of a service. What the files say is what
//! runs, so they cannot drift from the programs.

mod containers;
mod dockerfile;
mod file;
mod network;
mod publish;
mod sandbox;

pub use containers::Containers;
pub use dockerfile::{Dockerfile, Stage};
pub use file::{Build, ComposeFile, Condition, Dependency, Healthcheck, Service, interpolate};
