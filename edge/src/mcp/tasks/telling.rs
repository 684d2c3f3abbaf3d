//! Word of a task for the session that it was made in, on the session's own stream. Nobody may rely on it: a session may be
//! over before its tasks are.

use bytes::Bytes;
use everything_proto::{
    feature::v1::Progress,
    session::v1::{AppendRequest, Entry, Task, TaskSession, entry},
};
use serde_json::value::RawValue;

use crate::{
    mcp::{Mcp, exchange::STANDALONE},
    revisions::{self, CoreTasks},
};

pub(super) struct Telling<'a> {
    mcp: &'a Mcp,
    core: &'static dyn CoreTasks,
    session: &'a TaskSession,
    user_id: &'a str,
}

impl<'a> Telling<'a> {
    /// Nothing where there is no session, or its revision has no word for it.
    pub(super) fn of(
        mcp: &'a Mcp,
        version: &str,
        session: Option<&'a TaskSession>,
        user_id: &'a str,
    ) -> Option<Self> {
        Some(Self {
            mcp,
            core: revisions::by_version(version)?.core_tasks()?,
            session: session?,
            user_id,
        })
    }

    pub(super) async fn status(&self, task: &Task) {
        self.send(self.core.task_status(task)).await;
    }

    pub(super) async fn progress(&self, task_id: &str, progress: &Progress) {
        let token: Option<&RawValue> = serde_json::from_slice(&self.session.progress_token_json).ok();
        if let Some(token) = token {
            let progress = self.core.progress(token, progress);
            self.send(self.core.about_task(&progress, task_id)).await;
        }
    }

    async fn send(&self, message: Bytes) {
        let request = AppendRequest {
            session_id: self.session.session_id.clone(),
            user_id: self.user_id.to_owned(),
            stream: STANDALONE.to_owned(),
            entries: vec![Entry {
                entry: Some(entry::Entry::MessageJson(message)),
                ..Entry::default()
            }],
            ..AppendRequest::default()
        };
        if let Err(status) = self.mcp.clients.session.clone().append(request).await {
            tracing::debug!(code = ?status.code(), "a session was not told of its task");
        }
    }
}
