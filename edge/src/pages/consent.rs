//! The page that asks the user whether a client may act for them.

use askama::Template;
use axum::response::Response;
use everything_proto::auth::v1::ConsentPrompt;
use http::StatusCode;
use url::Url;

use super::{FormAction, render};
use crate::config::BaseUri;

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'a> {
    prompt: &'a ConsentPrompt,
    client_name: &'a str,
    /// Only an https or http address: others could run scripts.
    client_uri: Option<&'a str>,
    scopes: Vec<Scope<'a>>,
}

struct Scope<'a> {
    name: &'a str,
    description: &'static str,
}

/// `redirect_uri` as in the request; the auth service has checked it by now.
pub fn page(prompt: &ConsentPrompt, redirect_uri: &str, base: &BaseUri) -> Response {
    let named = !prompt.client_name.trim().is_empty();
    let consent = Consent {
        prompt,
        client_name: if named {
            &prompt.client_name
        } else {
            &prompt.client_id
        },
        client_uri: Some(prompt.client_uri.as_str()).filter(|uri| is_web_address(uri)),
        scopes: prompt
            .scopes
            .iter()
            .map(|name| Scope {
                name,
                description: describe(name),
            })
            .collect(),
    };
    let sources = form_sources(prompt, redirect_uri, base);
    render(StatusCode::OK, &consent, FormAction::Sources(&sources))
}

fn describe(scope: &str) -> &'static str {
    match scope {
        "mcp:tools" => "Use tools, which may act and send data on your behalf",
        "mcp:resources" => "Read resources and follow their changes",
        "mcp:prompts" => "Use prompts and their suggestions",
        "offline_access" => "Stay connected while you are away",
        _ => "",
    }
}

fn is_web_address(uri: &str) -> bool {
    uri.parse::<Url>()
        .is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

/// Where the form may lead: to an identity provider, and back to the client. Browsers hold every redirect after the form
/// to it.
fn form_sources(prompt: &ConsentPrompt, redirect_uri: &str, base: &BaseUri) -> String {
    let client = match redirect_uri.parse::<Url>() {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            source(url.host_str(), url.port(), url.scheme())
        }
        // A program's own scheme, such as `cursor:`. Schemes are letters, digits and `+-.`.
        Ok(url) => Some(format!("{}:", url.scheme())),
        // It was left out, or pushed before.
        Err(_) => source(Some(&prompt.redirect_host), None, "http"),
    };
    // A server on plain http is somebody's own, and so is its identity provider.
    let provider = if base.is_https() { "https:" } else { "https: http:" };
    format!("{provider} {}", client.unwrap_or_default())
        .trim_end()
        .to_owned()
}

/// A host source; None for a host that none can be made of.
fn source(host: Option<&str>, port: Option<u16>, scheme: &str) -> Option<String> {
    let host = host?;
    // The grammar of host sources has no IPv6 addresses; their scheme has to do.
    if host.starts_with('[') {
        return Some(format!("{scheme}:"));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
    if host.is_empty() || !host.bytes().all(plain) {
        return None;
    }
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_may_lead_back_to_the_client() {
        let prompt = ConsentPrompt {
            redirect_host: "localhost:9999".to_owned(),
            ..ConsentPrompt::default()
        };
        let base = "https://mcp.example.com".parse().unwrap();
        for (redirect_uri, sources) in [
            ("http://localhost:8765/callback", "https: http://localhost:8765"),
            ("http://[::1]:8765/callback", "https: http:"),
            ("https://app.example/cb", "https: https://app.example"),
            ("cursor://anysphere/oauth", "https: cursor:"),
            ("", "https: http://localhost:9999"),
            ("http://a;script-src*/", "https:"),
        ] {
            assert_eq!(
                form_sources(&prompt, redirect_uri, &base),
                sources,
                "{redirect_uri}"
            );
        }
        let development = "http://localhost:3232".parse().unwrap();
        assert_eq!(
            form_sources(&prompt, "cursor://x/y", &development),
            "https: http: cursor:"
        );
    }
}
