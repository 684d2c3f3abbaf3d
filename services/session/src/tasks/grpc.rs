//! The gRPC face: translate, call, translate.

use std::{pin::Pin, sync::Arc};

use everything_proto::session::v1::{
    CancelTaskRequest, CancelTaskResponse, ClaimTasksRequest, ClaimTasksResponse, CreateTaskRequest,
    CreateTaskResponse, GetTaskRequest, GetTaskResponse, ListTasksRequest, ListTasksResponse,
    RenewTasksRequest, RenewTasksResponse, ReportTaskRequest, ReportTaskResponse, TaskGap, UpdateTaskRequest,
    UpdateTaskResponse, WatchTasksRequest, WatchTasksResponse, task_service_server::TaskService,
    watch_tasks_response::Event,
};
use futures::{Stream, StreamExt, stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{Operations, TaskId, news::Heard, record::Origin};
use crate::{Error, UserId, connect::check_edge_id};

pub(crate) struct TaskGrpc {
    pub(crate) operations: Arc<Operations>,
    /// Ends streams, which would hold up a shutdown.
    pub(crate) shutdown: CancellationToken,
}

#[tonic::async_trait]
impl TaskService for TaskGrpc {
    type WatchTasksStream = Pin<Box<dyn Stream<Item = Result<WatchTasksResponse, Status>> + Send>>;

    async fn create_task(
        &self,
        request: Request<CreateTaskRequest>,
    ) -> Result<Response<CreateTaskResponse>, Status> {
        let CreateTaskRequest {
            runner_id,
            call,
            protocol_version,
            ttl_ms,
            session,
            trace,
        } = request.into_inner();
        let call = call.ok_or_else(|| Error::Invalid("call: is missing".to_owned()))?;
        let runner_id = runner(runner_id)?;
        let origin = Origin {
            protocol_version,
            session,
            ttl_ms,
            trace,
        };
        let (task, run) = self.operations.create(call, origin, &runner_id).await?;
        Ok(Response::new(CreateTaskResponse {
            task: Some(task),
            run,
        }))
    }

    async fn get_task(&self, request: Request<GetTaskRequest>) -> Result<Response<GetTaskResponse>, Status> {
        let GetTaskRequest { task_id, user_id } = request.into_inner();
        let (id, user) = names(&task_id, &user_id)?;
        let task = self.operations.get(&id, &user).await?;
        Ok(Response::new(GetTaskResponse { task: Some(task) }))
    }

    async fn list_tasks(
        &self,
        request: Request<ListTasksRequest>,
    ) -> Result<Response<ListTasksResponse>, Status> {
        let ListTasksRequest {
            user_id,
            protocol_version,
            cursor,
        } = request.into_inner();
        let user = UserId::parse(&user_id)?;
        let (tasks, next_cursor) = self
            .operations
            .list(&user, &protocol_version, cursor.as_deref())
            .await?;
        Ok(Response::new(ListTasksResponse { tasks, next_cursor }))
    }

    async fn update_task(
        &self,
        request: Request<UpdateTaskRequest>,
    ) -> Result<Response<UpdateTaskResponse>, Status> {
        let UpdateTaskRequest {
            task_id,
            user_id,
            answers_json,
            runner_id,
            refusal,
        } = request.into_inner();
        let (id, user) = names(&task_id, &user_id)?;
        let runner_id = runner(runner_id)?;
        let (task, run) = match refusal {
            Some(refusal) => (self.operations.refuse(&id, &user, refusal).await?, None),
            None => {
                let answers = answers_json.into_iter().collect();
                self.operations.update(&id, &user, answers, &runner_id).await?
            }
        };
        let task = Some(task);
        Ok(Response::new(UpdateTaskResponse { run, task }))
    }

    async fn cancel_task(
        &self,
        request: Request<CancelTaskRequest>,
    ) -> Result<Response<CancelTaskResponse>, Status> {
        let CancelTaskRequest { task_id, user_id } = request.into_inner();
        let (id, user) = names(&task_id, &user_id)?;
        let task = Some(self.operations.cancel(&id, &user).await?);
        Ok(Response::new(CancelTaskResponse { task }))
    }

    async fn claim_tasks(
        &self,
        request: Request<ClaimTasksRequest>,
    ) -> Result<Response<ClaimTasksResponse>, Status> {
        let ClaimTasksRequest { runner_id, most } = request.into_inner();
        let runner = check_edge_id(runner_id)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let runs = self.operations.claim(&runner, most).await?;
        Ok(Response::new(ClaimTasksResponse { runs }))
    }

    async fn renew_tasks(
        &self,
        request: Request<RenewTasksRequest>,
    ) -> Result<Response<RenewTasksResponse>, Status> {
        let lost = self.operations.renew(&request.into_inner().runs).await?;
        Ok(Response::new(RenewTasksResponse { lost }))
    }

    async fn report_task(
        &self,
        request: Request<ReportTaskRequest>,
    ) -> Result<Response<ReportTaskResponse>, Status> {
        let ReportTaskRequest {
            task_id,
            run,
            outcome,
        } = request.into_inner();
        let id = TaskId::parse(&task_id)?;
        let outcome = outcome.ok_or_else(|| Error::Invalid("outcome: is missing".to_owned()))?;
        let task = self.operations.report(&id, run, outcome).await?;
        let accepted = task.is_some();
        Ok(Response::new(ReportTaskResponse { accepted, task }))
    }

    async fn watch_tasks(
        &self,
        _: Request<WatchTasksRequest>,
    ) -> Result<Response<Self::WatchTasksStream>, Status> {
        let heard = self.operations.dependencies.news.watch();
        let stopped = self.shutdown.clone().cancelled_owned();
        let events = stream::iter([Event::Gap(TaskGap {})])
            .chain(stream::unfold(heard, next))
            .take_until(stopped)
            .map(|event| Ok(WatchTasksResponse { event: Some(event) }));
        Ok(Response::new(events.boxed()))
    }
}

async fn next(mut heard: Receiver<Heard>) -> Option<(Event, Receiver<Heard>)> {
    let event = match heard.recv().await {
        Ok(Heard::Changed(changed)) => Event::Changed(changed),
        Ok(Heard::Gap) | Err(RecvError::Lagged(_)) => Event::Gap(TaskGap {}),
        Err(RecvError::Closed) => return None,
    };
    Some((event, heard))
}

/// Who may be nobody.
fn runner(id: String) -> Result<String, Error> {
    if id.is_empty() { Ok(id) } else { check_edge_id(id) }
}

fn names(task_id: &str, user_id: &str) -> Result<(TaskId, UserId), Error> {
    Ok((TaskId::parse(task_id)?, UserId::parse(user_id)?))
}
