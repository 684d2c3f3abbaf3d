//! What clients send, and what they find in the answers.

use everything_proto::auth::v1::{self as proto};
use serde_json::Value;
use url::Url;

use super::{REDIRECT, RESOURCE, VERIFIER};

/// A complete, valid request.
pub fn authorization_request(client_id: &str) -> Vec<(&str, &str)> {
    vec![
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", REDIRECT),
        ("state", "client state & more"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("resource", RESOURCE),
    ]
}

/// The request with a parameter replaced, added, or (empty value) left out.
pub fn with<'a>(request: &[(&'a str, &'a str)], name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut request: Vec<_> = request
        .iter()
        .copied()
        .filter(|(other, _)| *other != name)
        .collect();
    if !value.is_empty() {
        request.push((name, value));
    }
    request
}

pub fn code_request<'a>(client_id: &'a str, code: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("resource", RESOURCE),
    ]
}

pub fn refresh_request<'a>(client_id: &'a str, token: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "refresh_token"),
        ("client_id", client_id),
        ("refresh_token", token),
    ]
}

pub fn parameters(pairs: &[(&str, &str)]) -> Vec<proto::Parameter> {
    let parameter = |&(name, value): &(&str, &str)| proto::Parameter {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    pairs.iter().map(parameter).collect()
}

pub fn query_parameters(url: &Url) -> Vec<proto::Parameter> {
    let parameter = |(name, value): (_, _)| proto::Parameter { name, value };
    url.query_pairs().into_owned().map(parameter).collect()
}

pub fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.into_owned())
}

pub fn access(tokens: &Value) -> &str {
    tokens["access_token"].as_str().unwrap()
}

pub fn refresh(tokens: &Value) -> &str {
    tokens["refresh_token"].as_str().unwrap()
}
