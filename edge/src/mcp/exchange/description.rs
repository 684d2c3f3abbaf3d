//! What the session service is told of a call, in case its edge dies.

use everything_proto::session::v1::{OpenCall, OpenRequest};
use serde_json::value::RawValue;

use crate::{
    Principal,
    jsonrpc::RequestId,
    mcp::{Mcp, requests::Asker, sessions::ActiveSession},
    revisions::{ClientRequest, WithSessions},
};

/// A request that an exchange answers.
pub struct Described {
    pub id: RequestId,
    pub method: String,
    pub params: Option<Box<RawValue>>,
    pub repeats: Repeats,
}

/// Whether a request may be run twice.
pub enum Repeats {
    Harmlessly,
    /// As its annotations say.
    AsTool(String),
    Never,
}

/// Everything that is to be said of a call.
pub struct Description {
    pub mcp: Mcp,
    pub principal: Principal,
    pub revision: &'static dyn WithSessions,
    pub requests: Vec<Described>,
}

impl Repeats {
    pub fn of(request: &ClientRequest) -> Self {
        match request {
            // The task would be created twice.
            ClientRequest::CallTool { task: Some(_), .. } => Self::Never,
            ClientRequest::CallTool { name, task: None, .. } => Self::AsTool(name.clone()),
            ClientRequest::Initialize(_)
            | ClientRequest::Ping
            | ClientRequest::ListTools { .. }
            | ClientRequest::ListResources { .. }
            | ClientRequest::ListResourceTemplates { .. }
            | ClientRequest::ListPrompts { .. }
            | ClientRequest::ReadResource { .. }
            | ClientRequest::GetPrompt { .. }
            | ClientRequest::Complete(_)
            | ClientRequest::Subscribe { .. }
            | ClientRequest::Unsubscribe { .. }
            | ClientRequest::SetLogLevel { .. }
            | ClientRequest::Discover
            | ClientRequest::GetTask { .. }
            | ClientRequest::ListTasks { .. }
            | ClientRequest::TaskResult { .. } => Self::Harmlessly,
            ClientRequest::Listen(_)
            | ClientRequest::UpdateTask { .. }
            | ClientRequest::CancelTask { .. } => Self::Never,
        }
    }
}

impl Description {
    /// What is open besides `answered`.
    pub async fn open_call(&self, session: &ActiveSession, answered: &[RequestId]) -> OpenCall {
        let open: Vec<_> = self
            .requests
            .iter()
            .filter(|request| !answered.contains(&request.id))
            .collect();
        let mut repeatable = true;
        for request in &open {
            repeatable &= self.is_repeatable(session, request).await;
        }
        let requests = open.iter().map(|request| OpenRequest {
            request_id_json: request.id.to_json().into(),
            method: request.method.clone(),
            params_json: request
                .params
                .as_ref()
                .filter(|_| repeatable)
                .map(|params| params.get().to_owned().into())
                .unwrap_or_default(),
        });
        OpenCall {
            edge_id: self.mcp.link.edge_id().to_owned(),
            requests: requests.collect(),
            repeatable,
            client_id: self.principal.client_id.to_string(),
            scopes: self.principal.scopes.to_vec(),
        }
    }

    async fn is_repeatable(&self, session: &ActiveSession, request: &Described) -> bool {
        match &request.repeats {
            Repeats::Harmlessly => true,
            Repeats::Never => false,
            Repeats::AsTool(name) => {
                let asker = Asker {
                    session,
                    principal: &self.principal,
                    revision: self.revision,
                };
                let facts = self.mcp.known_tools.of(&self.mcp, asker.context(), name).await;
                // Of what is not known the worst is assumed.
                facts.is_ok_and(|facts| facts.repeatable)
            }
        }
    }
}
