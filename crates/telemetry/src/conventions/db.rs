//! Redis commands (docs/db/redis.md).

/// The number of the database, as text.
pub const DB_NAMESPACE: &str = "db.namespace";
/// Commands of a batch; only of real ones, of two and more.
pub const DB_OPERATION_BATCH_SIZE: &str = "db.operation.batch.size";
pub const DB_OPERATION_NAME: &str = "db.operation.name";
/// The first word of an error.
pub const DB_RESPONSE_STATUS_CODE: &str = "db.response.status_code";
/// Which script is run.
pub const DB_STORED_PROCEDURE_NAME: &str = "db.stored_procedure.name";
pub const DB_SYSTEM_NAME: &str = "db.system.name";

/// For [`DB_SYSTEM_NAME`].
pub const REDIS: &str = "redis";
