//! Where a user may be sent back to, and when two such addresses are the same.

use url::{Host, Url};

const MAX_LENGTH: usize = 2048;

/// Schemes that run, read or reveal something instead of reaching a client.
const FORBIDDEN_SCHEMES: [&str; 24] = [
    "about",
    "blob",
    "chrome",
    "content",
    "cid",
    "data",
    "file",
    "filesystem",
    "ftp",
    "ftps",
    "gopher",
    "intent",
    "jar",
    "javascript",
    "mailto",
    "mhtml",
    "resource",
    "sms",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
    "x-javascript",
];

/// A checked redirect URI, exactly as the client wrote it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

/// Why a redirect URI cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("a redirect URI must be an absolute URI of printable ASCII, at most 2048 bytes long")]
    Malformed,
    #[error("a redirect URI must have no fragment")]
    Fragment,
    #[error("a redirect URI must have no user name or password")]
    UserInfo,
    #[error("a redirect URI with http must point to localhost, 127.0.0.1 or [::1]")]
    RemoteHttp,
    #[error("the scheme of a redirect URI is not allowed")]
    Scheme,
}

impl RedirectUri {
    /// Accepts `https`, `http` to the user's own machine (RFC 8252 section 7.3), and private-use schemes of native
    /// apps (section 7.1).
    pub fn register(text: &str) -> Result<Self, Unfit> {
        let printable = text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte));
        if text.len() > MAX_LENGTH || !printable {
            return Err(Unfit::Malformed);
        }
        let url = Url::parse(text).map_err(|_| Unfit::Malformed)?;
        if url.fragment().is_some() || text.contains('#') {
            return Err(Unfit::Fragment);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Unfit::UserInfo);
        }
        match url.scheme() {
            // The parser repairs `https:host` and `https:///host`; browsers may read them differently.
            "https" if !has_plain_authority(text, "https://") => Err(Unfit::Malformed),
            "https" => Ok(Self(text.to_owned())),
            "http" if !is_loopback(&url) => Err(Unfit::RemoteHttp),
            "http" if !has_plain_authority(text, "http://") => Err(Unfit::Malformed),
            "http" => Ok(Self(text.to_owned())),
            scheme if FORBIDDEN_SCHEMES.contains(&scheme) => Err(Unfit::Scheme),
            _ => Ok(Self(text.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request may name `presented` when this one is registered: the same string, or, for `http` to
    /// loopback, the same but for the port (RFC 8252 section 7.3). Nothing is normalised.
    pub fn allows(&self, presented: &str) -> bool {
        if self.0 == presented {
            return true;
        }
        match (LoopbackParts::split(&self.0), LoopbackParts::split(presented)) {
            (Some(registered), Some(presented)) => registered == presented,
            _ => false,
        }
    }

    /// Only programs on the user's own machine receive what is sent there.
    pub fn is_local(&self) -> bool {
        match Url::parse(&self.0) {
            Ok(url) => url.scheme() != "https" || is_loopback(&url),
            Err(_) => false,
        }
    }

    /// What a person should check: host and port, or the scheme of a native app.
    pub fn display_host(&self) -> String {
        let Ok(url) = Url::parse(&self.0) else {
            return self.0.clone();
        };
        match (url.scheme(), url.host_str(), url.port()) {
            ("http" | "https", Some(host), Some(port)) => format!("{host}:{port}"),
            ("http" | "https", Some(host), None) => host.to_owned(),
            (scheme, _, _) => format!("{scheme}:"),
        }
    }

    /// The address with response parameters added to its query.
    pub fn with_parameters(&self, parameters: &[(&str, &str)]) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let joint = match self.0.split_once('?') {
            None => "?",
            Some((_, existing)) if existing.is_empty() || existing.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{}{joint}{query}", self.0)
    }
}

/// An `http` loopback address without its port.
#[derive(PartialEq)]
struct LoopbackParts<'a> {
    host: &'a str,
    path_and_query: &'a str,
}

impl<'a> LoopbackParts<'a> {
    fn split(text: &'a str) -> Option<Self> {
        if text.len() > MAX_LENGTH || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return None;
        }
        let rest = text.strip_prefix("http://")?;
        let (authority, path_and_query) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if path_and_query.contains('#') {
            return None;
        }
        let host = ["localhost", "127.0.0.1", "[::1]"].into_iter().find_map(|host| {
            let after = authority.strip_prefix(host)?;
            let port_is_fine = match after.strip_prefix(':') {
                None => after.is_empty(),
                Some(digits) => {
                    !digits.is_empty()
                        && digits.bytes().all(|byte| byte.is_ascii_digit())
                        && digits.parse::<u16>().is_ok_and(|port| port != 0)
                }
            };
            port_is_fine.then_some(host)
        })?;
        Some(Self { host, path_and_query })
    }
}

