use super::session_wire::{Content, Elicitation, Has, SessionRevision};

/// Streamable HTTP, batches, tool annotations, audio. <https://modelcontextprotocol.io/specification/2025-03-26>
pub(super) static REVISION: SessionRevision = SessionRevision {
    version: "2025-03-26",
    batches: true,
    version_header: false,
    priming: false,
    has: Has {
        titles: false,
        icons: false,
        item_meta: false,
        tool_annotations: true,
        structured_output: false,
        structured_values: false,
        completions: true,
        completion_context: false,
        progress_message: true,
        annotations: &["audience", "priority"],
        content: &[Content::Text, Content::Image, Content::Audio, Content::Resource],
        elicitation: Elicitation::Absent,
        sampling_tools: false,
        core_tasks: false,
    },
};
