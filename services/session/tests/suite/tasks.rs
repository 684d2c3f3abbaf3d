//! Tasks, as edges see them; the same on memory and on Redis, where two replicas share them.

use std::time::Duration;

use everything_proto::{
    feature::v1::{
        CallContext, CallToolRequest, Error, InputRequest, InputRequired, ListRoots, Principal,
        input_request::Request,
    },
    session::v1::{
        CancelTaskRequest, ClaimTasksRequest, CreateTaskRequest, CreateTaskResponse, GetTaskRequest,
        ListTasksRequest, ReleasedTask, RenewTasksRequest, ReportTaskRequest, Task, TaskRun, TaskStatus,
        UpdateTaskRequest, WatchTasksRequest, renew_tasks_request::Run, report_task_request::Outcome,
        task_service_client::TaskServiceClient, watch_tasks_response::Event,
    },
};
use everything_session::Config;
use serving::GrpcChannel;
use tokio::time::{Instant, sleep, timeout};
use tonic::Code;

use crate::harness::{ALICE, MALLORY, PATIENCE, Stack, quick};

type Client = TaskServiceClient<GrpcChannel>;

macro_rules! scenarios {
    ($($name:ident: $config:expr),* $(,)?) => {
        mod memory {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                super::$name(Stack::memory_with($config).await).await;
            })*
        }
        mod redis {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                super::$name(Stack::redis_with($config).await).await;
            })*
        }
    };
}

mod lists;
mod runners;

scenarios!(
    a_task_is_its_owners_only: quick(),
    a_task_runs_to_its_result: quick(),
    partial_answers_add_up_and_keys_are_used_once: quick(),
    cancelling_ends_it_once: quick(),
    tasks_expire: Config { task_ttl: 1, ..quick() },
    users_have_bounded_tasks: Config { task_max_per_user: 2, ..quick() },
    changes_are_told: quick(),
    a_refusal_fails_what_waits_for_an_answer: quick(),
    a_result_can_fail_a_task: quick(),
);

fn call(user: &str) -> CallToolRequest {
    CallToolRequest {
        context: Some(CallContext {
            principal: Some(Principal {
                user_id: user.to_owned(),
                ..Principal::default()
            }),
            ..CallContext::default()
        }),
        name: "tool".to_owned(),
        arguments_json: "{}".into(),
    }
}

async fn create(client: &mut Client, user: &str, runner: &str) -> Result<CreateTaskResponse, tonic::Status> {
    let request = CreateTaskRequest {
        runner_id: runner.to_owned(),
        call: Some(call(user)),
        protocol_version: "2026-07-28".to_owned(),
        ..CreateTaskRequest::default()
    };
    Ok(client.create_task(request).await?.into_inner())
}

async fn started(client: &mut Client) -> TaskRun {
    create(client, ALICE, "edge-1").await.unwrap().run.unwrap()
}

async fn get(client: &mut Client, task_id: &str) -> Task {
    let request = GetTaskRequest {
        task_id: task_id.to_owned(),
        user_id: ALICE.to_owned(),
    };
    client.get_task(request).await.unwrap().into_inner().task.unwrap()
}

async fn report(client: &mut Client, run: &TaskRun, outcome: Outcome) -> bool {
    let request = ReportTaskRequest {
        task_id: run.task_id.clone(),
        run: run.run,
        outcome: Some(outcome),
    };
    client.report_task(request).await.unwrap().into_inner().accepted
}

async fn answer(client: &mut Client, task_id: &str, keys: &[&str], runner: &str) -> Option<TaskRun> {
    let request = UpdateTaskRequest {
        task_id: task_id.to_owned(),
        user_id: ALICE.to_owned(),
        answers_json: keys
            .iter()
            .map(|key| ((*key).to_owned(), format!("\"{key}\"").into()))
            .collect(),
        runner_id: runner.to_owned(),
        refusal: None,
    };
    client.update_task(request).await.unwrap().into_inner().run
}

async fn claim(client: &mut Client) -> Vec<TaskRun> {
    let request = ClaimTasksRequest {
        runner_id: "edge-2".to_owned(),
        most: 10,
    };
    client.claim_tasks(request).await.unwrap().into_inner().runs
}

async fn renew(client: &mut Client, run: &TaskRun, message: &str) -> bool {
    let request = RenewTasksRequest {
        runs: vec![Run {
            task_id: run.task_id.clone(),
            run: run.run,
            status_message: message.to_owned(),
        }],
    };
    client
        .renew_tasks(request)
        .await
        .unwrap()
        .into_inner()
        .lost
        .is_empty()
}

