use serde_json::Value;
use tokio::sync::mpsc;

/// Severity of a log message (RFC 5424). The order is the severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

/// Something that a call tells before its end.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Progress {
        progress: f64,
        total: Option<f64>,
        message: String,
    },
    Log {
        level: LogLevel,
        logger: &'static str,
        data: Value,
    },
}

/// Takes the events of one call. Bounded: a call waits for a client that reads slowly.
#[derive(Clone, Debug)]
pub struct EventSink {
    sender: mpsc::Sender<Event>,
    wants_progress: bool,
    log_level: Option<LogLevel>,
}

/// Events that may wait for the caller to read them.
const WAITING_EVENTS: usize = 16;

impl LogLevel {
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The name that MCP uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }
}

impl EventSink {
    /// `log_level`: events below it are not sent; `None`: no logs are wanted.
    pub fn new(wants_progress: bool, log_level: Option<LogLevel>) -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
        (
            Self {
                sender,
                wants_progress,
                log_level,
            },
            receiver,
        )
    }

    /// `progress` must rise with every event of a call.
    pub async fn progress(&self, progress: f64, total: Option<f64>, message: impl Into<String>) {
        if self.wants_progress {
            // The receiver is gone only when this future is about to be dropped as well.
            _ = self
                .sender
                .send(Event::Progress {
                    progress,
                    total,
                    message: message.into(),
                })
                .await;
        }
    }

    pub async fn log(&self, level: LogLevel, logger: &'static str, data: Value) {
        if self.log_level.is_some_and(|wanted| level >= wanted) {
            _ = self.sender.send(Event::Log { level, logger, data }).await;
        }
    }
}
