//! What the server tells of itself: metrics, logs, and what becomes of them where nobody takes them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "shared with the attacks, which use all of it")]
#[path = "attacks/target.rs"]
mod target;

mod telemetry {
    mod conventions;
    mod otlp_http;
    mod otlp_tls;
    mod seen;

    mod admin;
    mod black_hole;
    mod logs;
    mod metrics;
    mod secrets;
    mod settings;
}
