//! The parameters of a request, in the order they came, repetition and all.

use zeroize::Zeroize as _;

use crate::oauth_error::{ErrorCode, OAuthError};

/// More than any honest request has; a client assertion or a long `state` fits.
const MAX_PARAMETERS: usize = 64;
const MAX_TOTAL_BYTES: usize = 32 * 1024;

/// Values may be secrets, so there is no `Debug` that shows them, and they are wiped when dropped.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Parameters(Vec<(String, String)>);

impl Drop for Parameters {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            value.zeroize();
        }
    }
}

impl Parameters {
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// Refuses what RFC 6749 sections 3.1 and 3.2 refuse: a parameter sent more than once. `resource` may repeat
    /// (RFC 8707 section 2). A parameter without a value counts as absent.
    pub fn check(&self) -> Result<(), OAuthError> {
        let total: usize = self.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        if self.0.len() > MAX_PARAMETERS || total > MAX_TOTAL_BYTES {
            return Err(ErrorCode::InvalidRequest.because("the request is too large"));
        }
        for (index, (name, _)) in self.0.iter().enumerate() {
            let repeated = self.0.iter().take(index).any(|(earlier, _)| earlier == name);
            if repeated && name != "resource" {
                return Err(ErrorCode::InvalidRequest.because("a parameter was sent more than once"));
            }
        }
        if self
            .0
            .iter()
            .any(|(name, value)| name.contains('\0') || value.contains('\0'))
        {
            return Err(ErrorCode::InvalidRequest.because("a parameter contains a null character"));
        }
        Ok(())
    }

    /// The value, if there is exactly one and it is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { None } else { first }
    }

    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.0
            .iter()
            .filter(move |(other, value)| other == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// All but the named ones.
    pub fn without(&self, names: &[&str]) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| !names.contains(&name.as_str()))
                .cloned()
                .collect(),
        )
    }

    /// With one value for the named one.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut changed = self.without(&[name]);
        changed.0.push((name.to_owned(), value.to_owned()));
        changed
    }

    pub fn require(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.get(name)
            .ok_or_else(|| ErrorCode::InvalidRequest.because(format!("parameter {name} is missing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        Parameters::new(
            pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn a_repeated_parameter_is_refused_and_has_no_value() {
        let twice = parameters(&[("code", "a"), ("code", "b")]);
        assert!(twice.check().is_err());
        assert_eq!(twice.get("code"), None);
        assert!(
            parameters(&[("resource", "a"), ("resource", "b")])
                .check()
                .is_ok()
        );
    }

    #[test]
    fn an_empty_parameter_is_absent() {
        assert_eq!(parameters(&[("scope", "")]).get("scope"), None);
    }

    #[test]
    fn what_no_honest_client_sends_is_refused() {
        assert!(parameters(&[("state", &"x".repeat(40_000))]).check().is_err());
        assert!(parameters(&[("state", "a\0b")]).check().is_err());
    }
}
