//! Attacks on logging in and on tokens, each over HTTP against the real stack.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks {
    mod addresses;
    mod codes;
    mod forgery;
    mod guessing;
    mod injection;
    mod input;
    mod keys;
    mod pages;
    mod redirects;
    mod redis;
    mod signatures;
    mod target;
    mod tokens;
}
