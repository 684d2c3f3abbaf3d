//! Who a session belongs to.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};

use crate::Error;

/// Bytes of randomness in a session id (MCP asks for a cryptographically secure id).
const SESSION_ID_BYTES: usize = 32;
/// The same, in base64url characters.
const SESSION_ID_CHARS: usize = 43;
const MAX_USER_ID_BYTES: usize = 512;

/// A session id. Whoever knows it is half way in, so `Debug` does not print it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

/// Whom the edge's token introspection named.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserId(String);

impl SessionId {
    /// A new one from the operating system's generator.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0_u8; SESSION_ID_BYTES];
        SysRng
            .try_fill_bytes(&mut bytes)
            .map_err(|error| Error::Unavailable(format!("no randomness: {error}")))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Text that cannot be a session id is a session that does not exist.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.len() == SESSION_ID_CHARS && text.bytes().all(url_safe) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::SessionNotFound)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What features are told instead of the id: it cannot be turned back.
    pub fn key(&self) -> String {
        let digest = Sha256::new()
            .chain_update(b"everything session key")
            .chain_update(&self.0)
            .finalize();
        URL_SAFE_NO_PAD.encode(digest)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

impl UserId {
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text.len() > MAX_USER_ID_BYTES || text.chars().any(char::is_control) {
            return Err(Error::Invalid(format!(
                "user_id: 1 to {MAX_USER_ID_BYTES} bytes without control characters"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserId(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_32_random_bytes_and_its_key_tells_nothing() {
        let id = SessionId::generate().unwrap();
        assert_ne!(id, SessionId::generate().unwrap());
        assert_eq!(URL_SAFE_NO_PAD.decode(id.as_str()).unwrap().len(), 32);
        assert_eq!(SessionId::parse(id.as_str()).unwrap(), id);
        assert!(!id.key().contains(id.as_str()));
        assert!(!format!("{id:?}").contains(id.as_str()));
    }

    #[test]
    fn what_cannot_be_a_session_id_is_not_found() {
        let forged = [
            "",
            "a",
            "{x}",
            &"a".repeat(42),
            &"a".repeat(44),
            &format!("{}}}", "a".repeat(42)),
        ];
        for text in forged {
            assert!(
                matches!(SessionId::parse(text), Err(Error::SessionNotFound)),
                "{text:?}"
            );
        }
    }
}
