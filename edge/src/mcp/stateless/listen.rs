//! `subscriptions/listen`: changes, as they happen, of the kinds that the client asked for ("Subscriptions").

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use axum::response::Response;
use bytes::Bytes;
use everything_proto::{
    events::v1::{Change, ListChanged, change, list_changed::List},
    feature::v1::{Capabilities, call_event::Event},
};
use futures::stream::{self, StreamExt};
use serving::CancellationToken;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{Job, tasks, user_key};
use crate::{
    jsonrpc::{self, RequestId},
    mcp::{
        Mcp,
        calls::{Call, let_end},
        described::Described,
        event_body,
        link::News,
        operation::Operation,
        refusal::HttpRefusal,
        tasks::TaskNews,
    },
    revisions::{Filter, Stateless},
    sse::Frame,
};

/// How long an acknowledgement waits for the link over which changes come.
const LINK_TIMEOUT: Duration = Duration::from_secs(2);
/// Resources asked about at once.
const CONCURRENCY: usize = 16;

/// An open stream.
struct Listening {
    revision: &'static dyn Stateless,
    id: RequestId,
    /// Lasts as long as the stream.
    operation: Operation,
    filter: Filter,
    /// Changes that concern one user only say so by this key.
    user_key: String,
    news: Receiver<News>,
    task_news: Receiver<TaskNews>,
    /// The last state that was told, by task.
    told: HashMap<String, u64>,
    mcp: Mcp,
    user_id: Arc<str>,
    described: Arc<Described>,
    shutdown: CancellationToken,
    pending: VecDeque<Bytes>,
    ended: bool,
}

pub(super) async fn open(job: Job<'_>, wanted: Filter) -> Result<Response, HttpRefusal> {
    // An acknowledged client is told of every change; a link that stays away makes up for it by a gap when it is back.
    _ = tokio::time::timeout(LINK_TIMEOUT, job.state.mcp.link.until_up()).await;
    // Listening before anything is said: nothing falls in between.
    let news = job.state.mcp.link.news();
    let task_news = job.state.mcp.tasks.news();
    if !wanted.task_ids.is_empty() {
        tasks::require(&job.envelope.capabilities)?;
    }
    let described = job.state.mcp.described(job.revision).await?;
    let filter = honoured(
        &job,
        wanted,
        described.server.capabilities.clone().unwrap_or_default(),
    )
    .await;
    // However long the stream lasts, and whoever ends it, it is no failure.
    job.operation.succeeded(b"");
    let acknowledged = job.revision.acknowledged(&job.id, &filter);
    let keep_alive = job.state.config.sse_keep_alive;
    let listening = Listening {
        revision: job.revision,
        id: job.id,
        operation: job.operation,
        filter,
        user_key: user_key(job.principal),
        news,
        task_news,
        told: HashMap::new(),
        mcp: job.state.mcp.clone(),
        user_id: job.principal.user_id.clone(),
        described,
        shutdown: job.state.shutdown.clone(),
        pending: VecDeque::from([acknowledged]),
        ended: false,
    };
    let mut listening = listening;
    // What happened before the client listened it would never hear of.
    listening.tell_all().await;
    let frames = stream::unfold(listening, |mut listening| async move {
        let message = listening.next().await?;
        Some((Frame::message(None, &message).encode(), listening))
    });
    Ok(event_body::respond(
        frames.boxed(),
        keep_alive,
        CancellationToken::new(),
    ))
}

/// What of the wishes this server can fulfil.
async fn honoured(job: &Job<'_>, wanted: Filter, can: Capabilities) -> Filter {
    let resources = if can.resources_subscribe {
        wanted.resource_subscriptions
    } else {
        Vec::new()
    };
    let resource_subscriptions = stream::iter(resources)
        .map(|uri| async move { is_subscribable(job, &uri).await.then_some(uri) })
        .buffered(CONCURRENCY)
        .filter_map(|uri| async move { uri })
        .collect()
        .await;
    let task_ids = stream::iter(wanted.task_ids)
        .map(|task_id| async move {
            let owned = tasks::get(job, &task_id).await;
            owned.is_ok().then_some(task_id)
        })
        .buffered(CONCURRENCY)
        .filter_map(|task_id| async move { task_id })
        .collect()
        .await;
    Filter {
        task_ids,
        tools_list_changed: wanted.tools_list_changed && can.tools_list_changed,
        prompts_list_changed: wanted.prompts_list_changed && can.prompts_list_changed,
        resources_list_changed: wanted.resources_list_changed && can.resources_list_changed,
        resource_subscriptions,
    }
}

