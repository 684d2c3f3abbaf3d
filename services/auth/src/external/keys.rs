//! Tokens that are JWTs (RFC 9068, or alike), checked with the issuer's published keys.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;

use super::{Claims, Doubt, ExternalServer};
use crate::jwt::{self, JwtError};
use crate::provider::get_json;
use crate::secret::Secret;

/// How long keys are used before they are read again: a withdrawn key is refused after this.
const AGE: Duration = Duration::from_secs(15 * 60);
/// Unknown keys make us look for new ones at most this often, or anybody could make us ask the issuer at will.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl ExternalServer {
    pub(super) async fn verified(&self, token: &Secret) -> Result<Claims, Doubt> {
        let header = jwt::header(token.expose())
            .map_err(|_| Doubt::Inactive("it is no JWT with an accepted algorithm"))?;
        // RFC 9068 section 4, and what providers without it write. What is signed for something else (logout tokens,
        // DPoP proofs) says so here; ID tokens are told by their audience, which is the client.
        let kind = header.typ.as_deref().map(str::to_ascii_lowercase);
        if !matches!(
            kind.as_deref(),
            None | Some("jwt" | "at+jwt" | "application/at+jwt")
        ) {
            return Err(Doubt::Inactive("it is a JWT of another kind"));
        }
        let keys = self.keys(AGE).await?;
        match jwt::verify(token.expose(), &keys) {
            Ok(claims) => Ok(claims),
            // Its key may be new.
            Err(JwtError::UnknownKey | JwtError::Signature) => {
                let keys = self.keys(LOOK_AGAIN).await?;
                jwt::verify(token.expose(), &keys)
                    .map_err(|_| Doubt::Inactive("no key of the issuer signed it"))
            }
            Err(JwtError::Malformed | JwtError::Algorithm | JwtError::Critical) => {
                Err(Doubt::Inactive("it is no acceptable JWT"))
            }
        }
    }

    /// Keys that were read no longer ago than `age`, if the issuer can be asked.
    async fn keys(&self, age: Duration) -> Result<Arc<JwkSet>, Doubt> {
        self.keys.get(age, self.read_keys()).await.map_err(Doubt::Unknown)
    }

    async fn read_keys(&self) -> Result<JwkSet, String> {
        let metadata = self.provider.metadata().await?;
        let url = metadata
            .jwks_uri
            .as_ref()
            .ok_or("the issuer publishes no keys (jwks_uri)")?;
        // One by one: a key of a kind that we do not know must not hide the others.
        let set: serde_json::Value = get_json(self.http.as_ref(), url).await?;
        let keys = set
            .get("keys")
            .and_then(serde_json::Value::as_array)
            .ok_or("jwks_uri: not a JWK set")?;
        let keys = keys
            .iter()
            .filter_map(|key| serde_json::from_value(key.clone()).ok())
            .collect();
        Ok(JwkSet { keys })
    }
}
