//! The experimental tasks of 2025-11-25, in sessions ("Tasks"): a call asks to become one, and `tasks/result` waits for
//! what becomes of it and puts its questions to the client. A task is its user's, whichever session asks about it.

use std::time::Duration;

use bytes::Bytes;
use everything_proto::{
    feature::v1::{InputRequired, tool::TaskSupport},
    session::v1::{Task, TaskSession, TaskStatus},
};
use serde_json::value::RawValue;
use serving::CancellationToken;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};
use tonic::{Code, Status};

use super::{
    Mcp,
    exchange::{Exchange, NotSent},
    input_bridge::{InputBridge, Unanswered},
    requests::{Asker, Failure},
    tasks::{self, NewTask, TaskNews, Tasks},
};
use crate::{
    jsonrpc::{METHOD_NOT_FOUND, RpcError},
    revisions::{ClientRequest, CoreTasks, RequestMeta, TaskWish},
};

/// Between two looks at a task of which nothing is heard, as word of changes may get lost.
const LOOK: Duration = Duration::from_secs(2);

/// Whether a call is to become a task ("Tool-Level Negotiation").
pub async fn is_wanted(
    mcp: &Mcp,
    asker: Asker<'_>,
    tool: &str,
    wish: Option<TaskWish>,
) -> Result<Option<TaskWish>, Failure> {
    // Who does not declare tasks takes no notice of wishes for them ("Task Support and Handling").
    if asker.revision.core_tasks().is_none() || !are_served(mcp).await? {
        return Ok(None);
    }
    let facts = mcp.known_tools.of(mcp, asker.context(), tool).await;
    match (facts.map_err(Failure::Fault)?.task_support, wish) {
        (TaskSupport::Required, None) => {
            Err(no_method("this tool runs as a task only; add `task` to `params`"))
        }
        (TaskSupport::Unspecified | TaskSupport::Forbidden, Some(_)) => {
            Err(no_method("this tool does not run as a task"))
        }
        (_, wish) => Ok(wish),
    }
}

/// Keeps a call as a task, and answers with the task.
pub async fn create(
    mcp: &Mcp,
    asker: Asker<'_>,
    meta: &RequestMeta,
    call: (String, Option<Box<RawValue>>),
    wish: TaskWish,
) -> Result<Bytes, Failure> {
    let core = core(asker, "tools/call")?;
    let (name, arguments) = call;
    let token = meta.progress_token.as_ref();
    let new = NewTask {
        name,
        arguments,
        context: asker.context(),
        protocol_version: core.version(),
        ttl_ms: wish.ttl_ms,
        session: Some(TaskSession {
            session_id: asker.session.session_id.to_string(),
            progress_token_json: token.map_or_else(Bytes::new, |token| token.get().to_owned().into()),
        }),
    };
    let task = tasks::create(mcp, new).await;
    Ok(core.task_created(&task.map_err(|status| tasks::failure(&status))?))
}

/// Answers `tasks/get`, `tasks/list` and `tasks/cancel`.
pub async fn answer(
    mcp: &Mcp,
    asker: Asker<'_>,
    method: &str,
    request: ClientRequest,
) -> Result<Bytes, Failure> {
    let core = served(mcp, asker, method).await?;
    match request {
        ClientRequest::GetTask { task_id } => Ok(core.task(&get(mcp, asker, &task_id).await?)),
        ClientRequest::CancelTask { task_id } => cancel(mcp, asker, core, &task_id).await,
        // Who cannot tell users apart does not declare that it lists their tasks.
        ClientRequest::ListTasks { cursor } if mcp.settings.knows_users => {
            let page = mcp
                .tasks
                .list(&asker.principal.user_id, core.version(), cursor)
                .await;
            let page = page.map_err(|status| not_listed(&status))?;
            Ok(core.tasks(&page.tasks, page.next_cursor.as_deref()))
        }
        _ => Err(Failure::Rpc(RpcError::method_not_found(method))),
    }
}

async fn cancel(mcp: &Mcp, asker: Asker<'_>, core: &dyn CoreTasks, task_id: &str) -> Result<Bytes, Failure> {
    let before = get(mcp, asker, task_id).await?;
    if is_over(&before) {
        return Err(not_cancellable(core, &before));
    }
    let user_id = &asker.principal.user_id;
    let task = mcp.tasks.cancel(task_id, user_id).await;
    let task = task.map_err(|status| tasks::failure(&status))?;
    // It ended by itself meanwhile.
    if task.status() != TaskStatus::Cancelled {
        return Err(not_cancellable(core, &task));
    }
    Tasks::tell(mcp, user_id, &task).await;
    Ok(core.task(&task))
}

/// Waits until a task has ended, asks the client what it asks on the way, and answers as the call is answered.
pub async fn result(
    mcp: &Mcp,
    asker: Asker<'_>,
    task_id: &str,
    exchange: &Exchange,
) -> Result<Bytes, Failure> {
    let core = served(mcp, asker, "tasks/result").await?;
    let waiting = Waiting {
        mcp,
        asker,
        core,
        exchange,
        task_id,
    };
    waiting.to_end().await
}

/// A `tasks/result` that is being answered.
struct Waiting<'a> {
    mcp: &'a Mcp,
    asker: Asker<'a>,
    core: &'static dyn CoreTasks,
    exchange: &'a Exchange,
    task_id: &'a str,
}

