//! Parameters in order, with their repetitions, so that the auth service can refuse what repeats (RFC 6749 section 3.1).

use axum::{
    extract::{FromRequest, Request},
    response::Response,
};
use bytes::Bytes;
use everything_proto::auth::v1::{ClientAddress, Parameter};
use http::{HeaderMap, Method, Uri, header::CONTENT_TYPE};

use super::address;
use crate::{
    State,
    error::{Face, Fault},
};

/// More than any honest request has.
const MAX_PARAMETERS: usize = 100;

/// A request with a form body, taken apart.
pub struct Form {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub address: ClientAddress,
    pub parameters: Vec<Parameter>,
}

/// A request whose parameters are in its query.
pub struct Query {
    pub headers: HeaderMap,
    pub address: ClientAddress,
    pub parameters: Vec<Parameter>,
}

/// Bytes that are not UTF-8 become U+FFFD, which equals nothing that is registered.
pub fn parse(text: &[u8]) -> Result<Vec<Parameter>, Fault> {
    let mut parameters = Vec::new();
    for (name, value) in form_urlencoded::parse(text) {
        if parameters.len() == MAX_PARAMETERS {
            return Err(Fault::BadParameters);
        }
        parameters.push(Parameter {
            name: name.into_owned(),
            value: value.into_owned(),
        });
    }
    Ok(parameters)
}

/// The value of a parameter that the edge itself needs. Empty: it is missing.
pub fn value<'a>(parameters: &'a [Parameter], name: &str) -> &'a str {
    parameters
        .iter()
        .find(|parameter| parameter.name == name)
        .map_or("", |parameter| &parameter.value)
}

/// Whether the body is of this media type, whatever its parameters.
pub fn is_media_type(headers: &HeaderMap, expected: &str) -> bool {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    essence
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case(expected)
}

impl FromRequest<State> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, state: &State) -> Result<Self, Self::Rejection> {
        let face = Face::of(request.uri().path());
        if !is_media_type(request.headers(), "application/x-www-form-urlencoded") {
            return Err(Fault::NotAForm.on(face));
        }
        let address = address(&request);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| Fault::BodyBroken.on(face))?;
        let parameters = parse(&body).map_err(|fault| fault.on(face))?;
        Ok(Self {
            method,
            uri,
            headers,
            address,
            parameters,
        })
    }
}

impl FromRequest<State> for Query {
    type Rejection = Response;

    async fn from_request(request: Request, _: &State) -> Result<Self, Self::Rejection> {
        let query = request.uri().query().unwrap_or_default();
        let parameters = parse(query.as_bytes()).map_err(|fault| fault.on(Face::of(request.uri().path())))?;
        Ok(Self {
            address: address(&request),
            headers: request.headers().clone(),
            parameters,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_survive() {
        let parsed = parse(b"a=1&b=%20x+y&a=2&&c").unwrap();
        let pairs: Vec<_> = parsed
            .iter()
            .map(|p| (p.name.as_str(), p.value.as_str()))
            .collect();
        assert_eq!(pairs, [("a", "1"), ("b", " x y"), ("a", "2"), ("c", "")]);
    }

    #[test]
    fn garbage_is_read_without_trouble_and_floods_are_refused() {
        assert!(parse(b"%ff%zz=%&\xff\xfe==&%00").is_ok());
        assert_eq!(
            parse("a&".repeat(101).as_bytes()).unwrap_err(),
            Fault::BadParameters
        );
    }
}
