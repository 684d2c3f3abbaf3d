//! Messages on Redis pub/sub and streams (docs/messaging/messaging-spans.md).

/// Only where nothing was sent after all: 0.
pub const MESSAGING_BATCH_MESSAGE_COUNT: &str = "messaging.batch.message_count";
/// The channel with placeholders for what is in braces; names with ids in them are not recorded.
pub const MESSAGING_DESTINATION_TEMPLATE: &str = "messaging.destination.template";
pub const MESSAGING_MESSAGE_ID: &str = "messaging.message.id";
pub const MESSAGING_OPERATION_NAME: &str = "messaging.operation.name";
pub const MESSAGING_OPERATION_TYPE: &str = "messaging.operation.type";
pub const MESSAGING_SYSTEM: &str = "messaging.system";

/// For [`MESSAGING_SYSTEM`].
pub const REDIS: &str = "redis";
/// For [`MESSAGING_OPERATION_NAME`], of type [`SEND`].
pub const PUBLISH: &str = "publish";
/// For [`MESSAGING_OPERATION_TYPE`].
pub const SEND: &str = "send";
/// For [`MESSAGING_OPERATION_NAME`] and [`MESSAGING_OPERATION_TYPE`].
pub const PROCESS: &str = "process";
