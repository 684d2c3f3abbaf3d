//! What a token allows.

use std::fmt;

/// Every scope that there is, in the order shown to people.
pub const ALL: [Scope; 3] = [Scope::Tools, Scope::Resources, Scope::Prompts];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Scope {
    #[serde(rename = "mcp:tools")]
    Tools,
    #[serde(rename = "mcp:resources")]
    Resources,
    #[serde(rename = "mcp:prompts")]
    Prompts,
}

/// A set of scopes, never empty.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Scopes(Vec<Scope>);

impl Scope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "mcp:tools",
            Self::Resources => "mcp:resources",
            Self::Prompts => "mcp:prompts",
        }
    }
}

impl Scopes {
    pub fn all() -> Self {
        Self(ALL.to_vec())
    }

    /// The scopes of a `scope` parameter that exist. Others are left out, as RFC 6749 section 3.3 allows (clients ask
    /// for `openid` or `offline_access` by habit), and the response says what was granted. `None`: nothing is left.
    pub fn parse(text: &str) -> Option<Self> {
        let wanted: Vec<&str> = text.split_ascii_whitespace().collect();
        let found: Vec<Scope> = ALL
            .into_iter()
            .filter(|scope| wanted.contains(&scope.as_str()))
            .collect();
        if found.is_empty() { None } else { Some(Self(found)) }
    }

    pub fn contains_all(&self, other: &Self) -> bool {
        other.0.iter().all(|scope| self.0.contains(scope))
    }

    /// What both allow. `None`: nothing.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let both: Vec<Scope> = self
            .0
            .iter()
            .copied()
            .filter(|scope| other.0.contains(scope))
            .collect();
        if both.is_empty() { None } else { Some(Self(both)) }
    }

    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|scope| scope.as_str().to_owned()).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_scopes_are_left_out_and_known_ones_are_ordered() {
        assert_eq!(
            Scopes::parse("mcp:prompts openid mcp:tools").unwrap().to_string(),
            "mcp:tools mcp:prompts"
        );
        assert_eq!(Scopes::parse("openid"), None);
    }
}
