//! Demonstrating proof of possession (RFC 9449): tokens that are worth nothing without a private key.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::client::metadata::has_private_part;
use crate::clock::Clock;
use crate::error::Error;
use crate::jwt;
use crate::oauth_error::{ErrorCode, Failure, OAuthError};
use crate::secret::{Secret, SecretHash, hex, random_bytes, sha256_base64url};
use crate::store::{Claim, Key, Space, Store};

/// How far a proof's `iat` may be off.
const WINDOW_S: u64 = 120;
/// A nonce is good for its slot and the next.
const NONCE_SLOT_S: u64 = 120;
const MAX_JTI: usize = 256;

/// A proof, and the request that came with it.
#[derive(Clone)]
pub struct DpopProof {
    pub proof: String,
    pub method: String,
    pub uri: String,
}

/// RFC 7638 SHA-256 thumbprint of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Thumbprint(pub String);

/// RFC 9449 section 4.2.
#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: u64,
    ath: Option<String>,
    nonce: Option<String>,
}

fn invalid<T>(what: &'static str) -> Result<T, Failure<OAuthError>> {
    Err(Failure::refused(ErrorCode::InvalidDpopProof, what))
}

/// Checks proofs; what it remembers is shared by all replicas.
#[derive(Clone)]
pub(crate) struct ProofChecker {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    /// Whether proofs need a nonce of ours.
    pub nonces: bool,
}

impl ProofChecker {
    /// RFC 9449 section 4.3: the key that the sender of the request holds. `token`: the access token it came with.
    pub async fn check(
        &self,
        proof: &DpopProof,
        token: Option<&Secret>,
    ) -> Result<Thumbprint, Failure<OAuthError>> {
        let (key, claims) = signed_claims(&proof.proof)?;
        if claims.htm != proof.method {
            return invalid("the DPoP proof is for another method");
        }
        if !same_target(&claims.htu, &proof.uri) {
            return invalid("the DPoP proof is for another URI");
        }
        let now = self.clock.now();
        if claims.iat > now + WINDOW_S || claims.iat + WINDOW_S < now {
            return invalid("the DPoP proof is too old or from the future");
        }
        if let Some(token) = token
            && claims.ath.as_deref() != Some(sha256_base64url(token.expose()).as_str())
        {
            return invalid("the DPoP proof is for another access token");
        }
        if claims.jti.is_empty() || claims.jti.len() > MAX_JTI {
            return invalid("the jti of the DPoP proof is missing or too long");
        }
        if self.nonces {
            self.check_nonce(claims.nonce.as_deref()).await?;
        }
        let id = SecretHash::of(&format!("dpop {} {}", key.0, claims.jti));
        let seen = Key::new(Space::Replay, id.as_str());
        let remembered = Duration::from_secs(2 * WINDOW_S);
        match self
            .store
            .claim(&seen, Bytes::from_static(b"1"), remembered)
            .await?
        {
            Claim::Won => Ok(key),
            Claim::Lost(_) => invalid("the DPoP proof has been used before"),
        }
    }

    /// RFC 9449 section 8. All replicas give out the same nonce, a new one every two minutes.
    async fn check_nonce(&self, presented: Option<&str>) -> Result<(), Failure<OAuthError>> {
        let slot = self.clock.now() / NONCE_SLOT_S;
        let current = self.nonce(slot).await?;
        let good = match presented {
            None => false,
            Some(nonce) if nonce == current => true,
            Some(nonce) => {
                self.store
                    .get(&nonce_key(slot.saturating_sub(1)))
                    .await?
                    .as_deref()
                    == Some(nonce.as_bytes())
            }
        };
        if good {
            return Ok(());
        }
        let mut error =
            ErrorCode::UseDpopNonce.because("the DPoP proof needs the nonce that the server gave");
        error.dpop_nonce = Some(current);
        Err(Failure::Refused(error))
    }

    async fn nonce(&self, slot: u64) -> Result<String, Error> {
        let key = nonce_key(slot);
        if let Some(known) = self.store.get(&key).await? {
            return Ok(String::from_utf8_lossy(&known).into_owned());
        }
        let fresh = hex(random_bytes::<16>()?.as_slice());
        let remembered = Duration::from_secs(3 * NONCE_SLOT_S);
        match self
            .store
            .claim(&key, Bytes::from(fresh.clone()), remembered)
            .await?
        {
            Claim::Won => Ok(fresh),
            Claim::Lost(first) => Ok(String::from_utf8_lossy(&first).into_owned()),
        }
    }
}

fn nonce_key(slot: u64) -> Key {
    Key::new(Space::Replay, format!("nonce:{slot}"))
}

/// The key of a proof and its claims, if the key signed them.
fn signed_claims(proof: &str) -> Result<(Thumbprint, Claims), Failure<OAuthError>> {
    let Ok(header) = jwt::header(proof) else {
        return invalid("the DPoP proof is not a JWT with an accepted algorithm");
    };
    if header.typ.as_deref() != Some("dpop+jwt") {
        return invalid("the typ of the DPoP proof is not dpop+jwt");
    }
    let Some(key) = header.jwk.clone().filter(|_| !shows_private_key(proof)) else {
        return invalid("the DPoP proof has no public key");
    };
    let Ok(claims) = jwt::verify_with::<Claims>(proof, &header, &key) else {
        return invalid("the signature or the claims of the DPoP proof are wrong");
    };
    match thumbprint(&key) {
        Some(thumbprint) => Ok((thumbprint, claims)),
        None => invalid("the DPoP proof has no public key"),
    }
}

fn thumbprint(key: &Jwk) -> Option<Thumbprint> {
    key.thumbprint(ThumbprintHash::SHA256).ok().map(Thumbprint)
}

/// The typed header leaves unknown members out, so this looks at the header as it was sent.
fn shows_private_key(proof: &str) -> bool {
    let header = proof
        .split('.')
        .next()
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header: Option<Value> = header.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    header
        .as_ref()
        .and_then(|header| header.get("jwk"))
        .is_none_or(has_private_part)
}

/// Without query and fragment, and normalised (RFC 9449 section 4.3, RFC 3986 section 6.2.2).
fn same_target(claimed: &str, actual: &str) -> bool {
    let target = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    };
    match (target(claimed), target(actual)) {
        (Some(claimed), Some(actual)) => claimed == actual,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_compared_without_query_and_case_of_the_host() {
        assert!(same_target(
            "https://a.example/token",
            "https://A.example:443/token?x=1#y"
        ));
        for other in [
            "https://a.example/tokens",
            "http://a.example/token",
            "https://b.example/token",
            "",
            "/token",
        ] {
            assert!(!same_target(other, "https://a.example/token"), "{other}");
        }
    }
}
