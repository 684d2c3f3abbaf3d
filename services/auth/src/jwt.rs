//! Signed JSON Web Tokens: client assertions, DPoP proofs, tokens of other issuers. Signatures only; what the claims
//! mean is checked where they are used.

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::de::DeserializeOwned;

/// Asymmetric algorithms without known weakness. `none` and the HMAC ones are not here, so that neither a missing
/// signature nor a public key used as a shared secret passes.
pub(crate) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
];

/// As metadata documents name them.
pub(crate) const ALGORITHM_NAMES: [&str; 9] = [
    "ES256", "ES384", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512",
];

/// More than any honest token has.
const MAX_JWT: usize = 16 * 1024;
/// Keys of one set that are tried for a token that names none.
const MAX_TRIES: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwtError {
    #[error("it is not a signed JWT")]
    Malformed,
    #[error("its algorithm is not accepted")]
    Algorithm,
    #[error("its critical header parameters are not understood")]
    Critical,
    #[error("no key fits it")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
}

/// The header of a token that could be accepted, before any signature is checked.
pub(crate) fn header(token: &str) -> Result<Header, JwtError> {
    if token.len() > MAX_JWT {
        return Err(JwtError::Malformed);
    }
    let header = decode_header(token).map_err(|_| JwtError::Malformed)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(JwtError::Algorithm);
    }
    if header.crit.is_some() {
        return Err(JwtError::Critical);
    }
    Ok(header)
}

/// The claims, if a key of the set signed them.
pub(crate) fn verify<T: DeserializeOwned>(token: &str, keys: &JwkSet) -> Result<T, JwtError> {
    let header = header(token)?;
    let mut outcome = Err(JwtError::UnknownKey);
    for key in keys.keys.iter().filter(|key| fits(key, &header)).take(MAX_TRIES) {
        outcome = verify_with(token, &header, key);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// The claims, if that key signed them.
pub(crate) fn verify_with<T: DeserializeOwned>(
    token: &str,
    header: &Header,
    key: &Jwk,
) -> Result<T, JwtError> {
    let decoding = DecodingKey::from_jwk(key).map_err(|_| JwtError::UnknownKey)?;
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    decode(token, &decoding, &validation)
        .map(|data| data.claims)
        .map_err(|_| JwtError::Signature)
}

fn fits(key: &Jwk, header: &Header) -> bool {
    let named = match (&header.kid, &key.common.key_id) {
        (Some(wanted), Some(kid)) => wanted == kid,
        (Some(_), None) | (None, _) => true,
    };
    let for_signatures = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let algorithm = key
        .common
        .key_algorithm
        .is_none_or(|algorithm| algorithm.to_string() == format!("{:?}", header.alg));
    named && for_signatures && algorithm
}
