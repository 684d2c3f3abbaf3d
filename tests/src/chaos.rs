//! The fault suite: many clients, whatever can go wrong, and a proof from what the clients saw (docs/chaos.md).
//!
//! - [`history`] is what clients write down, [`checker`] judges it. Neither knows what went wrong meanwhile.
//! - [`workload`] is the clients, [`cluster`] the server that they use.
//! - [`proxy`] stands between any two parts.

pub mod checker;
pub mod cluster;
pub mod conformance;
pub mod faults;
pub mod history;
pub mod injector;
pub mod proxy;
pub mod report;
pub mod run;
pub mod soak;
pub mod workload;