fn ask(keys: &[&str], state: &str) -> Outcome {
    let request = |key: &&str| InputRequest {
        key: (*key).to_owned(),
        request: Some(Request::ListRoots(ListRoots {})),
    };
    Outcome::InputRequired(InputRequired {
        requests: keys.iter().map(request).collect(),
        state: state.to_owned().into(),
    })
}

fn shown(task: &Task) -> Vec<&str> {
    task.input_requests
        .iter()
        .map(|request| request.key.as_str())
        .collect()
}

impl Stack {
    fn tasks(&self, n: usize) -> Client {
        TaskServiceClient::new(self.replicas[n % self.replicas.len()].channel())
    }
}

async fn a_task_is_its_owners_only(stack: Stack) {
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let run = started(&mut here).await;
    assert_eq!(get(&mut there, &run.task_id).await.status(), TaskStatus::Working);
    for (task_id, user_id) in [(run.task_id.as_str(), MALLORY), ("nothing", ALICE), ("{}", ALICE)] {
        let (task_id, user_id) = (task_id.to_owned(), user_id.to_owned());
        let get = GetTaskRequest {
            task_id: task_id.clone(),
            user_id: user_id.clone(),
        };
        assert_eq!(there.get_task(get).await.unwrap_err().code(), Code::NotFound);
        let update = UpdateTaskRequest {
            task_id: task_id.clone(),
            user_id: user_id.clone(),
            ..UpdateTaskRequest::default()
        };
        assert_eq!(
            there.update_task(update).await.unwrap_err().code(),
            Code::NotFound
        );
        let cancel = CancelTaskRequest { task_id, user_id };
        assert_eq!(
            there.cancel_task(cancel).await.unwrap_err().code(),
            Code::NotFound
        );
    }
}

async fn a_task_runs_to_its_result(stack: Stack) {
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let run = started(&mut here).await;
    assert!(renew(&mut there, &run, "half way").await);
    assert_eq!(get(&mut here, &run.task_id).await.status_message, "half way");
    assert!(report(&mut there, &run, Outcome::ResultJson("{}".into())).await);
    let task = get(&mut here, &run.task_id).await;
    assert_eq!(task.status(), TaskStatus::Completed);
    assert_eq!(task.result_json, "{}");
    assert!(
        !report(&mut here, &run, Outcome::Error(Error::default())).await,
        "it is over"
    );
    assert!(!renew(&mut here, &run, "").await);
    assert!(claim(&mut there).await.is_empty());
}

async fn partial_answers_add_up_and_keys_are_used_once(stack: Stack) {
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let run = started(&mut here).await;
    assert!(report(&mut here, &run, ask(&["a", "b"], "s1")).await);
    let task = get(&mut there, &run.task_id).await;
    assert_eq!(task.status(), TaskStatus::InputRequired);
    assert_eq!(shown(&task), ["a", "b"]);
    assert!(
        claim(&mut there).await.is_empty(),
        "nothing runs while questions wait"
    );

    assert!(
        answer(&mut there, &run.task_id, &["a", "unknown"], "edge-2")
            .await
            .is_none()
    );
    assert_eq!(shown(&get(&mut here, &run.task_id).await), ["b"]);
    let second = answer(&mut there, &run.task_id, &["b"], "edge-2").await.unwrap();
    assert!(second.run > run.run);
    let context = second.call.clone().unwrap().context.unwrap();
    assert_eq!(context.state, "s1");
    assert_eq!(context.inputs_json.len(), 2);
    assert_eq!(context.inputs_json["a"], "\"a\"");

    // The feature asks under the same key again; the owner sees another one.
    assert!(report(&mut there, &second, ask(&["a"], "s2")).await);
    let again = get(&mut here, &run.task_id).await;
    assert_eq!(shown(&again), ["a-2"]);
    assert!(
        answer(&mut here, &run.task_id, &["a"], "edge-1").await.is_none(),
        "an answer to the old one"
    );
    let third = answer(&mut here, &run.task_id, &["a-2"], "edge-1").await.unwrap();
    let context = third.call.clone().unwrap().context.unwrap();
    assert_eq!(context.inputs_json.keys().collect::<Vec<_>>(), ["a"]);
    assert!(
        !report(&mut there, &second, Outcome::ResultJson("{}".into())).await,
        "an older run"
    );
    assert!(report(&mut here, &third, Outcome::ResultJson("{}".into())).await);
}

