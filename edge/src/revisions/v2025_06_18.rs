use super::session_wire::{Content, Elicitation, Has, SessionRevision};

/// Titles, structured output, resource links, elicitation, the version header; no batches any more.
/// <https://modelcontextprotocol.io/specification/2025-06-18>
pub(super) static REVISION: SessionRevision = SessionRevision {
    version: "2025-06-18",
    batches: false,
    version_header: true,
    priming: false,
    has: Has {
        titles: true,
        icons: false,
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
        elicitation: Elicitation::PlainForms,
        sampling_tools: false,
        core_tasks: false,
    },
};
