//! What the transports need of HTTP headers.

use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};

use super::refusal::HttpRefusal;
use crate::{jsonrpc::RpcError, revisions, revisions::WithSessions};

pub const SESSION_ID: &str = "mcp-session-id";
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
pub const LAST_EVENT_ID: &str = "last-event-id";

const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";

/// Longest session id or event id looked at; ours are far shorter.
const MAX_ID_BYTES: usize = 256;

/// A POST carries JSON.
pub fn require_json(headers: &HeaderMap) -> Result<(), HttpRefusal> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(JSON) {
        return Ok(());
    }
    let sentence = "Content-Type must be application/json";
    Err(HttpRefusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        RpcError::invalid_request(sentence),
    ))
}

/// A POST may be answered by JSON or by a stream, and the client must take both ("Sending Messages to the Server").
pub fn accepts_answers(headers: &HeaderMap) -> Result<(), HttpRefusal> {
    if accepts(headers, JSON) && accepts(headers, EVENT_STREAM) {
        return Ok(());
    }
    let sentence = "Accept must allow both application/json and text/event-stream";
    Err(HttpRefusal::new(
        StatusCode::NOT_ACCEPTABLE,
        RpcError::invalid_request(sentence),
    ))
}

/// A GET is answered by a stream.
pub fn accepts_stream(headers: &HeaderMap) -> Result<(), HttpRefusal> {
    if accepts(headers, EVENT_STREAM) {
        return Ok(());
    }
    let sentence = "Accept must allow text/event-stream";
    Err(HttpRefusal::new(
        StatusCode::NOT_ACCEPTABLE,
        RpcError::invalid_request(sentence),
    ))
}

/// The header's only value. Two values are nobody's session; what is no text is no id.
pub fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, HttpRefusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match (value.to_str(), values.next()) {
        (Ok(text), None) if text.len() <= MAX_ID_BYTES => Ok(Some(text)),
        _ => {
            let sentence =
                format!("{name} must be given once, as visible ASCII of at most {MAX_ID_BYTES} characters");
            Err(HttpRefusal::bad_request(RpcError::invalid_request(sentence)))
        }
    }
}

/// `MCP-Protocol-Version` must be the session's, where the session's revision has the header.
pub fn check_version(headers: &HeaderMap, revision: &'static dyn WithSessions) -> Result<(), HttpRefusal> {
    if !revision.requires_version_header() {
        return Ok(());
    }
    let Some(version) = single(headers, PROTOCOL_VERSION)? else {
        return Ok(());
    };
    if version == revision.version() {
        return Ok(());
    }
    let sentence = if revisions::by_version(version).is_some() {
        format!(
            "MCP-Protocol-Version must be {}, as this session has negotiated",
            revision.version()
        )
    } else {
        let known: Vec<&str> = revisions::all()
            .iter()
            .map(|revision| revision.version())
            .collect();
        format!("MCP-Protocol-Version is not one of {}", known.join(", "))
    };
    Err(HttpRefusal::bad_request(RpcError::invalid_request(sentence)))
}

/// Whether `Accept` allows a media type (RFC 9110 section 12.5.1). Absent: it allows any.
fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let mut ranges = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|range| !range.trim().is_empty())
        .peekable();
    if ranges.peek().is_none() {
        return !headers.contains_key(ACCEPT);
    }
    let (kind, _) = wanted.split_once('/').unwrap_or((wanted, ""));
    ranges.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            part.split_once('=').is_some_and(|(name, q)| {
                name.trim().eq_ignore_ascii_case("q") && q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0)
            })
        });
        let matches = media == "*/*"
            || media.eq_ignore_ascii_case(wanted)
            || media
                .split_once('/')
                .is_some_and(|(given, rest)| rest == "*" && given.eq_ignore_ascii_case(kind));
        matches && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn accept_is_read_as_http_says() {
        for good in [
            "application/json, text/event-stream",
            "TEXT/EVENT-STREAM;q=0.5 , application/*",
            "*/*",
            "application/json;charset=utf-8,text/*",
        ] {
            assert!(accepts_answers(&with("accept", good)).is_ok(), "{good}");
        }
        for bad in [
            "application/json",
            "text/event-stream",
            "text/html",
            "",
            "application/json, text/event-stream;q=0",
        ] {
            let refusal = accepts_answers(&with("accept", bad)).unwrap_err();
            assert_eq!(refusal.status, StatusCode::NOT_ACCEPTABLE, "{bad}");
        }
        assert!(accepts_answers(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn only_json_is_taken() {
        for good in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(require_json(&with("content-type", good)).is_ok(), "{good}");
        }
        for bad in ["text/plain", "application/jsonx", "application/json-rpc", ""] {
            let refusal = require_json(&with("content-type", bad)).unwrap_err();
            assert_eq!(refusal.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{bad}");
        }
        assert!(require_json(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_header_given_twice_is_refused() {
        let mut headers = with(SESSION_ID, "one");
        assert_eq!(single(&headers, SESSION_ID).unwrap(), Some("one"));
        headers.append(SESSION_ID, "two".parse().unwrap());
        assert!(single(&headers, SESSION_ID).is_err());
        assert_eq!(single(&HeaderMap::new(), SESSION_ID).unwrap(), None);
    }

    #[test]
    fn the_version_header_is_the_sessions_own() {
        let revision = revisions::by_version("2025-06-18").unwrap();
        assert!(check_version(&HeaderMap::new(), revision).is_ok());
        assert!(check_version(&with(PROTOCOL_VERSION, "2025-06-18"), revision).is_ok());
        for bad in ["2025-11-25", "1999-01-01", ""] {
            let refusal = check_version(&with(PROTOCOL_VERSION, bad), revision).unwrap_err();
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{bad}");
        }
        let older = revisions::by_version("2025-03-26").unwrap();
        assert!(check_version(&with(PROTOCOL_VERSION, "1999-01-01"), older).is_ok());
    }
}
