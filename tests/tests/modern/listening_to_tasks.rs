//! `taskIds` of `subscriptions/listen` (`io.modelcontextprotocol/tasks`).

use serde_json::{Value, json};
use system_tests::{Browser, FeatureKind, Stack, client::SseStream};

use super::client::{CLIENT_CAPABILITIES, Modern, SUBSCRIPTION_ID};

const EXTENSION: &str = "io.modelcontextprotocol/tasks";

fn with_tasks(mut params: Value) -> Value {
    params["_meta"][CLIENT_CAPABILITIES] = json!({ "elicitation": {}, "extensions": { EXTENSION: {} } });
    params
}

async fn listen(modern: &Modern, id: &str, task_ids: Value) -> (SseStream, Value) {
    let params = with_tasks(json!({ "notifications": { "taskIds": task_ids } }));
    let mut stream = modern.open(json!(id), "subscriptions/listen", params).await;
    let first = stream.message().await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    (stream, first["params"]["notifications"].clone())
}

/// What the stream says of the task until it has this status.
async fn until(stream: &mut SseStream, id: &str, task_id: &str, status: &str) -> Value {
    loop {
        let told = stream.message().await;
        assert_eq!(told["method"], "notifications/tasks", "{told}");
        assert_eq!(told["params"]["_meta"][SUBSCRIPTION_ID], id);
        assert_eq!(told["params"]["taskId"], task_id);
        if told["params"]["status"] == status {
            return told["params"].clone();
        }
    }
}

async fn start(modern: &Modern, tool: &str, arguments: Value) -> String {
    let call = with_tasks(json!({ "name": tool, "arguments": arguments }));
    let task = modern.ask("tools/call", call).await.result().unwrap();
    task["taskId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_told_what_becomes_of_its_tasks_and_nobody_elses() {
    let stack = Stack::builder().processes().redis().edges(2).replicas(2);
    let stack = stack.feature(FeatureKind::Conformance).start().await.unwrap();
    let url = stack.url("/mcp");
    let mut people = Vec::new();
    for user in ["ada", "eve"] {
        let tokens = Browser::of(user).unwrap().log_in(&url).await.unwrap();
        people.push(Modern::new(&url, Some(&tokens.access_token)));
    }
    let (ada, eve) = (&people[0], &people[1]);
    let edges = [0, 1].map(|edge| ada.at(&stack.edge_url(edge, "/mcp")));

    let deleting = start(&edges[0], "confirm_delete", json!({ "filename": "a.txt" })).await;
    let computing = start(&edges[0], "slow_compute", json!({ "seconds": 600 })).await;
    let foreign = start(eve, "slow_compute", json!({ "seconds": 600 })).await;
    let wanted = json!([deleting, foreign, "unknown", computing]);
    // Several at once, on both edges, and none hears of what it did not ask for.
    let (mut both, honoured) = listen(&edges[1], "both", wanted).await;
    assert_eq!(honoured, json!({ "taskIds": [deleting, computing] }));
    let (mut one, honoured) = listen(&edges[0], "one", json!([deleting])).await;
    assert_eq!(honoured, json!({ "taskIds": [deleting] }));
    let (mut other, honoured) = listen(eve, "other", json!([deleting, computing])).await;
    assert_eq!(honoured, json!({}));

    let asking = until(&mut one, "one", &deleting, "input_required").await;
    let (key, question) = asking["inputRequests"]
        .as_object()
        .unwrap()
        .iter()
        .next()
        .unwrap();
    assert_eq!(question["method"], "elicitation/create");
    let answer = json!({ key: { "action": "accept", "content": { "confirm": true } } });
    let update = with_tasks(json!({ "taskId": deleting, "inputResponses": answer }));
    let taken = edges[1].ask("tasks/update", update).await.result().unwrap();
    assert_eq!(taken["resultType"], "complete");
    let completed = until(&mut one, "one", &deleting, "completed").await;
    assert_eq!(completed["result"]["content"][0]["text"], "Deleted a.txt");

    let cancel = with_tasks(json!({ "taskId": computing }));
    edges[0].ask("tasks/cancel", cancel).await.result().unwrap();
    let (mut completed, mut cancelled) = (false, false);
    while !(completed && cancelled) {
        let told = both.message().await;
        let params = &told["params"];
        assert_eq!(params["_meta"][SUBSCRIPTION_ID], "both");
        completed |= params["taskId"] == json!(deleting) && params["status"] == "completed";
        cancelled |= params["taskId"] == json!(computing) && params["status"] == "cancelled";
    }
    let heard = other.drain_for(std::time::Duration::from_millis(200)).await;
    assert!(heard.is_empty(), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_declare_the_extension_has_no_tasks() {
    let stack = Stack::builder().in_process().auth_disabled();
    let stack = stack.feature(FeatureKind::Conformance).start().await.unwrap();
    let modern = Modern::new(&stack.url("/mcp"), None);
    let task_id = start(&modern, "slow_compute", json!({ "seconds": 600 })).await;
    for (method, params) in [
        ("tasks/get", json!({ "taskId": task_id })),
        ("tasks/update", json!({ "taskId": task_id, "inputResponses": {} })),
        ("tasks/cancel", json!({ "taskId": task_id })),
        (
            "subscriptions/listen",
            json!({ "notifications": { "taskIds": [task_id] } }),
        ),
        ("tools/call", json!({ "name": "failing_job", "arguments": {} })),
    ] {
        let refused = modern.ask(method, params).await;
        assert_eq!((refused.status, refused.error_code()), (400, -32021), "{method}");
        let error = refused.result().unwrap_err();
        assert_eq!(
            error["data"]["requiredCapabilities"],
            json!({ "extensions": { EXTENSION: {} } }),
            "{method}"
        );
    }
    // What can be a task is answered plainly.
    let call = json!({ "name": "slow_compute", "arguments": { "seconds": 0 } });
    let result = modern.ask("tools/call", call).await.result().unwrap();
    assert_eq!(result["resultType"], "complete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_task_is_as_unknown_as_any() {
    let stack = Stack::builder().in_process().feature(FeatureKind::Conformance);
    let stack = stack.start().await.unwrap();
    let url = stack.url("/mcp");
    let mut people = Vec::new();
    for user in ["ada", "eve"] {
        let tokens = Browser::of(user).unwrap().log_in(&url).await.unwrap();
        people.push(Modern::new(&url, Some(&tokens.access_token)));
    }
    let task_id = start(&people[0], "confirm_delete", json!({ "filename": "a" })).await;
    let unknown = "x".repeat(task_id.len());
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let of = async |task_id: &str| {
            let answers = json!({ "confirm": { "action": "accept", "content": { "confirm": true } } });
            let params = with_tasks(json!({ "taskId": task_id, "inputResponses": answers }));
            let refused = people[1].ask(method, params).await;
            assert_eq!(refused.error_code(), -32602, "{method}");
            (refused.status, refused.result().unwrap_err())
        };
        assert_eq!(of(&task_id).await, of(&unknown).await);
    }
    let got = people[0]
        .ask("tasks/get", with_tasks(json!({ "taskId": task_id })))
        .await;
    assert_ne!(got.result().unwrap()["status"], "cancelled");
}
