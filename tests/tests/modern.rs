//! The revision without sessions (2026-07-28), as bytes and headers over whole stacks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod modern {
    mod calls;
    mod client;
    mod eras;
    mod headers;
    mod listening;
    mod rounds;
}
