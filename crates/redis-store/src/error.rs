use std::{error::Error as _, io, sync::Arc};

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why Redis could not do what was asked. Says nothing that is secret.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("REDIS_URL is not a Redis address: {0}")]
    Address(String),
    #[error("redis cannot be reached")]
    Unreachable,
    /// What the two sides do not agree on, mostly a certificate.
    #[error("there is no tls connection to redis: {0}")]
    Tls(String),
    #[error("redis did not answer in time")]
    Timeout,
    #[error("redis refuses the credentials")]
    Authentication,
    #[error("redis denies this user a command, a key or a channel")]
    Permission,
    #[error("redis is loading its data")]
    Loading,
    #[error("redis is read-only here (a replica, or a failover is under way)")]
    ReadOnly,
    #[error("redis is out of memory")]
    OutOfMemory,
    #[error("redis evicts keys when its memory is full: maxmemory-policy is {0}, and must be noeviction")]
    Evicts(String),
    #[error("redis refuses writes because it cannot persist them: is its disk full?")]
    Disk,
    #[error("too few replicas of redis take part")]
    TooFewReplicas,
    #[error("redis {0} is too old: 7.0 is the oldest that will do")]
    Version(String),
    #[error("the sentinels name no master")]
    NoMaster,
    #[error("the redis cluster is down, or does not cover all slots")]
    ClusterDown,
    #[error("redis refused a command: {0}")]
    Refused(String),
    #[error("redis answered something unexpected: {0}")]
    Unexpected(String),
}

impl Error {
    /// The kind of failure as one word, for alerts and dashboards: the same for every occurrence.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Address(_) => "redis_address",
            Self::Unreachable => "redis_unreachable",
            Self::Tls(_) => "redis_tls_refused",
            Self::Timeout => "redis_timeout",
            Self::Authentication => "redis_authentication",
            Self::Permission => "redis_permission",
            Self::Loading => "redis_loading",
            Self::ReadOnly => "redis_read_only",
            Self::OutOfMemory => "redis_out_of_memory",
            Self::Evicts(_) => "redis_eviction",
            Self::Disk => "redis_disk",
            Self::TooFewReplicas => "redis_too_few_replicas",
            Self::Version(_) => "redis_version",
            Self::NoMaster => "redis_no_master",
            Self::ClusterDown => "redis_cluster_down",
            Self::Refused(_) => "redis_refused",
            Self::Unexpected(_) => "redis_unexpected",
        }
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        if let Some(why) = why_no_tls(&error) {
            return Self::Tls(why);
        }
        if error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal() {
            return Self::Unreachable;
        }
        match (error.kind(), error.code()) {
            (_, Some("NOPERM")) => Self::Permission,
            (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => Self::Authentication,
            (_, Some("OOM")) => Self::OutOfMemory,
            (_, Some("MISCONF")) => Self::Disk,
            (_, Some("NOREPLICAS")) => Self::TooFewReplicas,
            (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => Self::Loading,
            (ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown), _) => Self::ReadOnly,
            (ErrorKind::Server(ServerErrorKind::ClusterDown), _) => Self::ClusterDown,
            (ErrorKind::MasterNameNotFoundBySentinel, _) => Self::NoMaster,
            (ErrorKind::UnexpectedReturnType | ErrorKind::Parse, _) => {
                Self::Unexpected(error.detail().unwrap_or_default().to_owned())
            }
            // Only the code: a detail can quote the command, and with it a value.
            (_, code) => Self::Refused(code.unwrap_or("unknown error").to_owned()),
        }
    }
}

/// What TLS says about it, if it is TLS that failed: these are words about certificates, names and versions.
fn why_no_tls(error: &RedisError) -> Option<String> {
    let cause = error
        .source()?
        .downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>()?;
    let Some(io) = cause.downcast_ref::<io::Error>() else {
        // Besides failed input and output there is only what goes before a handshake: the authorities to trust, the name.
        return Some(cause.to_string());
    };
    let inner = io.get_ref().filter(|inner| inner.is::<rustls::Error>());
    inner.map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tls_refuses_is_no_lack_of_a_connection() {
        let refused = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let during = io::Error::new(io::ErrorKind::InvalidData, refused.clone());
        for error in [RedisError::from(during), RedisError::from(refused)] {
            let error = Error::from(error.clone());
            assert_eq!(error.reason(), "redis_tls_refused");
            assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        }
        let lost = RedisError::from(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(Error::from(lost), Error::Unreachable);
    }

    #[test]
    fn what_redis_says_becomes_a_reason_without_its_words() {
        let reasons = [
            ("NOAUTH", "redis_authentication"),
            ("WRONGPASS", "redis_authentication"),
            ("NOPERM", "redis_permission"),
            ("OOM", "redis_out_of_memory"),
            ("MISCONF", "redis_disk"),
            ("NOREPLICAS", "redis_too_few_replicas"),
            ("ERR", "redis_refused"),
        ];
        for (code, reason) in reasons {
            let said = redis::make_extension_error(code.to_owned(), Some("the secret".to_owned()));
            let error = Error::from(said);
            assert_eq!(error.reason(), reason, "{code}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
