use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::MAX_ID_BYTES;

/// The id of a request: a string or an integer (MCP forbids null and fractions).
///
/// `Display` and `Serialize` write JSON: `7`, `"seven"`. `1` and `"1"` are two different ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestId {
    Number(i64),
    /// At most [`MAX_ID_BYTES`] bytes.
    String(Box<str>),
}

impl RequestId {
    /// Reads an id from its JSON. The error says what an id must be.
    pub fn from_json(json: &[u8]) -> Result<Self, &'static str> {
        const KIND: &str = "id must be a string or an integer";
        match json.first() {
            Some(b'"') => {
                let text: String = serde_json::from_slice(json).map_err(|_| KIND)?;
                if text.len() > MAX_ID_BYTES {
                    return Err("id must not be longer than 256 bytes");
                }
                Ok(RequestId::String(text.into()))
            }
            Some(b'-' | b'0'..=b'9') if json[1..].iter().all(u8::is_ascii_digit) => {
                serde_json::from_slice(json)
                    .map(RequestId::Number)
                    .map_err(|_| "an integer id must fit in 64 bits, signed")
            }
            _ => Err(KIND),
        }
    }

    pub(super) fn from_raw(raw: &RawValue) -> Result<Self, &'static str> {
        Self::from_json(raw.get().as_bytes())
    }

    /// The id as JSON, as in `request_id_json` of the contracts.
    pub fn to_json(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestId::Number(number) => write!(f, "{number}"),
            RequestId::String(text) => f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?),
        }
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            RequestId::Number(number) => serializer.serialize_i64(*number),
            RequestId::String(text) => serializer.serialize_str(text),
        }
    }
}

impl From<i64> for RequestId {
    fn from(number: i64) -> Self {
        RequestId::Number(number)
    }
}

impl From<&str> for RequestId {
    fn from(text: &str) -> Self {
        RequestId::String(text.into())
    }
}
