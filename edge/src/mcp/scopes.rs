//! Which scope a request needs.

use crate::{AuthMode, Principal, Settings, revisions::ClientRequest};

/// The scope that the principal lacks for this request, if any.
pub fn missing(settings: &Settings, principal: &Principal, request: &ClientRequest) -> Option<&'static str> {
    let needed = needed(request)?;
    // Without tokens there are no scopes either: everybody may do everything.
    let granted = settings.auth == AuthMode::Disabled || principal.scopes.iter().any(|scope| scope == needed);
    (!granted).then_some(needed)
}

fn needed(request: &ClientRequest) -> Option<&'static str> {
    use crate::revisions::Reference;
    match request {
        ClientRequest::Initialize(_) | ClientRequest::Ping | ClientRequest::SetLogLevel { .. } => None,
        ClientRequest::ListTools { .. } | ClientRequest::CallTool { .. } => Some("mcp:tools"),
        ClientRequest::ListResources { .. }
        | ClientRequest::ListResourceTemplates { .. }
        | ClientRequest::ReadResource { .. }
        | ClientRequest::Subscribe { .. }
        | ClientRequest::Unsubscribe { .. } => Some("mcp:resources"),
        ClientRequest::ListPrompts { .. } | ClientRequest::GetPrompt { .. } => Some("mcp:prompts"),
        ClientRequest::Complete(complete) => Some(match complete.reference {
            Reference::Prompt(_) => "mcp:prompts",
            Reference::ResourceTemplate(_) => "mcp:resources",
        }),
    }
}
