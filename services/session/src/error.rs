use tonic::Status;

/// Everything that can go wrong here. What a caller is told is the text of the variant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Unknown, expired, deleted or foreign: nobody can tell which.
    #[error("session not found")]
    SessionNotFound,
    /// The same of a task.
    #[error("task not found")]
    TaskNotFound,
    /// A field of the request breaks the contract.
    #[error("{0}")]
    Invalid(String),
    #[error("the stream is not open: its first entry opens it, its final entry closes it")]
    StreamNotOpen,
    #[error("the stream is open already")]
    StreamOpen,
    #[error("too many {what}: at most {limit}")]
    Limit { what: &'static str, limit: usize },
    #[error("not an event id of this session")]
    CursorInvalid,
    #[error("the log no longer reaches back to this event id")]
    CursorExpired,
    #[error("everything of this stream was delivered")]
    StreamFinished,
    #[error("the link broke its contract: {0}")]
    Link(&'static str),
    #[error("this replica is shutting down")]
    ShuttingDown,
    /// The text is for operators.
    #[error("the session store cannot be reached: {0}")]
    Unavailable(String),
    /// The text is for operators.
    #[error("the session store holds something unreadable: {0}")]
    Corrupt(String),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match &error {
            Error::SessionNotFound | Error::TaskNotFound => Self::not_found(error.to_string()),
            Error::Invalid(_)
            | Error::CursorInvalid
            | Error::CursorExpired
            | Error::StreamFinished
            | Error::Link(_) => Self::invalid_argument(error.to_string()),
            Error::StreamNotOpen | Error::StreamOpen => Self::failed_precondition(error.to_string()),
            Error::Limit { .. } => Self::resource_exhausted(error.to_string()),
            Error::ShuttingDown => Self::unavailable(error.to_string()),
            Error::Unavailable(reason) => {
                tracing::warn!(%reason, "session store unavailable");
                Self::unavailable("the session store cannot be reached")
            }
            Error::Corrupt(reason) => {
                tracing::error!(%reason, "session store unreadable");
                Self::internal("the session store holds something unreadable")
            }
        }
    }
}

impl From<redis_store::Error> for Error {
    fn from(error: redis_store::Error) -> Self {
        match error {
            redis_store::Error::Unexpected(reason) => Self::Corrupt(reason),
            error @ (redis_store::Error::Address(_)
            | redis_store::Error::Unreachable
            | redis_store::Error::Tls(_)
            | redis_store::Error::Timeout
            | redis_store::Error::Authentication
            | redis_store::Error::Permission
            | redis_store::Error::Loading
            | redis_store::Error::ReadOnly
            | redis_store::Error::OutOfMemory
            | redis_store::Error::Evicts(_)
            | redis_store::Error::Disk
            | redis_store::Error::TooFewReplicas
            | redis_store::Error::Version(_)
            | redis_store::Error::NoMaster
            | redis_store::Error::ClusterDown
            | redis_store::Error::Refused(_)) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<change_feed::Error> for Error {
    fn from(error: change_feed::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}
