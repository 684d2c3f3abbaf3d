//! Which `Host` and which `Origin` a request may carry: the defence against DNS rebinding.

use std::str::FromStr;

use url::Url;

use super::{BaseUri, is_loopback};

/// Hosts from ALLOWED_HOSTS.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts {
    any: bool,
    hosts: Vec<String>,
}

/// Origins from ALLOWED_ORIGINS.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins {
    any: bool,
    origins: Vec<String>,
}

impl AllowedHosts {
    /// Whether `host` (an authority: a host and maybe a port) may be asked for. The port does not matter: forwarding
    /// changes it, and rebinding cannot.
    pub fn allows(&self, authority: &str, base: &BaseUri) -> bool {
        if self.any {
            return true;
        }
        let Some(host) = host_of(authority) else {
            return false;
        };
        is_loopback_name(&host) || host == base.host() || self.hosts.contains(&host)
    }
}

impl AllowedOrigins {
    /// Whether a page of `origin` may call. Loopback origins may: they are the user's own tools, such as inspectors.
    pub fn allows(&self, origin: &str, base: &BaseUri) -> bool {
        if self.any || origin == base.as_str() {
            return true;
        }
        let Ok(url) = origin.parse::<Url>() else {
            return false;
        };
        let origin_of_url = url.origin().ascii_serialization();
        // Opaque origins serialize to "null"; what is longer than its own origin is no `Origin` header of a browser.
        if origin_of_url == "null" || !origin_of_url.eq_ignore_ascii_case(origin) {
            // Schemes that `url` knows no origin of (`vscode-webview://…`) are taken literally.
            return self.origins.iter().any(|allowed| allowed == origin);
        }
        url.host_str().is_some_and(is_loopback_name) || self.origins.contains(&origin_of_url)
    }
}

/// The host of an authority, lower case, without its port; `None` if it is malformed.
fn host_of(authority: &str) -> Option<String> {
    // `http::uri::Authority` lets user information through, which no `Host` header has.
    if authority.contains('@') {
        return None;
    }
    let authority: http::uri::Authority = authority.parse().ok()?;
    let host = authority.host();
    // A trailing dot is the same name, absolute.
    Some(host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase())
}

/// `localhost`, names below it (RFC 6761 section 6.3), 127.0.0.0/8 and ::1.
fn is_loopback_name(host: &str) -> bool {
    is_loopback(host) || host.ends_with(".localhost")
}

impl FromStr for AllowedHosts {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut allowed = Self::default();
        for part in list(text) {
            match part {
                "*" => allowed.any = true,
                host => allowed.hosts.push(host_of(host).ok_or(())?),
            }
        }
        Ok(allowed)
    }
}

impl FromStr for AllowedOrigins {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut allowed = Self::default();
        for part in list(text) {
            if part == "*" {
                allowed.any = true;
                continue;
            }
            let url: Url = part.parse().map_err(|_| ())?;
            let origin = url.origin().ascii_serialization();
            allowed
                .origins
                .push(if origin == "null" { part.to_owned() } else { origin });
        }
        Ok(allowed)
    }
}

/// The non-empty parts of a comma-separated list.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_the_base_host_and_configured_hosts_are_served() {
        let base: BaseUri = "https://mcp.example.com".parse().unwrap();
        let hosts: AllowedHosts = "edge, Other.Example:8080".parse().unwrap();
        for good in [
            "localhost",
            "localhost:3232",
            "LOCALHOST:1",
            "127.0.0.1:3232",
            "127.9.9.9",
            "[::1]:3232",
            "app.localhost",
            "mcp.example.com",
            "mcp.example.com.:443",
            "edge:3232",
            "other.example",
        ] {
            assert!(hosts.allows(good, &base), "{good}");
        }
        for bad in [
            "evil.example.com",
            "",
            "localhost.evil.com",
            "evil-localhost",
            "mcp.example.com.evil.com",
            "a@localhost",
            "localhost:3232@evil.com",
            "10.0.0.1",
            "[::2]",
            "localhost/evil",
            "xn--lcalhost-54a",
        ] {
            assert!(!hosts.allows(bad, &base), "{bad}");
        }
        assert!(
            "*".parse::<AllowedHosts>()
                .unwrap()
                .allows("evil.example.com", &base)
        );
    }

    #[test]
    fn only_loopback_origins_our_own_and_configured_ones_may_call() {
        let base: BaseUri = "https://mcp.example.com".parse().unwrap();
        let origins: AllowedOrigins = "https://app.example/, vscode-webview://abc".parse().unwrap();
        for good in [
            "https://mcp.example.com",
            "http://localhost:6274",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "https://app.example",
            "vscode-webview://abc",
        ] {
            assert!(origins.allows(good, &base), "{good}");
        }
        for bad in [
            "null",
            "",
            "http://evil.example.com",
            "http://mcp.example.com",
            "https://mcp.example.com:8443",
            "https://mcp.example.com.evil.com",
            "http://localhost.evil.com",
            "http://localhost@evil.com",
            "https://app.example.evil",
            "vscode-webview://other",
            "file://",
            "http://localhost:6274/path",
        ] {
            assert!(!origins.allows(bad, &base), "{bad}");
        }
    }
}
