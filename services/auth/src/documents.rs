//! JSON documents of other servers, remembered for as long as those allow: client metadata and client keys.

use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, USER_AGENT};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::secret::Secret;
use crate::server::AuthorizationServer;
use crate::store::Space;
use crate::vault::Record;

/// Documents are small; this one is not ours to keep.
const MAX_DOCUMENT: usize = 16 * 1024;
/// For answers that do not say how long they hold.
const DEFAULT_AGE: Duration = Duration::from_secs(5 * 60);
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// A failure is remembered so that nobody can make us ask somebody else's server again and again.
const FAILURE_AGE: Duration = Duration::from_secs(15);
/// Asked for again, a document is read anew at most this often.
const REFRESH_AGE_S: u64 = 60;

/// Kept under the URL.
#[derive(Serialize, Deserialize)]
struct Remembered {
    /// `None`: there was none.
    body: Option<String>,
    fetched_at: u64,
}

impl Record for Remembered {
    const SPACE: Space = Space::Document;
}

impl AuthorizationServer {
    /// The document, if it can be had. `again`: what is remembered does not do.
    pub(crate) async fn document(&self, url: &str, again: bool) -> Result<Option<String>, Error> {
        let key = Secret::new(url);
        let now = self.clock.now();
        if let Some(known) = self.vault.get::<Remembered>(&key).await?
            && (!again || now < known.fetched_at + REFRESH_AGE_S)
        {
            return Ok(known.body);
        }
        let (body, age) = match self.fetch(url).await {
            Ok((body, age)) => (Some(body), age),
            Err(reason) => {
                tracing::info!(reason, "a document of a client cannot be read");
                (None, FAILURE_AGE)
            }
        };
        if !age.is_zero() {
            let remembered = Remembered {
                body: body.clone(),
                fetched_at: now,
            };
            self.vault.put(&key, &remembered, age).await?;
        }
        Ok(body)
    }

    async fn fetch(&self, url: &str) -> Result<(String, Duration), String> {
        let request = http::Request::get(url)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "everything-auth")
            .body(Vec::new())
            .map_err(|error| error.to_string())?;
        let response = self
            .strangers
            .send(request)
            .await
            .map_err(|error| error.to_string())?;
        // Redirects are not followed: the draft forbids it, and each would be another way in.
        if response.status() != http::StatusCode::OK {
            return Err(format!("http {}", response.status().as_u16()));
        }
        if !is_json(response.headers()) {
            return Err("it is not served as json".to_owned());
        }
        let age = age_of(response.headers());
        let body = response.into_body();
        if body.len() > MAX_DOCUMENT {
            return Err("it is larger than 16 KiB".to_owned());
        }
        let body = String::from_utf8(body).map_err(|_| "it is not utf-8".to_owned())?;
        Ok((body, age))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// RFC 9111 section 5.2.2. Zero: not to be kept.
fn age_of(headers: &HeaderMap) -> Duration {
    let mut age = DEFAULT_AGE;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            let directive = directive.trim().to_ascii_lowercase();
            if directive == "no-store" || directive == "no-cache" {
                return Duration::ZERO;
            }
            if let Some(seconds) = directive
                .strip_prefix("max-age=")
                .and_then(|text| text.trim_matches('"').parse().ok())
            {
                age = Duration::from_secs(seconds).min(MAX_AGE);
            }
        }
    }
    age
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn cache_headers_are_respected_within_a_day() {
        let age = |value| age_of(&headers(CACHE_CONTROL, value)).as_secs();
        assert_eq!(age("public, max-age=60"), 60);
        assert_eq!(age("Max-Age=0"), 0);
        assert_eq!(age("no-store"), 0);
        assert_eq!(age("max-age=60, no-cache"), 0);
        assert_eq!(age("max-age=99999999"), 24 * 60 * 60);
        assert_eq!(age("private"), 300);
    }

    #[test]
    fn only_json_is_a_document() {
        for kind in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/client-metadata+json",
        ] {
            assert!(is_json(&headers(CONTENT_TYPE, kind)), "{kind}");
        }
        for kind in ["text/html", "text/json", "image/svg+xml", ""] {
            assert!(!is_json(&headers(CONTENT_TYPE, kind)), "{kind}");
        }
    }
}
