//! What scripts answer.

use bytes::Bytes;
use everything_proto::{events::v1::TraceContext, feature::v1::LogLevel, session::v1::OpenCall};
use prost::Message;
use redis::{FromRedisValue, Value};

use super::failed;
use crate::{Error, LogEntry, Page, Payload, Position, Session, SessionId, UserId, store::TakenOver};

/// Owner; version, info, capabilities, log level, initialized, creation, last change; subscriptions.
pub(super) type Described = (String, DescribedBase, Vec<(String, String)>);
type DescribedBase = (String, Vec<u8>, Vec<u8>, i32, bool, i64, String);

/// Reached, more, entries.
pub(super) type PageReply = (String, bool, Vec<EntryReply>);
/// Place, kind, final, data, trace.
type EntryReply = (String, String, bool, Vec<u8>, Vec<u8>);

/// What happened, place, user, call, progress, questions.
pub(super) type BuriedReply = (String, String, String, Vec<u8>, String, Vec<String>);

pub(super) fn taken_over(to: &str, reply: BuriedReply) -> Result<TakenOver, Error> {
    let (_, _, user, call, progress, asked) = reply;
    let call: OpenCall = decode(call.as_slice())?;
    Ok(TakenOver {
        user: UserId::parse(&user).map_err(|_| corrupt("an owner"))?,
        call: OpenCall {
            edge_id: to.to_owned(),
            ..call
        },
        progress: progress.parse().ok(),
        asked,
    })
}

pub(super) fn session(id: &SessionId, (user, base, subscriptions): Described) -> Result<Session, Error> {
    let (
        protocol_version,
        client_info,
        client_capabilities,
        log_level,
        initialized,
        created_at_ms,
        last_change,
    ) = base;
    let change = |text: &str| text.parse().map_err(|_| corrupt("a change id"));
    Ok(Session {
        id: id.clone(),
        user: UserId::parse(&user).map_err(|_| corrupt("an owner"))?,
        protocol_version,
        client_info: client_info.into(),
        client_capabilities: client_capabilities.into(),
        log_level: LogLevel::try_from(log_level).map_err(|_| corrupt("a log level"))?,
        subscriptions: subscriptions
            .into_iter()
            .map(|(uri, since)| Ok((uri, change(&since)?)))
            .collect::<Result<_, Error>>()?,
        initialized,
        created_at_ms,
        last_change: change(&last_change)?,
    })
}

pub(super) fn page((reached, more, entries): PageReply) -> Result<Page, Error> {
    let entries = entries
        .into_iter()
        .map(|(at, kind, is_final, data, trace)| {
            let payload = match kind.as_str() {
                "m" => Payload::Message(Bytes::from(data)),
                "c" => Payload::Change(decode(data.as_slice())?),
                "i" => Payload::Interrupted(decode(data.as_slice())?),
                "e" => Payload::End,
                _ => return Err(corrupt("a kind of entry")),
            };
            let trace: TraceContext = decode(trace.as_slice())?;
            Ok(LogEntry {
                position: position(&at)?,
                payload,
                is_final,
                trace,
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Page {
        entries,
        reached: position(&reached)?,
        more,
    })
}

/// `{status}` or `{status, reply}`.
pub(super) fn status<T: FromRedisValue>(value: Value) -> Result<(String, Option<T>), Error> {
    let Value::Array(parts) = value else {
        return Err(corrupt("a status"));
    };
    let mut parts = parts.into_iter();
    let status = parts.next().ok_or_else(|| corrupt("a status"))?;
    let status = String::from_redis_value(status).map_err(|error| failed(error.into()))?;
    let reply = parts
        .next()
        .map(T::from_redis_value)
        .transpose()
        .map_err(|error| failed(error.into()))?;
    Ok((status, reply))
}

pub(super) fn position(text: &str) -> Result<Position, Error> {
    text.parse().map_err(|_| corrupt("a place in the log"))
}

pub(super) fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, Error> {
    M::decode(bytes).map_err(|_| corrupt("a message"))
}

/// -1: no session; else whether it was done.
pub(super) fn tri(done: i64) -> Result<bool, Error> {
    if done < 0 {
        Err(Error::SessionNotFound)
    } else {
        Ok(done > 0)
    }
}

fn corrupt(what: &str) -> Error {
    Error::Corrupt(format!("{what} cannot be read"))
}
