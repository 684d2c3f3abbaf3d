use std::{fmt, path::PathBuf, str::FromStr};

use http::Uri;

use crate::{Error, MemoryConnector};

/// One replica of a service.
#[derive(Clone, Debug)]
pub enum Target {
    Http(Uri),
    Unix(PathBuf),
    Memory(MemoryConnector),
}

/// The replicas of one service, as in `AUTH_URL=http://auth-1:50051,http://auth-2:50051`. A name stands for all of its
/// addresses.
#[derive(Clone, Debug)]
pub struct Replicas(Vec<Target>);

impl Replicas {
    pub(crate) fn memory(connector: MemoryConnector) -> Self {
        Self(vec![Target::Memory(connector)])
    }

    pub(crate) fn targets(&self) -> &[Target] {
        &self.0
    }
}

impl Replicas {
    /// Whether some are reached with TLS, and some without though they could be.
    pub(crate) fn schemes(&self) -> (bool, bool) {
        let https = self.0.iter().any(Target::is_https);
        let http = self
            .0
            .iter()
            .any(|target| matches!(target, Target::Http(_)) && !target.is_https());
        (https, http)
    }
}

impl FromStr for Replicas {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || Error::Replicas(text.to_owned());
        let targets = text
            .split(',')
            .map(|part| {
                let part = part.trim();
                if let Some(path) = part.strip_prefix("unix:") {
                    return if path.is_empty() {
                        Err(bad())
                    } else {
                        Ok(Target::Unix(path.into()))
                    };
                }
                let uri: Uri = part.parse().map_err(|_| bad())?;
                match (uri.scheme_str(), uri.authority()) {
                    (Some("http" | "https"), Some(authority)) if !authority.as_str().contains('@') => {
                        Ok(Target::Http(uri))
                    }
                    _ => Err(bad()),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self(targets))
    }
}

impl Target {
    /// Host and port, where it has them. IPv6 addresses are without brackets.
    pub(crate) fn host_and_port(&self) -> Option<(&str, u16)> {
        let Self::Http(uri) = self else { return None };
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
        let default = if self.is_https() { 443 } else { 80 };
        Some((host, uri.port_u16().unwrap_or(default)))
    }

    pub(crate) fn is_https(&self) -> bool {
        matches!(self, Self::Http(uri) if uri.scheme_str() == Some("https"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(uri) => write!(f, "{uri}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Memory(_) => f.write_str("in this process"),
        }
    }
}

impl fmt::Display for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, target) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{target}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_replicas_reads_back_as_written() {
        let list = "http://a:1/,unix:/run/b.sock";
        assert_eq!(list.parse::<Replicas>().unwrap().to_string(), list);
    }

    #[test]
    fn what_is_no_replica_is_refused() {
        for bad in [
            "",
            ",",
            "a:1",
            "ftp://a",
            "http://",
            "http://u:p@a:1",
            "unix:",
            "http://a:1,,http://b:1",
        ] {
            assert!(bad.parse::<Replicas>().is_err(), "{bad:?}");
        }
    }
}
