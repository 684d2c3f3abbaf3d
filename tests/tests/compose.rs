//! The composed local stack: docker-compose.yml and the Dockerfile, checked, and run without Docker.

#[path = "compose/definition.rs"]
mod definition;
#[path = "compose/running.rs"]
mod running;
