use std::{convert::Infallible, fmt, fs, io, path::Path, str::FromStr};

use super::BadSettings;

/// Characters of a secret, at least.
const SHORTEST: usize = 32;

/// A setting that no log and no debugger shows.
#[derive(Clone, Default)]
pub struct Hidden(String);

impl Hidden {
    /// What a file holds.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        fs::read_to_string(path).map(Self)
    }

    /// The secrets in it, between commas or line ends.
    pub(super) fn secrets(&self, name: &'static str, bad: &mut BadSettings) -> Vec<String> {
        let secrets: Vec<String> = self
            .0
            .split([',', '\n'])
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
