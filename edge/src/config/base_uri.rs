//! What clients and browsers reach this server as.

use std::str::FromStr;

use url::Url;

/// The origin that clients reach this server as, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUri {
    text: String,
    host: String,
    https: bool,
}

impl BaseUri {
    /// The address of `path`, which begins with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// The same on the port that the listener got, where BASE_URI was left out and PORT is 0.
    pub(super) fn listening_on(mut self, port: u16) -> Self {
        if self.host == "localhost" && self.text.ends_with(":0") {
            self.text = format!("{}{port}", self.text.trim_end_matches('0'));
        }
        self
    }

    /// Without a trailing slash; this is also the origin (RFC 6454) of the pages served here.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host without its port, lower case; IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn is_https(&self) -> bool {
        self.https
    }
}

impl FromStr for BaseUri {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: Url = text.parse().map_err(|_| ())?;
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.path() == "/";
        match (url.scheme(), url.host_str(), bare) {
            (scheme @ ("http" | "https"), Some(host), true) => Ok(Self {
                https: scheme == "https",
                host: host.to_owned(),
                // Drops the scheme's default port, as browsers do in `Origin`.
                text: url.origin().ascii_serialization(),
            }),
            _ => Err(()),
        }
    }
}
