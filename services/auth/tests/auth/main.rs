//! The authorization server through its gRPC contract, on both stores, with two replicas.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod clients;
mod consent;
mod documents;
mod dpop;
mod enumeration;
mod external;
mod harness;
mod keys;
mod limits;
mod login;
mod pushed;
mod races;
mod refusals;
mod registration;
mod revocation;
mod tokens;
mod upstream;
mod web;
