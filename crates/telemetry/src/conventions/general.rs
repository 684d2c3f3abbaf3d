//! What every kind of span may say.

/// Why an operation failed: a code or a word, few of them. Only where it failed.
pub const ERROR_TYPE: &str = "error.type";

pub const CLIENT_ADDRESS: &str = "client.address";
pub const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
pub const NETWORK_PEER_PORT: &str = "network.peer.port";
pub const NETWORK_PROTOCOL_NAME: &str = "network.protocol.name";
pub const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
pub const NETWORK_TRANSPORT: &str = "network.transport";
pub const SERVER_ADDRESS: &str = "server.address";
pub const SERVER_PORT: &str = "server.port";
pub const USER_AGENT_ORIGINAL: &str = "user_agent.original";

/// For [`NETWORK_TRANSPORT`].
pub const TCP: &str = "tcp";
/// For [`NETWORK_PROTOCOL_NAME`].
pub const HTTP: &str = "http";
/// For [`ERROR_TYPE`]: whoever asked does not want the answer any more.
pub const CANCELLED: &str = "cancelled";
/// For [`ERROR_TYPE`]: no answer in time.
pub const TIMEOUT: &str = "timeout";