async fn cancelling_ends_it_once(stack: Stack) {
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let run = started(&mut here).await;
    let cancel = || CancelTaskRequest {
        task_id: run.task_id.clone(),
        user_id: ALICE.to_owned(),
    };
    there.cancel_task(cancel()).await.unwrap();
    let task = get(&mut here, &run.task_id).await;
    assert_eq!(task.status(), TaskStatus::Cancelled);
    there.cancel_task(cancel()).await.unwrap();
    assert_eq!(get(&mut here, &run.task_id).await, task);
    assert!(!report(&mut here, &run, Outcome::ResultJson("{}".into())).await);
    assert!(!renew(&mut here, &run, "").await);
    assert!(claim(&mut there).await.is_empty());
}

async fn tasks_expire(stack: Stack) {
    let mut client = stack.tasks(0);
    let run = started(&mut client).await;
    assert!(report(&mut client, &run, Outcome::ResultJson("{}".into())).await);
    let until = Instant::now() + PATIENCE;
    let request = GetTaskRequest {
        task_id: run.task_id,
        user_id: ALICE.to_owned(),
    };
    while client.get_task(request.clone()).await.is_ok() {
        assert!(Instant::now() < until, "it is still there");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(client.get_task(request).await.unwrap_err().code(), Code::NotFound);
}

async fn users_have_bounded_tasks(stack: Stack) {
    let mut client = stack.tasks(0);
    started(&mut client).await;
    started(&mut client).await;
    let refused = create(&mut client, ALICE, "").await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    create(&mut client, MALLORY, "").await.unwrap();
}

async fn changes_are_told(stack: Stack) {
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let mut events = there
        .watch_tasks(WatchTasksRequest {})
        .await
        .unwrap()
        .into_inner();
    let mut heard = async || {
        let event = timeout(PATIENCE, events.message())
            .await
            .expect("an event")
            .unwrap();
        event.unwrap().event.unwrap()
    };
    assert!(matches!(heard().await, Event::Gap(_)));
    let run = started(&mut here).await;
    // Until something is heard: changes before the subscription stands are missed.
    let mut step = 0;
    while timeout(Duration::from_millis(100), heard()).await.is_err() {
        step += 1;
        assert!(renew(&mut here, &run, &format!("step {step}")).await);
    }
    report(&mut here, &run, ask(&["a"], "")).await;
    answer(&mut here, &run.task_id, &["a"], "").await;
    let mut told = Vec::new();
    while told.len() < 2 {
        if let Event::Changed(changed) = heard().await
            && (!told.is_empty() || changed.status() != TaskStatus::Working)
        {
            told.push((changed.status(), changed.wants_runner));
        }
    }
    assert_eq!(
        told,
        [(TaskStatus::InputRequired, false), (TaskStatus::Working, true)]
    );
}

async fn a_refusal_fails_what_waits_for_an_answer(stack: Stack) {
    let mut client = stack.tasks(0);
    let run = started(&mut client).await;
    let refuse = |task_id: &str| UpdateTaskRequest {
        task_id: task_id.to_owned(),
        user_id: ALICE.to_owned(),
        refusal: Some(Error {
            code: -1,
            message: "no".to_owned(),
            ..Error::default()
        }),
        ..UpdateTaskRequest::default()
    };
    // Nothing is asked yet.
    client.update_task(refuse(&run.task_id)).await.unwrap();
    assert_eq!(get(&mut client, &run.task_id).await.status(), TaskStatus::Working);
    assert!(report(&mut client, &run, ask(&["a"], "")).await);
    let refused = client.update_task(refuse(&run.task_id)).await.unwrap();
    assert_eq!(refused.into_inner().task.unwrap().status(), TaskStatus::Failed);
    let task = get(&mut client, &run.task_id).await;
    assert_eq!(
        (task.status(), task.error.unwrap().code),
        (TaskStatus::Failed, -1)
    );
}

async fn a_result_can_fail_a_task(stack: Stack) {
    let mut client = stack.tasks(0);
    let run = started(&mut client).await;
    let result = r#"{"content":[],"isError":true}"#;
    assert!(report(&mut client, &run, Outcome::FailedResultJson(result.into())).await);
    let task = get(&mut client, &run.task_id).await;
    assert_eq!(task.status(), TaskStatus::Failed);
    assert_eq!((task.result_json.as_ref(), task.error), (result.as_bytes(), None));
}
