//! Other people's clients, each in every mode of finding the revision, on one and the same tour over a whole stack.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    deprecated,
    reason = "logging and subscriptions of single resources are deprecated in 2026-07-28 and part of the revisions before"
)]

mod clients {
    mod gaps;
    mod program;
    mod rmcp;
    mod script;
    mod tours;
}
