//! Keys of the authorization server. `sha256` is the lower-case hexadecimal SHA-256 of the secret that the value belongs
//! to; every operation touches one key, so none needs a hash tag.

/// Channel: revocations, as `grant:<id>` or `token:<sha256>`.
pub const REVOCATIONS: &str = "auth:revocations";

/// Sealed string: a client, by its id.
pub fn client(sha256: &str) -> String {
    format!("auth:client:{sha256}")
}

/// Sealed string: an authorization request that waits for consent.
pub fn transaction(sha256: &str) -> String {
    format!("auth:transaction:{sha256}")
}

/// String: what the user decided about a transaction.
pub fn decision(sha256: &str) -> String {
    format!("auth:decision:{sha256}")
}

/// Sealed string: a login that is under way upstream, by its `state`.
pub fn login(sha256: &str) -> String {
    format!("auth:login:{sha256}")
}

/// Sealed string: a pushed authorization request, by its `request_uri`.
pub fn pushed(sha256: &str) -> String {
    format!("auth:pushed:{sha256}")
}

/// Sealed string: an authorization code.
pub fn code(sha256: &str) -> String {
    format!("auth:code:{sha256}")
}

/// String: a code, refresh token or upstream `state` that has been used.
pub fn spent(sha256: &str) -> String {
    format!("auth:spent:{sha256}")
}

/// Sealed string: an access token.
pub fn access(sha256: &str) -> String {
    format!("auth:access:{sha256}")
}

/// Sealed string: a refresh token.
pub fn refresh(sha256: &str) -> String {
    format!("auth:refresh:{sha256}")
}

/// String: exists as long as the tokens of a grant may be used.
pub fn grant(grant_id: &str) -> String {
    format!("auth:grant:{grant_id}")
}

/// Sealed string: what a user allowed a client before.
pub fn consent(sha256: &str) -> String {
    format!("auth:consent:{sha256}")
}

/// Sealed string: who logged in with a browser before.
pub fn browser(sha256: &str) -> String {
    format!("auth:browser:{sha256}")
}

/// Sealed string: a code of the fake upstream provider.
pub fn fake_code(sha256: &str) -> String {
    format!("auth:fake:code:{sha256}")
}

/// Sealed string: an access token of the fake upstream provider.
pub fn fake_token(sha256: &str) -> String {
    format!("auth:fake:token:{sha256}")
}

/// String: the identifier of a proof or assertion that was seen.
pub fn replay(sha256: &str) -> String {
    format!("auth:replay:{sha256}")
}

/// Counter of a rate limit.
pub fn limit(bucket: &str) -> String {
    format!("auth:limit:{bucket}")
}

/// Sealed string: a fetched client metadata document.
pub fn document(sha256: &str) -> String {
    format!("auth:document:{sha256}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        assert_eq!(REVOCATIONS, "auth:revocations");
        assert_eq!(client("0a"), "auth:client:0a");
        assert_eq!(transaction("0a"), "auth:transaction:0a");
        assert_eq!(decision("0a"), "auth:decision:0a");
        assert_eq!(login("0a"), "auth:login:0a");
        assert_eq!(pushed("0a"), "auth:pushed:0a");
        assert_eq!(code("0a"), "auth:code:0a");
        assert_eq!(spent("0a"), "auth:spent:0a");
        assert_eq!(access("0a"), "auth:access:0a");
        assert_eq!(refresh("0a"), "auth:refresh:0a");
        assert_eq!(grant("0a"), "auth:grant:0a");
        assert_eq!(consent("0a"), "auth:consent:0a");
        assert_eq!(browser("0a"), "auth:browser:0a");
        assert_eq!(fake_code("0a"), "auth:fake:code:0a");
        assert_eq!(fake_token("0a"), "auth:fake:token:0a");
        assert_eq!(replay("0a"), "auth:replay:0a");
        assert_eq!(limit("0a"), "auth:limit:0a");
        assert_eq!(document("0a"), "auth:document:0a");
    }
}
