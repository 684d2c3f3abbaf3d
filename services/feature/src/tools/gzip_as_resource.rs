mod sources;

use std::{io::Write, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Definition, Hints, Tool, definition::invalid_arguments};
use crate::{
    call::Call,
    content::{Body, Content, ResourceContents, ToolResult},
    error::Error,
    outcome::Outcome,
    resources::{Resources, session_resources::NewResource},
    store::Refusal,
};

pub struct GzipAsResource {
    resources: Arc<Resources>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Arguments {
    /// Name of the compressed file.
    #[schemars(title = "Name", length(min = 1, max = 128), extend("pattern" = "^[^/\\\\\\u0000-\\u001f\\u007f]+$"))]
    #[serde(default = "default_name")]
    name: String,
    /// Text, a data: URI, or a list of them, to be joined; at most 1 MiB. Other URLs are not fetched.
    #[schemars(title = "Data")]
    data: Data,
    /// `resourceLink` returns a link to a resource that can be read later, `resource` returns the resource itself.
    #[schemars(title = "Output type")]
    #[serde(default)]
    output_type: OutputType,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Data {
    One(String),
    Many(#[schemars(length(min = 1, max = 16))] Vec<String>),
}

#[derive(Clone, Copy, Default, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum OutputType {
    #[default]
    ResourceLink,
    Resource,
}

fn default_name() -> String {
    "README.md.gz".to_owned()
}

/// Bytes before compression.
const MAX_INPUT_BYTES: usize = 1024 * 1024;
const MIME_TYPE: &str = "application/gzip";

impl GzipAsResource {
    pub fn new(resources: Arc<Resources>) -> Self {
        Self { resources }
    }
}

#[async_trait]
impl Tool for GzipAsResource {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "gzipAsResource",
            title: "Gzip as Resource",
            description: "Compresses text or data: URIs with gzip and keeps the file as a resource of this session, \
                          for a while. Returns a link to the resource, or the resource itself.",
            pictograph: "🗜",
            hints: Hints::ADDS,
            output_schema: None,
            meta: None,
        }
    }

    async fn call(&self, arguments: Arguments, call: &Call) -> Result<Outcome<ToolResult>, Error> {
        let Arguments {
            name,
            data,
            output_type,
        } = arguments;
        let sources = match data {
            Data::One(source) => vec![source],
            Data::Many(sources) => sources,
        };
        let input = match sources::join(&sources, MAX_INPUT_BYTES) {
            Ok(input) => input,
            Err(problem) => return Ok(Outcome::Result(invalid_arguments("gzipAsResource", &[problem]))),
        };
        let Some(compressed) = gzip(name.clone(), input).await else {
            return Ok(Outcome::Result(ToolResult::error(
                "The data cannot be compressed.",
            )));
        };

        let new = NewResource {
            description: format!(
                "Gzip-compressed file {name:?}, readable in the current session for a while."
            ),
            name,
            mime_type: MIME_TYPE.to_owned(),
            bytes: compressed.clone(),
        };
        let stored = match self.resources.add(&call.caller, new).await? {
            Ok(stored) => stored,
            Err(refusal) => return Ok(Outcome::Result(ToolResult::error(explain(&refusal)))),
        };
        let uri = stored.uri();
        Ok(Outcome::Result(ToolResult::content(vec![match output_type {
            OutputType::Resource => Content::Resource {
                resource: ResourceContents {
                    uri,
                    mime_type: MIME_TYPE.to_owned(),
                    body: Body::blob(&compressed),
                    meta: None,
                },
            },
            OutputType::ResourceLink => Content::ResourceLink {
                uri,
                name: stored.meta.name,
                title: None,
                description: Some(stored.meta.description),
                mime_type: stored.meta.mime_type,
                size: Some(stored.meta.size),
            },
        }])))
    }
}

fn explain(refusal: &Refusal) -> String {
    match refusal {
        Refusal::TooMany { limit } => {
            format!(
                "There are already {limit} such resources, as many as can be kept. They go away by themselves."
            )
        }
        Refusal::TooLarge { limit_bytes } => format!(
            "Such resources may hold {limit_bytes} bytes in all, and this one does not fit in. They go away by \
             themselves."
        ),
    }
}

/// Off the runtime's threads: a megabyte takes tens of milliseconds. The same input gives the same bytes.
async fn gzip(name: String, input: Vec<u8>) -> Option<Bytes> {
    let work = move || {
        let file_name = name.strip_suffix(".gz").unwrap_or(&name);
        // RFC 1952 wants Latin-1 in this field; other names are left out.
        let builder = if file_name.is_ascii() {
            GzBuilder::new().filename(file_name)
        } else {
            GzBuilder::new()
        };
        let mut encoder = builder.mtime(0).write(Vec::new(), Compression::default());
        encoder.write_all(&input)?;
        encoder.finish()
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(compressed)) => Some(compressed.into()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "gzip failed");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "gzip was interrupted");
            None
        }
    }
}
