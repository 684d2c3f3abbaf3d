//! Resource indicators (RFC 8707): what a token is for.

use url::Url;

use crate::oauth_error::{ErrorCode, OAuthError};
use crate::parameters::Parameters;

/// The resources that tokens can be had for.
#[derive(Debug, Clone)]
pub struct Resources {
    /// `<issuer>/mcp`, and what clients also call it.
    canonical: String,
    aliases: Vec<Url>,
    /// Of other MCP servers that this authorization server serves.
    others: Vec<(Url, String)>,
}

impl Resources {
    /// `issuer` has no trailing slash.
    pub fn new(issuer: &str, others: &[Url]) -> Self {
        let aliases = ["", "/mcp", "/mcp/", "/sse"]
            .iter()
            .filter_map(|path| Url::parse(&format!("{issuer}{path}")).ok())
            .chain(Url::parse(&format!("{issuer}/")).ok())
            .collect();
        let others = others
            .iter()
            .map(|url| (url.clone(), url.as_str().trim_end_matches('/').to_owned()))
            .collect();
        Self {
            canonical: format!("{issuer}/mcp"),
            aliases,
            others,
        }
    }

    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The identifier that tokens carry for a resource as a client names it.
    pub fn resolve(&self, name: &str) -> Option<&str> {
        let url = Url::parse(name)
            .ok()
            .filter(|url| url.fragment().is_none() && url.query().is_none())?;
        if self.aliases.contains(&url) {
            return Some(&self.canonical);
        }
        let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
        let same = |known: &Url| known.origin() == url.origin() && path(known) == path(&url);
        self.others
            .iter()
            .find(|(known, _)| same(known))
            .map(|(_, identifier)| identifier.as_str())
    }

    /// The audience that a request asks for; the MCP endpoint when it asks for none, as clients before revision
    /// 2025-06-18 do.
    pub fn requested(&self, parameters: &Parameters) -> Result<Vec<String>, OAuthError> {
        let mut audience = self.named(parameters)?;
        if audience.is_empty() {
            audience.push(self.canonical.clone());
        }
        Ok(audience)
    }

    /// What `resource` parameters name; empty when there are none.
    pub fn named(&self, parameters: &Parameters) -> Result<Vec<String>, OAuthError> {
        let mut audience: Vec<String> = Vec::new();
        for name in parameters.all("resource") {
            let identifier = self.resolve(name).ok_or_else(|| {
                ErrorCode::InvalidTarget.because("the resource is not served by this authorization server")
            })?;
            if !audience.iter().any(|known| known == identifier) {
                audience.push(identifier.to_owned());
            }
        }
        Ok(audience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_mcp_endpoint_mean_one_resource() {
        let resources = Resources::new("http://localhost:3232", &[]);
        for name in [
            "http://localhost:3232/mcp",
            "http://localhost:3232/mcp/",
            "http://localhost:3232",
            "http://localhost:3232/",
            "HTTP://LOCALHOST:3232/mcp",
            "http://localhost:3232/sse",
        ] {
            assert_eq!(
                resources.resolve(name),
                Some("http://localhost:3232/mcp"),
                "{name}"
            );
        }
    }

    #[test]
    fn other_resources_are_unknown_unless_configured() {
        let other = Url::parse("https://files.example/mcp").unwrap();
        let resources = Resources::new("http://localhost:3232", &[other]);
        assert_eq!(
            resources.resolve("https://files.example/mcp"),
            Some("https://files.example/mcp")
        );
        for name in [
            "https://evil.example/mcp",
            "http://localhost:3233/mcp",
            "https://localhost:3232/mcp",
            "http://localhost:3232/mcp#x",
            "http://localhost:3232/mcp?x",
            "http://localhost:3232/mcp/x",
            "http://localhost:3232@evil.example/mcp",
            "mcp",
        ] {
            assert_eq!(resources.resolve(name), None, "{name}");
        }
    }
}
