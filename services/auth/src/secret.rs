//! Secrets: made from the operating system's random source, shown by nobody, wiped when dropped.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use rand::TryRng as _;
use rand::rngs::SysRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::Error;

/// Bytes of randomness in every token, code and state: 256 bit.
const ENTROPY: usize = 32;

/// A token, code, state or other value that grants something to whoever holds it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// Lower-case hexadecimal SHA-256 of a secret: what may be stored and compared.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SecretHash(String);

impl Secret {
    /// A new secret. `prefix` says what it is, for secret scanners.
    pub(crate) fn generate(prefix: &str) -> Result<Self, Error> {
        let bytes = random_bytes::<ENTROPY>()?;
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + ENTROPY * 4 / 3 + 4));
        text.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        Ok(Self(text))
    }

    /// Wraps what somebody presented.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Another secret that follows from this one, and from which this one cannot be told.
    pub(crate) fn derive(&self, label: &str) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0_u8; ENTROPY]);
        let info = format!("everything-auth/v1/derive/{label}");
        Hkdf::<Sha256>::new(None, self.expose().as_bytes())
            .expand(info.as_bytes(), bytes.as_mut_slice())
            .map_err(|error| Error::Internal(format!("hkdf: {error}")))?;
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.expose())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl SecretHash {
    pub fn of(text: &str) -> Self {
        Self(hex(&Sha256::digest(text.as_bytes())))
    }

    /// A hash as text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (text.len() == 64 && digits).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Constant-time comparison with the hash of what somebody presented.
    pub fn matches(&self, presented: &str) -> bool {
        bool::from(self.0.as_bytes().ct_eq(Self::of(presented).0.as_bytes()))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// Bytes from the operating system's random source.
pub(crate) fn random_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, Error> {
    let mut bytes = Zeroizing::new([0_u8; N]);
    SysRng
        .try_fill_bytes(bytes.as_mut_slice())
        .map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// BASE64URL(SHA-256(text)), as in RFC 7636 section 4.2 and RFC 9449 section 4.2.
pub(crate) fn sha256_base64url(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_carry_256_bits_and_never_repeat() {
        let first = Secret::generate("x_").unwrap();
        let second = Secret::generate("x_").unwrap();
        assert_eq!(first.expose().len(), 2 + 43);
        assert_ne!(first.expose(), second.expose());
    }

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::new("open sesame");
        assert_eq!(
            format!("{secret:?} {:?}", secret.hash()),
            "Secret(..) SecretHash(..)"
        );
    }

    #[test]
    fn hashes_are_lower_case_hexadecimal_sha256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(SecretHash::of("abc").as_str(), expected);
        assert!(SecretHash::of("abc").matches("abc"));
        assert!(!SecretHash::of("abc").matches("abd"));
    }
}