fn has_plain_authority(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '['))
}

/// `localhost`, `127.0.0.1` or `[::1]`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_use_can_be_registered() {
        for uri in [
            "https://app.example/callback",
            "https://app.example:8443/callback?x=1",
            "http://localhost:33418/",
            "http://127.0.0.1/callback",
            "http://[::1]:9/callback",
            "cursor://anysphere.cursor-retrieval/oauth/callback",
            "com.example.app:/callback",
        ] {
            assert!(RedirectUri::register(uri).is_ok(), "{uri}");
        }
    }

    #[test]
    fn what_reaches_no_client_cannot_be_registered() {
        for (uri, why) in [
            ("file:///etc/passwd", Unfit::Scheme),
            ("blob:https://app.example/1", Unfit::Scheme),
            ("javascript:alert(1)", Unfit::Scheme),
            ("JavaScript:alert(1)", Unfit::Scheme),
            ("data:text/html,x", Unfit::Scheme),
            ("http://app.example/callback", Unfit::RemoteHttp),
            ("http://localhost.evil.example/", Unfit::RemoteHttp),
            ("http://127.0.0.1.evil.example/", Unfit::RemoteHttp),
            ("https://app.example/callback#x", Unfit::Fragment),
            ("https://app.example/callback#", Unfit::Fragment),
            ("https://user@app.example/", Unfit::UserInfo),
            ("https://:secret@app.example/", Unfit::UserInfo),
            ("https:app.example/", Unfit::Malformed),
            ("https:///app.example/", Unfit::Malformed),
            ("https://app.example\\@evil.example/", Unfit::Malformed),
            ("https://app.example/ x", Unfit::Malformed),
            ("https://аpp.example/", Unfit::Malformed),
            ("/callback", Unfit::Malformed),
            ("", Unfit::Malformed),
        ] {
            assert_eq!(RedirectUri::register(uri), Err(why), "{uri}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let registered = RedirectUri::register("http://127.0.0.1:1000/callback").unwrap();
        for same in [
            "http://127.0.0.1:1000/callback",
            "http://127.0.0.1:65535/callback",
            "http://127.0.0.1/callback",
        ] {
            assert!(registered.allows(same), "{same}");
        }
        for other in [
            "http://localhost:1000/callback",
            "https://127.0.0.1:1000/callback",
            "http://127.0.0.1:1000/callback/",
            "http://127.0.0.1:1000/callback?x=1",
            "http://127.0.0.1:1000/callback#x",
            "http://127.0.0.1:1000@evil.example/callback",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:1000/x/../callback",
            "http://127.0.0.1.evil.example:1000/callback",
            "HTTP://127.0.0.1:1000/callback",
        ] {
            assert!(!registered.allows(other), "{other}");
        }
    }

    #[test]
    fn everything_else_matches_exactly() {
        let registered = RedirectUri::register("https://app.example/callback").unwrap();
        assert!(registered.allows("https://app.example/callback"));
        for other in [
            "https://app.example:443/callback",
            "https://app.example/callback2",
            "https://app.example/callback/",
            "https://app.example/callback?",
            "https://app.example/Callback",
            "https://APP.example/callback",
            "https://app.example@evil.example/callback",
            "https://app.example.evil.example/callback",
            "https://app.example/%63allback",
        ] {
            assert!(!registered.allows(other), "{other}");
        }
    }

    #[test]
    fn response_parameters_join_an_existing_query() {
        let with =
            |uri: &str| RedirectUri(uri.to_owned()).with_parameters(&[("code", "a&b"), ("state", "ü")]);
        assert_eq!(with("https://a/cb"), "https://a/cb?code=a%26b&state=%C3%BC");
        assert_eq!(
            with("https://a/cb?x=1"),
            "https://a/cb?x=1&code=a%26b&state=%C3%BC"
        );
        assert_eq!(with("https://a/cb?"), "https://a/cb?code=a%26b&state=%C3%BC");
    }
}
