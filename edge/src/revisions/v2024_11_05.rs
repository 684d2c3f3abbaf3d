use super::session_wire::{Content, Elicitation, Has, SessionRevision};

/// The first revision, at home on HTTP+SSE. <https://modelcontextprotocol.io/specification/2024-11-05>
pub(super) static REVISION: SessionRevision = SessionRevision {
    version: "2024-11-05",
    batches: false,
    version_header: false,
    priming: false,
    has: Has {
        titles: false,
        icons: false,
        item_meta: false,
        tool_annotations: false,
        structured_output: false,
        structured_values: false,
        completions: false,
        completion_context: false,
        progress_message: false,
        annotations: &["audience", "priority"],
        content: &[Content::Text, Content::Image, Content::Resource],
        elicitation: Elicitation::Absent,
        sampling_tools: false,
        core_tasks: false,
    },
};
