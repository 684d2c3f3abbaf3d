use std::{convert::Infallible, fmt, str::FromStr};

use super::BadSettings;

/// Characters of a secret, at least.
const SHORTEST: usize = 32;

/// A setting that no log and no debugger shows.
#[derive(Clone, Default)]
pub struct Hidden(String);

impl Hidden {
    /// The comma-separated secrets in it.
    pub(super) fn secrets(&self, name: &'static str, bad: &mut BadSettings) -> Vec<String> {
        let secrets: Vec<String> = self
            .0
            .split(',')
            .map(str::trim)
            .filter(|secret| !secret.is_empty())
            .map(str::to_owned)
            .collect();
        if secrets.iter().any(|secret| secret.chars().count() < SHORTEST) {
            bad.add(name, format!("has a secret of less than {SHORTEST} characters"));
        }
        secrets
    }
}

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hidden")
    }
}
