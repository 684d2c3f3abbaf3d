//! A P-256 key that an attacker, or a client, signs with.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub struct Key(EcdsaKeyPair);

impl Key {
    pub fn generate() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap())
    }

    pub fn jwk(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y) })
    }

    /// A JWT, signed by this key whatever its header says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let input = signing_input(header, claims);
        let signature = self.0.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", base64(signature.as_ref()))
    }

    /// The same with the public key as the secret of an HMAC.
    pub fn confuse(&self, header: &Value, claims: &Value) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.public_key().as_ref());
        let input = signing_input(header, claims);
        format!("{input}.{}", base64(hmac::sign(&key, input.as_bytes()).as_ref()))
    }

    /// A DPoP proof (RFC 9449 section 4.2).
    pub fn proof(&self, claims: &Value) -> String {
        self.sign(&self.proof_header(), claims)
    }

    pub fn proof_header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() })
    }
}

pub fn signing_input(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        base64(header.to_string().as_bytes()),
        base64(claims.to_string().as_bytes())
    )
}

pub fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a proof says of its access token.
pub fn ath(token: &str) -> String {
    base64(&Sha256::digest(token))
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A `jti`.
pub fn unique() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("jti-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}
