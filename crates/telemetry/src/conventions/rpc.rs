//! gRPC (docs/rpc/grpc.md).

pub const RPC_METHOD: &str = "rpc.method";
/// Of gRPC: the name of a status. Of JSON-RPC: the error code, where there is one.
pub const RPC_RESPONSE_STATUS_CODE: &str = "rpc.response.status_code";
pub const RPC_SYSTEM_NAME: &str = "rpc.system.name";

/// For [`RPC_SYSTEM_NAME`].
pub const GRPC: &str = "grpc";

/// Names of the gRPC status codes, by number.
const STATUS_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of a gRPC status code; `UNKNOWN` for numbers that stand for none.
pub fn status_name(code: i32) -> &'static str {
    usize::try_from(code)
        .ok()
        .and_then(|code| STATUS_NAMES.get(code))
        .unwrap_or(&STATUS_NAMES[2])
}

/// Which codes are a failure of the server, by name; a caller takes everything but `OK` for one.
pub fn is_server_error(status_name: &str) -> bool {
    matches!(
        status_name,
        "UNKNOWN" | "DEADLINE_EXCEEDED" | "UNIMPLEMENTED" | "INTERNAL" | "UNAVAILABLE" | "DATA_LOSS"
    )
}
