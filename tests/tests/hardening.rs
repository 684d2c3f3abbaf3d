//! What bad input, other people's sessions and failing parts must not do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hardening {
    mod batches;
    mod bodies;
    mod fuzzed_requests;
    mod headers;
    mod legacy_transport;
    mod lifecycle;
    mod messages;
    mod methods;
    mod ownership;
    mod parameters;
    mod scopes;

    mod discretion;
    mod table;
    mod wire;
}
