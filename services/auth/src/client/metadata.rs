//! Client metadata (RFC 7591 section 2): the same members whether a client registers itself, publishes them as a
//! document, or is registered by the operator.

use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::{ClientKeys, GrantType, SecretMethod};
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::redirect_uri::{RedirectUri, is_loopback};

const MAX_REDIRECT_URIS: usize = 32;
const MAX_NAME: usize = 200;
const MAX_URI: usize = 2048;
const MAX_KEYS: usize = 16;

/// The members that mean something here; others are ignored, as RFC 7591 section 2 asks.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    #[serde(default)]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
    pub scope: Option<String>,
    contacts: Option<Vec<String>>,
    software_id: Option<String>,
    software_version: Option<String>,
    application_type: Option<String>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    /// Not when registering: that is what names the client.
    pub client_id: Option<String>,
    /// Not when registering: that is what makes it.
    pub client_secret: Option<String>,
}

/// Whose metadata it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A client that registers itself.
    Registration,
    /// A client metadata document.
    Document,
    /// The operator's file.
    Operator,
}

/// Metadata after checks and defaults.
pub(crate) struct Accepted {
    pub name: String,
    pub uri: Option<String>,
    pub redirect_uris: Vec<RedirectUri>,
    pub grant_types: Vec<GrantType>,
    pub method: Method,
    /// To be shown to the client.
    pub document: Map<String, Value>,
}

#[derive(Debug, Clone)]
pub(crate) enum Method {
    None,
    Secret(SecretMethod),
    Key(ClientKeys),
}

impl Metadata {
    pub fn accept(&self, source: Source) -> Result<Accepted, OAuthError> {
        let bad = |what: &'static str| ErrorCode::InvalidClientMetadata.because(what);
        let grant_types = accept_grant_types(self.grant_types.as_deref(), source)?;
        if self
            .response_types
            .as_ref()
            .is_some_and(|types| !types.iter().any(|kind| kind == "code"))
        {
            return Err(bad("response_types must include code"));
        }
        let needs_redirect = grant_types.contains(&GrantType::AuthorizationCode);
        let redirect_uris = accept_redirect_uris(&self.redirect_uris, needs_redirect)?;
        let method = self.accept_method(source)?;
        let name = self.client_name.as_deref().unwrap_or("unnamed client");
        if name.chars().count() > MAX_NAME || name.trim().is_empty() || name.chars().any(is_deceptive) {
            return Err(bad(
                "client_name must be 1 to 200 characters without control or direction characters",
            ));
        }
        for uri in [&self.client_uri, &self.logo_uri, &self.tos_uri, &self.policy_uri] {
            if uri.as_deref().is_some_and(|uri| !is_web_uri(uri)) {
                return Err(bad(
                    "client_uri, logo_uri, tos_uri and policy_uri must be https URLs",
                ));
            }
        }
        Ok(Accepted {
            name: name.trim().to_owned(),
            uri: self.client_uri.clone(),
            document: self.document(&redirect_uris, &grant_types, &method),
            redirect_uris,
            grant_types,
            method,
        })
    }

    fn accept_method(&self, source: Source) -> Result<Method, OAuthError> {
        let bad = |what: &'static str| Err(ErrorCode::InvalidClientMetadata.because(what));
        let secret = |method| match source {
            // A published secret is none.
            Source::Document => bad("a client metadata document can only use none or private_key_jwt"),
            Source::Registration | Source::Operator => Ok(Method::Secret(method)),
        };
        match (self.token_endpoint_auth_method.as_deref(), source) {
            (Some("none"), _) | (None, Source::Document) => Ok(Method::None),
            (Some("private_key_jwt"), _) => self.accept_keys().map(Method::Key),
            // RFC 7591 section 2: the default.
            (None | Some("client_secret_basic"), _) => secret(SecretMethod::Basic),
            (Some("client_secret_post"), _) => secret(SecretMethod::Post),
            (Some(_), _) => bad(
                "token_endpoint_auth_method must be none, client_secret_basic, client_secret_post or private_key_jwt",
            ),
        }
    }

