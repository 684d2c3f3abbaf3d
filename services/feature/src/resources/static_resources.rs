//! `test://static/resource/{1..100}`: odd ones are text, even ones are binary.

use super::{Listed, Template};
use crate::content::{Body, ResourceContents};

pub const COUNT: u32 = 100;
pub const URI_PREFIX: &str = "test://static/resource/";

pub const TEMPLATE: Template = Template {
    uri_template: "test://static/resource/{id}",
    name: "Static Resource",
    title: "Static Resource",
    description: "A static resource with a numeric ID, 1 to 100: odd ones are plain text, even ones are binary.",
};

/// One of the static resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticResource(u32);

impl StaticResource {
    pub fn by_id(id: u32) -> Option<Self> {
        (1..=COUNT).contains(&id).then_some(Self(id))
    }

    pub fn by_uri(uri: &str) -> Option<Self> {
        Self::parse(uri.strip_prefix(URI_PREFIX)?)
    }

    /// Reads an id as it is written: `7`, but neither `07` nor `+7`.
    pub fn parse(id: &str) -> Option<Self> {
        let resource = Self::by_id(id.parse().ok()?)?;
        (resource.0.to_string() == id).then_some(resource)
    }

    /// Ids that begin with `prefix`.
    pub fn ids_with_prefix(prefix: &str) -> Vec<String> {
        (1..=COUNT)
            .map(|id| id.to_string())
            .filter(|id| id.starts_with(prefix))
            .collect()
    }

    pub fn id(self) -> u32 {
        self.0
    }

    pub fn uri(self) -> String {
        format!("{URI_PREFIX}{}", self.0)
    }

    pub fn name(self) -> String {
        format!("Resource {}", self.0)
    }

    pub fn description(self) -> String {
        if self.is_text() {
            format!("Static text {}", self.0)
        } else {
            format!("Static binary {}", self.0)
        }
    }

    pub fn mime_type(self) -> &'static str {
        if self.is_text() {
            "text/plain"
        } else {
            "application/octet-stream"
        }
    }

    /// Bytes.
    pub fn size(self) -> u64 {
        self.text().len() as u64
    }

    pub fn contents(self) -> ResourceContents {
        let text = self.text();
        ResourceContents {
            uri: self.uri(),
            mime_type: self.mime_type().to_owned(),
            body: if self.is_text() {
                Body::Text(text)
            } else {
                Body::blob(text.as_bytes())
            },
            meta: None,
        }
    }

    pub(super) fn listed(self) -> Listed {
        Listed {
            uri: self.uri(),
            name: self.name(),
            title: self.name(),
            description: self.description(),
            mime_type: self.mime_type().to_owned(),
            size: self.size(),
            meta: None,
        }
    }

    fn is_text(self) -> bool {
        self.0 % 2 == 1
    }

    fn text(self) -> String {
        let kind = if self.is_text() {
            "plaintext resource"
        } else {
            "base64 blob"
        };
        format!("Resource {}: This is a {kind}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_uri_names_a_resource() {
        assert_eq!(
            StaticResource::by_uri("test://static/resource/100"),
            Some(StaticResource(100))
        );
        for bad in ["", "0", "101", "01", "+1", "1 ", "1/", "one", "-1", "99999999999"] {
            assert_eq!(
                StaticResource::by_uri(&format!("{URI_PREFIX}{bad}")),
                None,
                "{bad:?}"
            );
        }
    }
}
