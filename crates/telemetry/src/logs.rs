//! Log lines on standard error, whose levels can be changed while the process runs.

mod json;

use std::io;

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, filter_fn},
    reload,
};

use crate::{Error, LogFormat};
use json::JsonLogs;

/// Longest list of directives that is taken at run time, bytes.
pub const MAX_DIRECTIVES_BYTES: usize = 4096;

/// Changes which logs are written.
pub struct Levels(reload::Handle<EnvFilter, Registry>);

impl Levels {
    /// The directives in force.
    pub fn current(&self) -> String {
        self.0
            .with_current(ToString::to_string)
            .unwrap_or_else(|_| String::new())
    }

    /// Answers with what is wrong with the directives, if they cannot be used; then all stays as it was.
    pub fn set(&self, directives: &str) -> Result<(), String> {
        let directives = directives.trim();
        if directives.is_empty() {
            return Err("the directives are empty; to write nothing, use off".to_owned());
        }
        let filter = EnvFilter::try_new(directives).map_err(|error| error.to_string())?;
        self.0.reload(filter).map_err(|error| error.to_string())
    }
}

/// The layer that writes logs, and the handle that changes what it writes.
pub fn layer(
    format: LogFormat,
    directives: &str,
) -> Result<(Box<dyn Layer<Registry> + Send + Sync>, Levels), Error> {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(directives)?);
    let filter = filter.and(filter_fn(may_be_written));
    let layer = match format {
        LogFormat::Pretty => tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_target(false)
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => JsonLogs::new(io::stderr).with_filter(filter).boxed(),
    };
    Ok((layer, Levels(handle)))
}

/// Whatever the directives say: libraries of the wire tell in their traces what they read and write, and that is
/// secret. What the exporters have to say is said once, by this crate.
fn may_be_written(metadata: &Metadata<'_>) -> bool {
    const WIRE: [&str; 7] = ["h2", "hyper", "hyper_util", "rustls", "tonic", "tower", "redis"];
    let target = metadata.target();
    let library = target.split("::").next().unwrap_or(target);
    if library.starts_with("opentelemetry") {
        return false;
    }
    *metadata.level() < Level::TRACE || !WIRE.contains(&library)
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn levels_change_while_the_process_runs() {
        let (layer, levels) = layer(LogFormat::Json, "warn").unwrap();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            assert!(!tracing::enabled!(Level::INFO));
            levels.set("telemetry=debug").unwrap();
            assert!(tracing::enabled!(Level::DEBUG));
            assert_eq!(levels.current(), "telemetry=debug");
            for bad in ["", "   ", "a=b=c", "everything=loud"] {
                assert!(levels.set(bad).is_err(), "{bad:?}");
            }
            assert_eq!(levels.current(), "telemetry=debug");
        });
    }

    #[test]
    fn what_wire_libraries_trace_is_never_written() {
        let (layer, _levels) = layer(LogFormat::Json, "trace").unwrap();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            assert!(tracing::enabled!(Level::TRACE));
            assert!(!tracing::enabled!(target: "h2::codec", Level::TRACE));
            assert!(tracing::enabled!(target: "h2::codec", Level::DEBUG));
            assert!(!tracing::enabled!(target: "opentelemetry_sdk", Level::ERROR));
        });
    }
}
