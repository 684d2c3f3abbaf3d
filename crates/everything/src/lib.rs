//! The all-in-one: edge, auth, session and feature services in one process, over in-memory channels.
//!
//! They are the same libraries that the single binaries run. A service whose address is set (`AUTH_URL`, `SESSION_URL`,
//! `FEATURE_URL`) is not started: yours at that address takes its place.

mod banner;
mod compose;
mod config;

pub use banner::banner;
pub use compose::Everything;
pub use config::{Config, Replacements};
