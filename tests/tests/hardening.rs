//! What bad input, other people's sessions and failing parts must not do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hardening {
    mod addresses;
    mod batches;
    mod bodies;
    mod ends;
    mod fuzzed_requests;
    mod headers;
    mod leaks;
    mod legacy_transport;
    mod lifecycle;
    mod login_pages;
    mod messages;
    mod methods;
    mod ownership;
    mod parameters;
    mod redis_failures;
    mod redis_tls;
    mod redis_topologies;
    mod scopes;
    mod services_down;
    mod slow_clients;
    mod streams;
    mod tokens;
    mod without_sessions;

    mod discretion;
    mod faults;
    mod table;
    mod wire;
}
