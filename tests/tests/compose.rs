//! The composed local stack: docker-compose.yml and the Dockerfile, checked, and run without Docker.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod compose {
    mod definition;
    mod running;
}
