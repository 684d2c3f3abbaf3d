//! Redis commands (docs/db/redis.md).

pub const DB_SYSTEM_NAME: &str = "db.system.name";

/// For [`DB_SYSTEM_NAME`].
pub const REDIS: &str = "redis";
