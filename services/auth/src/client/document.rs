//! Clients whose id is the https URL of their metadata (draft-ietf-oauth-client-id-metadata-document).

use url::Url;

use super::Client;
use super::metadata::{Metadata, Method, Source};
use crate::client::ClientAuthentication;
use crate::error::Error;
use crate::records::ClientId;
use crate::redirect_uri::is_loopback;
use crate::server::AuthorizationServer;

/// The URL, if a client id is one that a document can be read from: https with a path, exactly as a URL parser would
/// write it (so no dot segments, no default port, no upper-case host), without user name and fragment.
pub(super) fn document_url(client_id: &str, loopback: bool) -> Option<Url> {
    let url = Url::parse(client_id).ok()?;
    let scheme = match url.scheme() {
        "https" => true,
        "http" => loopback && is_loopback(&url),
        _ => false,
    };
    let plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (scheme && plain && url.path() != "/" && url.as_str() == client_id).then_some(url)
}

impl AuthorizationServer {
    pub(super) async fn client_of_document(&self, url: &Url) -> Result<Option<Client>, Error> {
        let Some(body) = self.document(url.as_str(), false).await? else {
            return Ok(None);
        };
        let client = client_of(url, &body);
        if let Err(reason) = &client {
            tracing::info!(host = url.host_str(), %reason, "a client metadata document is not usable");
        }
        Ok(client.ok())
    }
}

fn client_of(url: &Url, body: &str) -> Result<Client, String> {
    let metadata: Metadata = serde_json::from_str(body).map_err(|error| format!("unreadable: {error}"))?;
    // Simple string comparison, as the draft says: a document speaks for its own URL only.
    if metadata.client_id.as_deref() != Some(url.as_str()) {
        return Err("its client_id is not its url".to_owned());
    }
    if metadata.client_secret.is_some() {
        return Err("it contains a client_secret".to_owned());
    }
    let accepted = metadata
        .accept(Source::Document)
        .map_err(|error| error.description.into_owned())?;
    let authentication = match accepted.method {
        Method::None => ClientAuthentication::None,
        Method::Key(keys) => ClientAuthentication::Key(keys),
        Method::Secret(_) => return Err("it uses a client secret".to_owned()),
    };
    Ok(Client {
        client_id: ClientId(url.as_str().to_owned()),
        name: accepted.name,
        uri: accepted.uri,
        redirect_uris: accepted.redirect_uris,
        grant_types: accepted.grant_types,
        authentication,
        scopes: None,
        introspects: Vec::new(),
        issued_at: 0,
        registration: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const URL: &str = "https://app.example/client.json";

    #[test]
    fn only_exact_https_urls_with_a_path_are_documents() {
        assert!(document_url(URL, false).is_some());
        assert!(document_url("https://app.example:8443/a/b?c=d", false).is_some());
        for other in [
            "https://app.example",
            "https://app.example/",
            "https://app.example:443/client.json",
            "https://APP.example/client.json",
            "https://app.example/a/../client.json",
            "https://app.example/./client.json",
            "https://user@app.example/client.json",
            "https://app.example/client.json#x",
            "http://app.example/client.json",
            "http://localhost:1/client.json",
            "HTTPS://app.example/client.json",
            " https://app.example/client.json",
            "mcp_client_x",
        ] {
            assert!(document_url(other, false).is_none(), "{other}");
        }
        assert!(document_url("http://localhost:1/client.json", true).is_some());
        assert!(document_url("http://app.example/client.json", true).is_none());
    }

    #[test]
    fn a_document_speaks_for_its_own_url_and_holds_no_secret() {
        let url = Url::parse(URL).unwrap();
        let document =
            json!({"client_id": URL, "redirect_uris": ["https://app.example/cb"], "client_name": "App"});
        let client = client_of(&url, &document.to_string()).unwrap();
        assert_eq!((client.client_id.0.as_str(), client.name.as_str()), (URL, "App"));
        assert!(!client.is_confidential());
        for (member, value) in [
            ("client_id", json!("https://other.example/client.json")),
            ("client_id", json!(null)),
            ("client_secret", json!("x")),
            ("token_endpoint_auth_method", json!("client_secret_post")),
            ("redirect_uris", json!([])),
            ("redirect_uris", json!(["javascript:alert(1)"])),
        ] {
            let mut flawed = document.clone();
            flawed[member] = value;
            assert!(client_of(&url, &flawed.to_string()).is_err(), "{flawed}");
        }
        assert!(client_of(&url, "<html>").is_err());
    }
}
