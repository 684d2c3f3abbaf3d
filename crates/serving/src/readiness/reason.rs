use std::fmt;

/// Why something is not ready. Categories only, so that they can be shown to anybody: no names, addresses or messages.
///
/// Services tell callers their reason in the response metadata of `grpc.health.v1.Health/Check`, key
/// [`Reason::METADATA`]. The more a reason explains, the later it stands here: of several replicas that do not serve, the
/// one that says most speaks for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nothing is known yet.
    Starting,
    /// The name of the service has no address.
    Unresolved,
    /// No connection.
    Unreachable,
    /// Connected, but TLS found no agreement.
    TlsRefused,
    /// Connected, but there is no answer in time.
    Unresponsive,
    ShuttingDown,
    /// It says no more.
    NotServing,
    RedisUnexpected,
    RedisRefused,
    RedisTimeout,
    RedisUnreachable,
    /// Redis is there, but TLS found no agreement.
    RedisTlsRefused,
    /// Redis is older than what is needed.
    RedisVersion,
    RedisAuthentication,
    RedisPermission,
    /// Sentinel knows no master.
    RedisNoMaster,
    /// Redis takes no writes without replicas that hold them.
    RedisTooFewReplicas,
    /// Redis Cluster does not serve all of its slots.
    RedisClusterDown,
    RedisLoading,
    /// A replica, or a failover is under way.
    RedisReadOnly,
    RedisOutOfMemory,
    /// Redis cannot write to its disk.
    RedisDisk,
    /// Redis is set to forget what must be kept.
    RedisEviction,
}

impl Reason {
    /// The metadata key under which a health check says why a service does not serve.
    pub const METADATA: &'static str = "everything-health-reason";

    const ALL: [Self; 23] = [
        Self::Starting,
        Self::Unresolved,
        Self::Unreachable,
        Self::TlsRefused,
        Self::Unresponsive,
        Self::ShuttingDown,
        Self::NotServing,
        Self::RedisUnexpected,
        Self::RedisRefused,
        Self::RedisTimeout,
        Self::RedisUnreachable,
        Self::RedisTlsRefused,
        Self::RedisVersion,
        Self::RedisAuthentication,
        Self::RedisPermission,
        Self::RedisNoMaster,
        Self::RedisTooFewReplicas,
        Self::RedisClusterDown,
        Self::RedisLoading,
        Self::RedisReadOnly,
        Self::RedisOutOfMemory,
        Self::RedisDisk,
        Self::RedisEviction,
    ];

    pub fn token(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Unresolved => "unresolved",
            Self::Unreachable => "unreachable",
            Self::TlsRefused => "tls_refused",
            Self::Unresponsive => "unresponsive",
            Self::ShuttingDown => "shutting_down",
            Self::NotServing => "not_serving",
            Self::RedisUnexpected => "redis_unexpected",
            Self::RedisRefused => "redis_refused",
            Self::RedisTimeout => "redis_timeout",
            Self::RedisUnreachable => "redis_unreachable",
            Self::RedisTlsRefused => "redis_tls_refused",
            Self::RedisVersion => "redis_version",
            Self::RedisAuthentication => "redis_authentication",
            Self::RedisPermission => "redis_permission",
            Self::RedisNoMaster => "redis_no_master",
            Self::RedisTooFewReplicas => "redis_too_few_replicas",
            Self::RedisClusterDown => "redis_cluster_down",
            Self::RedisLoading => "redis_loading",
            Self::RedisReadOnly => "redis_read_only",
            Self::RedisOutOfMemory => "redis_out_of_memory",
            Self::RedisDisk => "redis_disk",
            Self::RedisEviction => "redis_eviction",
        }
    }

    /// What is no token counts as [`Reason::NotServing`]: a service behind the contract may say anything, and only what
    /// is known is shown.
    pub fn from_token(token: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|reason| reason.token() == token)
            .unwrap_or(Self::NotServing)
    }
}

impl Reason {
    /// Of a store's own category, as `redis_store::Error::reason` has it.
    pub fn of_redis(category: &str) -> Self {
        match Self::from_token(category) {
            Self::NotServing => Self::RedisUnexpected,
            reason => reason,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back_and_nothing_else_is() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(Reason::from_token(reason.token()), reason);
            assert_eq!(reason as usize, index, "all of them, in order");
        }
        for strange in ["", "redis at 10.0.0.1", "REDIS_LOADING"] {
            assert_eq!(Reason::from_token(strange), Reason::NotServing);
        }
        assert_eq!(Reason::of_redis("redis_read_only"), Reason::RedisReadOnly);
        assert_eq!(Reason::of_redis("redis_new"), Reason::RedisUnexpected);
    }
}
