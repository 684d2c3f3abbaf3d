#![allow(
    deprecated,
    reason = "sampling, roots and logging are deprecated in 2026-07-28 and part of the revisions before"
)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rmcp::{
    ClientHandler, ErrorData, RoleClient,
    model::{
        ClientConfig, CreateMessageRequestParams, CreateMessageResult, CustomNotification,
        ElicitRequestParams, ElicitResult, ElicitationAction, Implementation, ListRootsResult,
        LoggingMessageNotificationParam, ProgressNotificationParam, ProtocolVersion,
        ResourceUpdatedNotificationParam, Role, Root, SamplingMessage, SamplingMessageContentBlock,
    },
    service::{NotificationContext, RequestContext},
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};

use super::DEADLINE;

/// Answers what the server asks, and keeps all that it sends.
#[derive(Clone)]
pub struct Person {
    inbox: Arc<watch::Sender<Vec<Message>>>,
    answers: Arc<Mutex<Answers>>,
}

/// A request or a notification of the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub method: String,
    pub params: Value,
}

/// What the person has to say.
struct Answers {
    /// In turn; the last one again and again.
    elicitations: VecDeque<ElicitResult>,
    roots: Vec<Root>,
    sample: String,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            inbox: Arc::new(watch::Sender::new(Vec::new())),
            answers: Arc::new(Mutex::new(Answers {
                elicitations: VecDeque::new(),
                roots: Vec::new(),
                sample: String::new(),
            })),
        }
    }
}

impl Person {
    /// What the person says to the next elicitations.
    pub fn will_accept(&self, content: Option<Value>) {
        self.will_say([accepting(content)]);
    }

    /// One content for each of the next elicitations.
    pub fn will_accept_in_turn(&self, contents: impl IntoIterator<Item = Value>) {
        self.will_say(contents.into_iter().map(|content| accepting(Some(content))));
    }

    pub fn will_decline(&self) {
        self.will_say([ElicitResult::new(ElicitationAction::Decline)]);
    }

    pub fn will_cancel(&self) {
        self.will_say([ElicitResult::new(ElicitationAction::Cancel)]);
    }

    /// URIs and names.
    pub fn has_roots(&self, roots: &[(&str, Option<&str>)]) {
        self.answers().roots = roots
            .iter()
            .map(|(uri, name)| {
                let mut root = Root::new(*uri);
                root.name = name.map(str::to_owned);
                root
            })
            .collect();
    }

    /// What the person's model says.
    pub fn will_sample(&self, text: &str) {
        text.clone_into(&mut self.answers().sample);
    }

    /// All params of a method, since [`Self::forget`].
    pub fn received(&self, method: &str) -> Vec<Value> {
        params(&self.inbox.borrow(), method)
    }

    /// Waits until a method came this often, and answers with all its params.
    pub async fn until(&self, method: &str, times: usize) -> Vec<Value> {
        self.until_all(method, |params| params.len() >= times).await
    }

    /// Waits until the params of a method are as they should be.
    pub async fn until_all(&self, method: &str, right: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let mut inbox = self.inbox.subscribe();
        let waiting = inbox.wait_for(|inbox| right(&params(inbox, method)));
        match timeout(DEADLINE, waiting).await {
            Ok(Ok(inbox)) => params(&inbox, method),
            _ => panic!("{method} does not come as it should: {:?}", self.received(method)),
        }
    }

    pub fn forget(&self) {
        self.inbox.send_modify(Vec::clear);
    }

    fn will_say(&self, results: impl IntoIterator<Item = ElicitResult>) {
        self.answers().elicitations = results.into_iter().collect();
    }

    fn keep(&self, method: &str, params: &impl Serialize) {
        let message = Message {
            method: method.to_owned(),
            params: serde_json::to_value(params).unwrap_or_default(),
        };
        self.inbox.send_modify(|inbox| inbox.push(message));
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accepting(content: Option<Value>) -> ElicitResult {
    let mut result = ElicitResult::new(ElicitationAction::Accept);
    result.content = content;
    result
}

fn params(inbox: &[Message], method: &str) -> Vec<Value> {
    inbox
        .iter()
        .filter(|message| message.method == method)
        .map(|message| message.params.clone())
        .collect()
}

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        let capabilities = json!({
            "roots": { "listChanged": true },
            "sampling": {},
            "elicitation": { "form": {}, "url": {} },
            "extensions": { "io.modelcontextprotocol/tasks": {} },
        });
        let capabilities = serde_json::from_value(capabilities).unwrap_or_default();
        ClientConfig::new(capabilities, Implementation::new("rmcp tour", "1"))
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.keep("sampling/createMessage", &params);
        let said = SamplingMessageContentBlock::text(self.answers().sample.clone());
        Ok(CreateMessageResult::new(
            SamplingMessage::new(Role::Assistant, said),
            "a model".to_owned(),
        ))
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        self.keep("roots/list", &json!({}));
        Ok(ListRootsResult::new(self.answers().roots.clone()))
    }

    async fn create_elicitation(
        &self,
        params: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        self.keep("elicitation/create", &params);
        let answers = &mut self.answers().elicitations;
        let answer = match answers.len() {
            0 | 1 => answers.front().cloned(),
            _ => answers.pop_front(),
        };
        Ok(answer.unwrap_or_else(|| ElicitResult::new(ElicitationAction::Cancel)))
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.keep("notifications/progress", &params);
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.keep("notifications/message", &params);
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.keep("notifications/resources/updated", &params);
    }

    async fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.keep("notifications/resources/list_changed", &json!({}));
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.keep("notifications/tools/list_changed", &json!({}));
    }

    async fn on_prompt_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.keep("notifications/prompts/list_changed", &json!({}));
    }

    async fn on_custom_notification(
        &self,
        notification: CustomNotification,
        _: NotificationContext<RoleClient>,
    ) {
        self.keep(&notification.method, &notification.params);
    }
}
