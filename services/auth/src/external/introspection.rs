//! Tokens that only their issuer can read, checked by asking it (RFC 7662).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use serde::Deserialize;

use super::{Claims, Doubt, ExternalServer};
use crate::secret::Secret;

#[derive(Deserialize)]
struct Answer {
    active: bool,
    #[serde(flatten)]
    claims: Claims,
}

impl ExternalServer {
    pub(super) async fn introspected(
        &self,
        token: &Secret,
        (id, secret): &(String, Secret),
    ) -> Result<Claims, Doubt> {
        let metadata = self.provider.metadata().await.map_err(Doubt::Unknown)?;
        let endpoint = metadata.introspection_endpoint.as_ref();
        let endpoint =
            endpoint.ok_or_else(|| Doubt::Unknown("the issuer has no introspection endpoint".to_owned()))?;
        // RFC 6749 section 2.3.1: form-encoded first.
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let credentials = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret.expose())));
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.expose())
            .append_pair("token_type_hint", "access_token")
            .finish();
        let request = http::Request::post(endpoint)
            .header(AUTHORIZATION, format!("Basic {credentials}"))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "everything-auth")
            .body(body.into_bytes())
            .map_err(|error| Doubt::Unknown(error.to_string()))?;
        let response = self
            .http
            .send(request)
            .await
            .map_err(|error| Doubt::Unknown(error.to_string()))?;
        if response.status() != http::StatusCode::OK {
            return Err(Doubt::Unknown(format!(
                "introspection: http {}",
                response.status().as_u16()
            )));
        }
        let unreadable = |_| Doubt::Unknown("introspection: unreadable answer".to_owned());
        let answer: Answer = serde_json::from_slice(response.body()).map_err(unreadable)?;
        if !answer.active {
            return Err(Doubt::Inactive("its issuer says so"));
        }
        let mut claims = answer.claims;
        // Optional in RFC 7662: whoever answers at the issuer's own endpoint is the issuer.
        claims.iss.get_or_insert_with(|| metadata.issuer.clone());
        Ok(claims)
    }
}
