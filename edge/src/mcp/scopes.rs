//! Which scope a request needs.

use crate::{
    AuthMode, Principal, Settings,
    revisions::{ClientRequest, Reference},
};

const TOOLS: &str = "mcp:tools";
const RESOURCES: &str = "mcp:resources";
const PROMPTS: &str = "mcp:prompts";

/// The scope that the principal lacks for this request, if any.
pub fn missing(settings: &Settings, principal: &Principal, request: &ClientRequest) -> Option<&'static str> {
    // Without tokens there are no scopes either: everybody may do everything.
    if settings.auth == AuthMode::Disabled {
        return None;
    }
    let lacks = |scope: &&'static str| !principal.scopes.iter().any(|granted| granted == scope);
    needed(request).into_iter().find(lacks)
}

fn needed(request: &ClientRequest) -> Vec<&'static str> {
    match request {
        ClientRequest::Initialize(_)
        | ClientRequest::Ping
        | ClientRequest::SetLogLevel { .. }
        | ClientRequest::Discover => Vec::new(),
        ClientRequest::ListTools { .. }
        | ClientRequest::CallTool { .. }
        | ClientRequest::GetTask { .. }
        | ClientRequest::UpdateTask { .. }
        | ClientRequest::ListTasks { .. }
        | ClientRequest::TaskResult { .. }
        | ClientRequest::CancelTask { .. } => vec![TOOLS],
        ClientRequest::ListResources { .. }
        | ClientRequest::ListResourceTemplates { .. }
        | ClientRequest::ReadResource { .. }
        | ClientRequest::Subscribe { .. }
        | ClientRequest::Unsubscribe { .. } => vec![RESOURCES],
        ClientRequest::ListPrompts { .. } | ClientRequest::GetPrompt { .. } => vec![PROMPTS],
        ClientRequest::Complete(complete) => vec![match complete.reference {
            Reference::Prompt(_) => PROMPTS,
            Reference::ResourceTemplate(_) => RESOURCES,
        }],
        ClientRequest::Listen(filter) => {
            let wants_resources = filter.resources_list_changed || !filter.resource_subscriptions.is_empty();
            [
                (filter.tools_list_changed || !filter.task_ids.is_empty(), TOOLS),
                (filter.prompts_list_changed, PROMPTS),
                (wants_resources, RESOURCES),
            ]
            .into_iter()
            .filter_map(|(wanted, scope)| wanted.then_some(scope))
            .collect()
        }
    }
}
