//! The revision without sessions (2026-07-28), as bytes and headers over whole stacks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod modern {
    mod apps;
    mod calls;
    mod client;
    mod closing;
    mod eras;
    mod headers;
    mod listening;
    mod listening_to_tasks;
    mod rounds;
    mod rounds_of_all_kinds;
}