impl Waiting<'_> {
    async fn to_end(&self) -> Result<Bytes, Failure> {
        // Listening before looking: nothing falls in between.
        let mut news = self.mcp.tasks.news();
        loop {
            let task = self.task().await?;
            match task.status() {
                TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled => {
                    let result = self.core.task_result(&task);
                    // A refusal in it is in the client's words.
                    return result.map_err(|error| Failure::Rpc(error.recorded_as("the task failed")));
                }
                TaskStatus::Working | TaskStatus::Unspecified => {
                    // A wait of any length is a stream, which is kept alive and can be resumed.
                    match self.exchange.open().await {
                        Err(NotSent::SessionEnded) => return Err(Failure::SessionEnded),
                        Err(NotSent::StreamOver) => return Err(Failure::TakenOver),
                        Ok(()) | Err(NotSent::Unavailable | NotSent::Refused) => {}
                    }
                    heard(&mut news, self.task_id).await;
                }
                TaskStatus::InputRequired => self.ask(&task, &mut news).await?,
            }
        }
    }

    /// Puts what the task asks to the client, until it is answered, here or elsewhere.
    async fn ask(&self, task: &Task, news: &mut Receiver<TaskNews>) -> Result<(), Failure> {
        let moot = CancellationToken::new();
        let bridge = InputBridge {
            link: &self.mcp.link,
            session: self.asker.session,
            revision: self.asker.revision,
            exchange: self.exchange,
            timeout: self.mcp.settings.input_timeout,
            task: Some((self.core, self.task_id)),
            moot: &moot,
        };
        let required = InputRequired {
            requests: task.input_requests.clone(),
            state: Bytes::new(),
        };
        let answers = {
            let asking = bridge.ask(&required);
            tokio::pin!(asking);
            loop {
                tokio::select! {
                    answers = &mut asking => break answers,
                    outdated = self.is_outdated(task, news), if !moot.is_cancelled() => {
                        if outdated {
                            moot.cancel();
                        }
                    }
                }
            }
        };
        let user_id = &self.asker.principal.user_id;
        let changed = match answers {
            Ok(answers) => tasks::answer(self.mcp, self.task_id, user_id, answers).await,
            Err(Unanswered::Refused(error)) => tasks::refuse(self.mcp, self.task_id, user_id, error).await,
            Err(Unanswered::Moot) => return Ok(()),
            Err(error @ (Unanswered::Error(_) | Unanswered::SessionEnded | Unanswered::TakenOver)) => {
                return Err(error.into());
            }
        };
        let task = changed.map_err(|status| tasks::failure(&status))?;
        Tasks::tell(self.mcp, user_id, &task).await;
        Ok(())
    }

    /// Whether the next that is heard of the task is that it asks something else, or nothing any more.
    async fn is_outdated(&self, asked: &Task, news: &mut Receiver<TaskNews>) -> bool {
        heard(news, self.task_id).await;
        match self.task().await {
            Ok(now) => now.input_requests != asked.input_requests,
            // Whoever looks next is told.
            Err(_) => false,
        }
    }

    async fn task(&self) -> Result<Task, Failure> {
        get(self.mcp, self.asker, self.task_id).await
    }
}

/// Returns when the task may have changed.
async fn heard(news: &mut Receiver<TaskNews>, task_id: &str) {
    let until = Instant::now() + LOOK;
    loop {
        match tokio::time::timeout_at(until, news.recv()).await {
            Ok(Ok(TaskNews::Changed(changed))) if *changed != *task_id => {}
            Ok(Ok(TaskNews::Changed(_) | TaskNews::Gap) | Err(RecvError::Lagged(_))) | Err(_) => return,
            // The edge ends; its calls do, too.
            Ok(Err(RecvError::Closed)) => return tokio::time::sleep_until(until).await,
        }
    }
}

async fn get(mcp: &Mcp, asker: Asker<'_>, task_id: &str) -> Result<Task, Failure> {
    let version = asker.revision.version();
    let got = mcp.tasks.get(task_id, &asker.principal.user_id, version).await;
    got.map_err(|status| tasks::failure(&status))
}

fn core(asker: Asker<'_>, method: &str) -> Result<&'static dyn CoreTasks, Failure> {
    let core = asker.revision.core_tasks();
    core.ok_or_else(|| Failure::Rpc(RpcError::method_not_found(method)))
}

async fn served(mcp: &Mcp, asker: Asker<'_>, method: &str) -> Result<&'static dyn CoreTasks, Failure> {
    let core = core(asker, method)?;
    if are_served(mcp).await? {
        Ok(core)
    } else {
        Err(Failure::Rpc(RpcError::method_not_found(method)))
    }
}

async fn are_served(mcp: &Mcp) -> Result<bool, Failure> {
    let described = mcp.described(crate::revisions::newest_stateless()).await;
    Ok(described.map_err(Failure::Fault)?.serves_tasks())
}

fn is_over(task: &Task) -> bool {
    match task.status() {
        TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled => true,
        TaskStatus::Working | TaskStatus::InputRequired | TaskStatus::Unspecified => false,
    }
}

fn not_cancellable(core: &dyn CoreTasks, task: &Task) -> Failure {
    let status = core.status_word(task);
    let sentence = format!("cannot cancel task: already in terminal status '{status}'");
    Failure::Rpc(RpcError::invalid_params(sentence))
}

fn not_listed(status: &Status) -> Failure {
    match status.code() {
        Code::InvalidArgument => Failure::Rpc(RpcError::invalid_params(
            "`cursor` is not one of this list any more; list again without it",
        )),
        _ => tasks::failure(status),
    }
}

fn no_method(sentence: &str) -> Failure {
    Failure::Rpc(RpcError::new(METHOD_NOT_FOUND, sentence))
}
