//! What can be seen of the use of Redis: a CLIENT span for each command of a request, and counts.
//!
//! Names follow the OpenTelemetry semantic conventions for Redis. No span shows a key, an argument or a reply.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use redis::{Arg, Cmd, Pipeline, RedisError, Value};
use telemetry::{
    Metrics,
    conventions::{
        db::{
            DB_NAMESPACE, DB_OPERATION_BATCH_SIZE, DB_OPERATION_NAME, DB_RESPONSE_STATUS_CODE,
            DB_STORED_PROCEDURE_NAME, DB_SYSTEM_NAME, REDIS,
        },
        general::{SERVER_ADDRESS, SERVER_PORT},
    },
    metrics::redis::RedisMetrics,
    spans,
};
use tracing::Span;

use crate::{Error, link::Peer};

/// Counts of one [`Redis`](crate::Redis).
#[derive(Debug, Default)]
pub(crate) struct Meter {
    connections: AtomicU64,
    reconnects: AtomicU64,
    in_flight: AtomicU64,
    metrics: RedisMetrics,
}

/// One connection that counts as open.
pub(crate) struct Open(Arc<Meter>);

/// A moment's counts of one [`Redis`](crate::Redis).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Open connections, for commands and for pub/sub.
    pub connections: u64,
    /// Connections that were opened in place of lost ones, since the start.
    pub reconnects: u64,
    /// Commands and batches that wait for their answers.
    pub in_flight: u64,
}

/// What is sent, as the conventions word it.
pub(crate) struct Operation {
    /// The command, or `PIPELINE` or `MULTI` and the command of all, if it is one.
    name: String,
    script: Option<&'static str>,
    batch: Option<usize>,
}

/// A command under way.
pub(crate) struct Observed<'a> {
    span: Span,
    operation: &'a Operation,
    started: Instant,
    meter: &'a Meter,
}

impl Meter {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            metrics: RedisMetrics::new(metrics),
            ..Self::default()
        }
    }

    /// A connection is open, until what this returns is dropped.
    pub(crate) fn opened(self: &Arc<Self>, again: bool) -> Open {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.reconnects.fetch_add(u64::from(again), Ordering::Relaxed);
        Open(self.clone())
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage {
            connections: self.connections.load(Ordering::Relaxed),
            reconnects: self.reconnects.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Operation {
    pub(crate) fn command(command: &Cmd, script: Option<&'static str>) -> Self {
        Self {
            name: name(command),
            script,
            batch: None,
        }
    }

    pub(crate) fn batch(pipeline: &Pipeline) -> Self {
        let kind = if pipeline.is_transaction() {
            "MULTI"
        } else {
            "PIPELINE"
        };
        let mut names = pipeline.cmd_iter().map(name);
        let first = names.next().unwrap_or_default();
        let name = if names.all(|other| other == first) {
            format!("{kind} {first}")
        } else {
            kind.to_owned()
        };
        Self {
            name,
            script: None,
            batch: Some(pipeline.len()).filter(|size| *size > 1),
        }
    }

    /// Only within a request: whatever goes on in the background would make traces of one span each.
    fn span(&self, db: i64) -> Span {
        if Span::current().is_none() {
            return Span::none();
        }
        let span = match self.script {
            Some(script) => {
                tracing::info_span!(
                    "redis",
                    otel.name = format!("{} {script}", self.name),
                    otel.kind = "client"
                )
            }
            None => tracing::info_span!("redis", otel.name = self.name, otel.kind = "client"),
        };
        spans::set(&span, DB_SYSTEM_NAME, REDIS);
        spans::set(&span, DB_OPERATION_NAME, self.name.clone());
        spans::set(&span, DB_NAMESPACE, db.to_string());
        if let Some(script) = self.script {
            spans::set(&span, DB_STORED_PROCEDURE_NAME, script);
        }
        if let Some(size) = self.batch {
            spans::set(
                &span,
                DB_OPERATION_BATCH_SIZE,
                i64::try_from(size).unwrap_or(i64::MAX),
            );
        }
        span
    }
}

impl<'a> Observed<'a> {
    pub(crate) fn begin(operation: &'a Operation, meter: &'a Meter, db: i64) -> Self {
        meter.in_flight.fetch_add(1, Ordering::Relaxed);
        Self {
            span: operation.span(db),
            operation,
            started: Instant::now(),
            meter,
        }
    }

    pub(crate) fn sent_to(&self, peer: &Peer) {
        spans::set_text(&self.span, SERVER_ADDRESS, &peer.host);
        spans::set(&self.span, SERVER_PORT, i64::from(peer.port));
    }

    /// The first error counts.
    pub(crate) fn answered(&self, outcome: Result<&[Value], &RedisError>) {
        let error = match outcome {
            Ok(values) => match values.iter().find(|value| matches!(value, Value::ServerError(_))) {
                Some(value) => value.clone().extract_error().err(),
                None => None,
            },
            Err(error) => Some(error.clone()),
        };
        // A script that is not there yet is sent at once.
        let error = error.filter(|error| error.code() != Some("NOSCRIPT"));
        let Some(error) = error else {
            return self.measure(None);
        };
        if let Some(code) = error.code() {
            spans::set_text(&self.span, DB_RESPONSE_STATUS_CODE, code);
        }
        let code = error.code().map(str::to_owned);
        let error = Error::from(error);
        let kind = code.as_deref().unwrap_or(error.reason());
        self.measure(Some(kind));
        spans::fail(&self.span, kind, &error.to_string());
    }

    fn measure(&self, error: Option<&str>) {
        let Operation { name, script, .. } = self.operation;
        let elapsed = self.started.elapsed();
        self.meter.metrics.answered(name, *script, elapsed, error);
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        self.meter.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn name(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(Arg::Simple(name)) => String::from_utf8_lossy(name).to_uppercase(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_named_by_what_they_have_in_common() {
        let mut pipeline = redis::pipe();
        pipeline.hget("a", "x").hget("b", "x");
        let operation = Operation::batch(&pipeline);
        assert_eq!(
            (operation.name.as_str(), operation.batch),
            ("PIPELINE HGET", Some(2))
        );
        pipeline.atomic().sadd("c", 1);
        assert_eq!(Operation::batch(&pipeline).name, "MULTI");
        let script = Operation::command(redis::cmd("evalsha").arg("sha").arg(0), Some("append"));
        assert_eq!((script.name.as_str(), script.script), ("EVALSHA", Some("append")));
    }
}
