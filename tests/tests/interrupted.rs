//! Calls whose server dies, hangs or leaves under them: each has exactly one outcome, and its stream no gap.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "interrupted/edges.rs"]
mod edges;
#[path = "interrupted/feature.rs"]
mod feature;
#[path = "interrupted/leaving.rs"]
mod leaving;
#[path = "interrupted/overload.rs"]
mod overload;
#[path = "interrupted/polling.rs"]
mod polling;
#[path = "interrupted/replicas.rs"]
mod replicas;
#[path = "interrupted/world.rs"]
mod world;