    fn accept_keys(&self) -> Result<ClientKeys, OAuthError> {
        let bad = |what: &'static str| Err(ErrorCode::InvalidClientMetadata.because(what));
        match (&self.jwks, &self.jwks_uri) {
            (Some(keys), None) => {
                let raw = keys.get("keys").and_then(Value::as_array);
                if raw.is_some_and(|keys| keys.iter().any(has_private_part)) {
                    return bad("jwks must hold public keys only");
                }
                match JwkSet::deserialize(keys) {
                    Ok(keys) if (1..=MAX_KEYS).contains(&keys.keys.len()) => Ok(ClientKeys::Here(keys)),
                    _ => bad("jwks must be a JWK set of 1 to 16 public keys"),
                }
            }
            (None, Some(uri)) if is_web_uri(uri) => Ok(ClientKeys::At(uri.clone())),
            (None, Some(_)) => bad("jwks_uri must be an https URL"),
            _ => bad("private_key_jwt needs either jwks or jwks_uri"),
        }
    }

    fn document(
        &self,
        redirect_uris: &[RedirectUri],
        grant_types: &[GrantType],
        method: &Method,
    ) -> Map<String, Value> {
        let method = match method {
            Method::None => "none",
            Method::Secret(method) => method.as_str(),
            Method::Key(_) => "private_key_jwt",
        };
        [
            ("redirect_uris", json!(redirect_uris)),
            ("token_endpoint_auth_method", json!(method)),
            ("grant_types", json!(grant_types)),
            ("response_types", json!(["code"])),
            ("client_name", json!(self.client_name)),
            ("client_uri", json!(self.client_uri)),
            ("logo_uri", json!(self.logo_uri)),
            ("tos_uri", json!(self.tos_uri)),
            ("policy_uri", json!(self.policy_uri)),
            ("scope", json!(self.scope)),
            ("contacts", json!(self.contacts)),
            ("software_id", json!(self.software_id)),
            ("software_version", json!(self.software_version)),
            ("application_type", json!(self.application_type)),
            ("jwks", json!(self.jwks)),
            ("jwks_uri", json!(self.jwks_uri)),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}

/// Unsupported grant types are left out, as RFC 7591 section 2 allows. Client credentials need somebody to vouch for
/// the client, so they cannot be had by registering oneself.
fn accept_grant_types(wanted: Option<&[String]>, source: Source) -> Result<Vec<GrantType>, OAuthError> {
    let Some(wanted) = wanted else {
        return Ok(vec![GrantType::AuthorizationCode, GrantType::RefreshToken]);
    };
    let known: Vec<GrantType> = wanted.iter().filter_map(|name| GrantType::parse(name)).collect();
    if source == Source::Operator {
        let none = || ErrorCode::InvalidClientMetadata.because("grant_types holds none that is supported");
        return if known.is_empty() { Err(none()) } else { Ok(known) };
    }
    if !known.contains(&GrantType::AuthorizationCode) {
        return Err(ErrorCode::InvalidClientMetadata.because(
            "grant_types must include authorization_code; other clients are registered by the operator",
        ));
    }
    Ok(known
        .into_iter()
        .filter(|grant_type| *grant_type != GrantType::ClientCredentials)
        .collect())
}

fn accept_redirect_uris(wanted: &[String], needed: bool) -> Result<Vec<RedirectUri>, OAuthError> {
    if (wanted.is_empty() && needed) || wanted.len() > MAX_REDIRECT_URIS {
        return Err(ErrorCode::InvalidRedirectUri.because("redirect_uris must hold 1 to 32 addresses"));
    }
    wanted
        .iter()
        .map(|uri| {
            RedirectUri::register(uri).map_err(|why| ErrorCode::InvalidRedirectUri.because(why.to_string()))
        })
        .collect()
}

/// Whether a JWK is more than a public key.
pub(crate) fn has_private_part(key: &Value) -> bool {
    ["d", "p", "q", "dp", "dq", "qi", "k", "oth", "priv"]
        .iter()
        .any(|member| key.get(member).is_some())
}

/// Characters that make a name look like another one on the consent page.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn is_web_uri(text: &str) -> bool {
    text.len() <= MAX_URI
        && Url::parse(text)
            .is_ok_and(|url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)))
}
