use std::{fmt, num::ParseIntError, str::FromStr};

/// A place in the feed. Later changes have greater ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId {
    /// Unix time in milliseconds.
    pub ms: u64,
    pub seq: u64,
}

impl ChangeId {
    /// Before every change.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for ChangeId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ms, seq) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self {
            ms: ms.parse()?,
            seq: seq.parse()?,
        })
    }
}