async fn is_subscribable(job: &Job<'_>, uri: &str) -> bool {
    let call = Call::Subscribe { uri: uri.to_owned() };
    let Ok(mut events) = call.start(&job.state.mcp, job.context()).await else {
        return false;
    };
    let terminal = tokio::time::timeout(job.state.mcp.settings.call_idle_timeout, events.message()).await;
    let_end(events);
    let event = terminal
        .ok()
        .and_then(Result::ok)
        .flatten()
        .and_then(|event| event.event);
    matches!(event, Some(Event::Result(_)))
}

impl Listening {
    /// The next message; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.pending.pop_front() {
                return Some(message);
            }
            if self.ended {
                return None;
            }
            let news = tokio::select! {
                news = self.news.recv() => news,
                news = self.task_news.recv() => {
                    match news {
                        Ok(TaskNews::Changed(task_id)) => self.tell(&task_id).await,
                        Ok(TaskNews::Gap) | Err(RecvError::Lagged(_)) => self.tell_all().await,
                        Err(RecvError::Closed) => self.ended = true,
                    }
                    continue;
                }
                () = self.shutdown.cancelled() => {
                    self.ended = true;
                    let result = self.revision.subscription_ended(&self.id, &self.described.info);
                    return Some(jsonrpc::result(&self.id, &result));
                }
            };
            match news {
                Ok(News::Change(change)) => self.hear(&change),
                // What was missed is not known; so everything may have changed.
                Ok(News::Gap) | Err(RecvError::Lagged(_)) => self.assume_everything_changed(),
                Err(RecvError::Closed) => self.ended = true,
            }
        }
    }

    fn hear(&mut self, change: &Change) {
        if !change.session_key.is_empty() && change.session_key != self.user_key {
            return;
        }
        match &change.change {
            Some(change::Change::ResourcesUpdated(updated)) => {
                let uris = &self.filter.resource_subscriptions;
                let concerned: Vec<String> = uris
                    .iter()
                    .filter(|uri| {
                        updated.uris.contains(uri)
                            || updated
                                .uri_prefixes
                                .iter()
                                .any(|prefix| uri.starts_with(prefix.as_str()))
                    })
                    .cloned()
                    .collect();
                for uri in concerned {
                    let notification = self.revision.resource_updated(&uri);
                    self.push_caused(change, Some(&uri), notification);
                }
            }
            Some(change::Change::ListChanged(changed)) if self.wants(changed.list()) => {
                if let Some(notification) = self.revision.change(change) {
                    self.push_caused(change, None, notification);
                }
            }
            // Nobody can ask for logs here.
            Some(change::Change::ListChanged(_) | change::Change::Log(_) | change::Change::Stderr(_))
            | None => {}
        }
    }

    async fn tell_all(&mut self) {
        for task_id in self.filter.task_ids.clone() {
            self.tell(&task_id).await;
        }
    }

    /// Says what the task is now, if the client was not told.
    async fn tell(&mut self, task_id: &str) {
        if !self.filter.task_ids.iter().any(|wanted| wanted == task_id) {
            return;
        }
        // One that cannot be read now is told of with its next change, and the client may ask at any time.
        let version = self.revision.version();
        let Ok(task) = self.mcp.tasks.get(task_id, &self.user_id, version).await else {
            return;
        };
        if self.told.insert(task_id.to_owned(), task.change) == Some(task.change) {
            return;
        }
        if let Ok(notification) = self.revision.task_changed(&task, &self.described.info) {
            self.push(&notification);
        }
    }

    fn assume_everything_changed(&mut self) {
        for list in [List::Tools, List::Prompts, List::Resources] {
            let changed = change::Change::ListChanged(ListChanged { list: list.into() });
            self.hear(&Change {
                change: Some(changed),
                ..Change::default()
            });
        }
        for uri in self.filter.resource_subscriptions.clone() {
            self.push(&self.revision.resource_updated(&uri));
        }
    }

    fn wants(&self, list: List) -> bool {
        match list {
            List::Tools => self.filter.tools_list_changed,
            List::Prompts => self.filter.prompts_list_changed,
            List::Resources => self.filter.resources_list_changed,
            List::Unspecified => false,
        }
    }

    /// A notification that belongs to the trace of what changed.
    fn push_caused(&mut self, change: &Change, uri: Option<&str>, notification: Bytes) {
        let operation = Operation::of_change(change, &change.trace.clone().into(), &self.operation.span())
            .in_revision(self.revision.version());
        let operation = match uri {
            Some(uri) => operation.on_resource(uri),
            None => operation,
        };
        operation.succeeded(b"");
        self.push(&operation.carried_by(notification));
    }

    fn push(&mut self, notification: &[u8]) {
        self.pending
            .push_back(self.revision.on_subscription(notification, &self.id));
    }
}
