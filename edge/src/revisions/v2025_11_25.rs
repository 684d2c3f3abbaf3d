use super::session_wire::{Content, Elicitation, Has, SessionRevision};

/// Icons, URL elicitation, sampling with tools, primed streams, experimental tasks.
/// <https://modelcontextprotocol.io/specification/2025-11-25>
pub(super) static REVISION: SessionRevision = SessionRevision {
    version: "2025-11-25",
    batches: false,
    version_header: true,
    priming: true,
    has: HAS,
};

/// What the schema has.
pub(super) const HAS: Has = Has {
    titles: true,
    icons: true,
    item_meta: true,
    tool_annotations: true,
    structured_output: true,
    structured_values: false,
    completions: true,
    completion_context: true,
    progress_message: true,
    annotations: &["audience", "priority", "lastModified"],
    content: &[
        Content::Text,
        Content::Image,
        Content::Audio,
        Content::Resource,
        Content::ResourceLink,
    ],
    elicitation: Elicitation::FormsAndUrls,
    sampling_tools: true,
    core_tasks: true,
};
