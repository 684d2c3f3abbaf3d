//! Logging in, by people with a real browser, by other people's clients and through other people's providers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod login {
    mod authorization_suite;
    mod certificate;
    mod clients;
    mod node;
    mod pages;
    mod providers;
}
