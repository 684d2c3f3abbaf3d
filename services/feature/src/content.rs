//! The parts of MCP results, in the newest revision's shape.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::Value;

/// A content block.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Content {
    Text {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        annotations: Option<Annotations>,
    },
    Image {
        /// Base64.
        data: String,
        mime_type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        annotations: Option<Annotations>,
    },
    Resource {
        resource: ResourceContents,
    },
    ResourceLink {
        uri: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        mime_type: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
    },
}

/// For whom a content block is, and how much it matters (0 to 1).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Annotations {
    pub priority: f64,
    pub audience: &'static [Role],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    User,
    Assistant,
}

/// What a resource holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceContents {
    pub uri: String,
    pub mime_type: String,
    #[serde(flatten)]
    pub body: Body,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    Text(String),
    /// Base64.
    Blob(String),
}

/// Result of tools/call.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolResult {
    pub content: Vec<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured_content: Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
}

/// Result of prompts/get.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PromptResult {
    pub description: &'static str,
    pub messages: Vec<PromptMessage>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PromptMessage {
    pub role: Role,
    pub content: Content,
}

/// Result of resources/read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReadResult {
    pub contents: Vec<ResourceContents>,
}

/// An icon that clients may show.
#[derive(Clone, Debug, PartialEq)]
pub struct Icon {
    pub src: String,
    pub mime_type: &'static str,
    pub sizes: &'static str,
}

/// A 20 by 20 pixel smile, drawn for this project.
static TINY_IMAGE: &[u8] = include_bytes!("../assets/tiny.png");

impl Content {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            annotations: None,
        }
    }

    pub fn annotated_text(text: impl Into<String>, priority: f64, audience: &'static [Role]) -> Self {
        Self::Text {
            text: text.into(),
            annotations: Some(Annotations { priority, audience }),
        }
    }

    pub fn tiny_image(annotations: Option<Annotations>) -> Self {
        Self::Image {
            data: STANDARD.encode(TINY_IMAGE),
            mime_type: "image/png",
            annotations,
        }
    }
}

impl Body {
    pub fn blob(bytes: &[u8]) -> Self {
        Self::Blob(STANDARD.encode(bytes))
    }
}

impl ToolResult {
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            content: vec![Content::text(text)],
            ..Self::default()
        }
    }

    pub fn content(content: Vec<Content>) -> Self {
        Self {
            content,
            ..Self::default()
        }
    }

    /// An error that the model can see and correct.
    pub fn error(text: impl Into<String>) -> Self {
        Self {
            is_error: true,
            ..Self::text(text)
        }
    }
}

impl Icon {
    /// A pictograph as a scalable picture in a `data:` URI.
    pub fn pictograph(character: &str) -> Self {
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><text x="12" y="18" font-size="18" text-anchor="middle">{character}</text></svg>"#
        );
        Self {
            src: format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg)),
            mime_type: "image/svg+xml",
            sizes: "any",
        }
    }

    pub fn tiny_image() -> Self {
        Self {
            src: format!("data:image/png;base64,{}", STANDARD.encode(TINY_IMAGE)),
            mime_type: "image/png",
            sizes: "20x20",
        }
    }
}
