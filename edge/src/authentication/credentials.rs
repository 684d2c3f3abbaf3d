//! Access tokens in requests (RFC 6750 section 2.1, RFC 9449 section 7.1).

use std::fmt;

use everything_proto::auth::v1::DpopProof;
use http::{HeaderMap, Method, Uri, header::AUTHORIZATION};

use super::Denied;
use crate::config::BaseUri;

/// Longest token looked at, bytes. Enough for a JWT of an external authorization server.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// An access token as presented.
pub struct Credentials {
    pub scheme: Scheme,
    token: String,
}

/// How a token was presented.
pub enum Scheme {
    Bearer,
    Dpop(Box<DpopProof>),
}

impl Credentials {
    /// From the headers only. None: there are no credentials of a kind that is known here.
    pub fn from_request(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        base: &BaseUri,
    ) -> Result<Option<Self>, Denied> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Denied::Malformed);
        }
        let value = value.to_str().map_err(|_| Denied::Malformed)?;
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        let token = token.trim();
        let scheme = if scheme.eq_ignore_ascii_case("bearer") {
            Scheme::Bearer
        } else if scheme.eq_ignore_ascii_case("dpop") {
            Scheme::Dpop(Box::new(proof(method, uri, headers, base)?))
        } else {
            return Ok(None);
        };
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES || !token.bytes().all(is_token_byte) {
            return Err(Denied::Malformed);
        }
        Ok(Some(Self {
            scheme,
            token: token.to_owned(),
        }))
    }

    pub fn token(&self) -> &str {
        &self.token
    }
}

/// The request as the client addressed it, for the proof to be compared with (RFC 9449 section 4.3): without query.
pub fn proof(method: &Method, uri: &Uri, headers: &HeaderMap, base: &BaseUri) -> Result<DpopProof, Denied> {
    let mut values = headers.get_all("dpop").iter();
    let proof = match (values.next(), values.next()) {
        (Some(value), None) if value.len() <= MAX_TOKEN_BYTES => {
            value.to_str().map_err(|_| Denied::Malformed)?
        }
        _ => return Err(Denied::Malformed),
    };
    Ok(DpopProof {
        proof: proof.to_owned(),
        http_method: method.as_str().to_owned(),
        http_uri: base.join(uri.path()),
    })
}

/// `b64token` of RFC 6750 section 2.1.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, Denied> {
        let base = "http://localhost:3232".parse().unwrap();
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        Credentials::from_request(&Method::POST, &Uri::from_static("/mcp?x=1"), &headers, &base)
            .map(|credentials| credentials.map(|credentials| credentials.token().to_owned()))
    }

    #[test]
    fn bearer_tokens_are_read_whatever_the_case_of_the_scheme() {
        for good in ["Bearer abc-._~+/=", "bearer abc-._~+/=", "BEARER   abc-._~+/="] {
            assert_eq!(read(&[good]).unwrap().as_deref(), Some("abc-._~+/="), "{good}");
        }
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["Basic dTpw"]).unwrap(), None);
    }

    #[test]
    fn what_is_no_single_token_is_malformed() {
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
        for bad in [
            &["Bearer"][..],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a,b"],
            &["Bearer \"a\""],
            &[&long],
        ] {
            assert!(matches!(read(bad), Err(Denied::Malformed)), "{:.40?}", bad);
        }
        assert!(matches!(read(&["Bearer a", "Bearer b"]), Err(Denied::Malformed)));
        assert!(
            matches!(read(&["DPoP a"]), Err(Denied::Malformed)),
            "without a proof"
        );
    }
}
