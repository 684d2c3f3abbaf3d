//! `client_secret_basic` (RFC 6749 section 2.3.1). Other methods travel in the form.

use base64::{Engine, engine::general_purpose::STANDARD};
use everything_proto::auth::v1::{BasicCredentials, ClientAuthentication, OAuthError};
use http::{HeaderMap, header::AUTHORIZATION};

/// An `Authorization` header that is not readable as Basic credentials is a failed authentication, not none.
pub fn read(headers: &HeaderMap) -> Result<ClientAuthentication, OAuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let basic = match (values.next(), values.next()) {
        (None, _) => None,
        (Some(value), None) => Some(
            value
                .to_str()
                .ok()
                .and_then(basic)
                .ok_or_else(|| refused("the Authorization header is malformed"))?,
        ),
        (Some(_), Some(_)) => return Err(refused("there is more than one Authorization header")),
    };
    Ok(ClientAuthentication { basic })
}

fn basic(value: &str) -> Option<BasicCredentials> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client_id, client_secret) = decoded.split_once(':')?;
    Some(BasicCredentials {
        client_id: form_decode(client_id)?,
        client_secret: form_decode(client_secret)?,
    })
}

/// Both parts are form-encoded before they are joined.
fn form_decode(text: &str) -> Option<String> {
    // A bare `&` or `=` would be read as structure; clients that do not encode at all may send them.
    if text.contains(['&', '=']) {
        return Some(text.to_owned());
    }
    let (name, value) = form_urlencoded::parse(text.as_bytes()).next().unwrap_or_default();
    value.is_empty().then(|| name.into_owned())
}

fn refused(description: &str) -> OAuthError {
    OAuthError {
        error: "invalid_client".to_owned(),
        error_description: description.to_owned(),
        ..OAuthError::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(value: &str) -> Result<Option<(String, String)>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        read(&headers)
            .map(|read| read.basic.map(|basic| (basic.client_id, basic.client_secret)))
            .map_err(|error| error.error)
    }

    fn encoded(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn basic_credentials_are_decoded_twice() {
        let pair = |id: &str, secret: &str| Ok(Some((id.to_owned(), secret.to_owned())));
        assert_eq!(read_one(&encoded("id:secret")), pair("id", "secret"));
        assert_eq!(read_one(&encoded("a%3Ab:c%20d+e")), pair("a:b", "c d e"));
        assert_eq!(read_one(&encoded("id:")), pair("id", ""));
        assert_eq!(read_one(&encoded("id:a:b")), pair("id", "a:b"));
        assert_eq!(read_one(&encoded("id:a==")), pair("id", "a=="));
        assert!(read(&HeaderMap::new()).unwrap().basic.is_none());
    }

    #[test]
    fn what_is_not_basic_is_a_failed_authentication() {
        for bad in [
            "Basic",
            "Basic !!!",
            "Bearer abc",
            "Basic aWQ",
            &encoded("no colon"),
        ] {
            assert_eq!(read_one(bad).unwrap_err(), "invalid_client", "{bad}");
        }
    }
}
