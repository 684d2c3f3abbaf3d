use everything_proto::feature::v1::Error;

use super::json::{Object, open};
use crate::jsonrpc::{
    INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, MISSING_CLIENT_CAPABILITY, RESOURCE_NOT_FOUND, RpcError,
};

/// What 2026-07-28 keeps for itself.
const RESERVED_FIRST: i32 = -32099;
const RESERVED_LAST: i32 = -32020;
/// What it has defined of that: the headers say something else, a capability is missing, the version is not served.
const DEFINED: std::ops::RangeInclusive<i32> = -32022..=-32020;

/// A feature's error under the codes of the revisions before 2026-07-28. Message and data stay.
///
/// - A resource that is not there is -32602 with `data.uri` in the newest shape ("Resources", error handling); before it
///   was -32002. Features may say either.
/// - A missing client capability (-32021) has no code of its own before: the request is invalid for this client.
pub(super) fn before_2026(error: &Error) -> RpcError {
    let data = open(&error.data_json);
    let names_uri = || {
        data.and_then(|data| Object::parse(data.get()).ok())
            .is_some_and(|data| data.string("uri").is_some())
    };
    let code = match error.code {
        INVALID_PARAMS if names_uri() => RESOURCE_NOT_FOUND,
        MISSING_CLIENT_CAPABILITY => INVALID_REQUEST,
        code => code,
    };
    RpcError {
        data: data.map(ToOwned::to_owned),
        ..RpcError::new(code, &error.message)
    }
}

/// A feature's error under the codes of 2026-07-28: a resource that is not there is -32602, and of the range that is kept
/// for the specification only what it defines may be said ("Error Codes").
pub(super) fn of_2026(error: &Error) -> RpcError {
    let code = match error.code {
        RESOURCE_NOT_FOUND => INVALID_PARAMS,
        RESERVED_FIRST..=RESERVED_LAST if !DEFINED.contains(&error.code) => INTERNAL_ERROR,
        code => code,
    };
    RpcError {
        data: open(&error.data_json).map(ToOwned::to_owned),
        ..RpcError::new(code, &error.message)
    }
}

/// The error of `ask`, when the client did not declare a capability, under its code of 2026-07-28.
pub(super) fn missing_capability(error: RpcError) -> RpcError {
    match error.code {
        INVALID_REQUEST => RpcError {
            code: MISSING_CLIENT_CAPABILITY,
            ..error
        },
        _ => error,
    }
}
