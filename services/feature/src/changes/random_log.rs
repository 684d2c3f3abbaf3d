use everything_proto::{
    events::v1::{BroadcastLog, change::Change},
    feature::v1 as proto,
};
use rand::RngExt;

use crate::call::LogLevel;

/// A log message of any level, so that `logging/setLevel` can be seen to work.
pub(super) fn make() -> Change {
    let level = LogLevel::ALL[rand::rng().random_range(0..LogLevel::ALL.len())];
    Change::Log(BroadcastLog {
        level: proto::LogLevel::from(level).into(),
        logger: "everything".to_owned(),
        data_json: format!("\"{}\"", message(level)).into(),
    })
}

fn message(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "Debug-level message",
        LogLevel::Info => "Info-level message",
        LogLevel::Notice => "Notice-level message",
        LogLevel::Warning => "Warning-level message",
        LogLevel::Error => "Error-level message",
        LogLevel::Critical => "Critical-level message",
        LogLevel::Alert => "Alert-level message",
        LogLevel::Emergency => "Emergency-level message",
    }
}
