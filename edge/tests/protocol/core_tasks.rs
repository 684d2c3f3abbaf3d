//! The experimental tasks of 2025-11-25, held against its schema, and that no other revision has heard of them.

use bytes::Bytes;
use everything_edge::{
    jsonrpc::{self, RequestId},
    revisions::{self, ClientRequest, CoreTasks, TaskWish},
};
use everything_proto::{
    feature::v1::{
        Capabilities, ClientCapabilities, DescribeResponse, Error, InputRequest, ListRoots,
        ListToolsResponse, Progress, Tool, input_request::Request, tool::TaskSupport,
    },
    session::v1::{Task, TaskStatus},
};
use serde_json::{Value, json, value::to_raw_value};

use crate::{
    emitted::{SEEDS, check_result, value},
    generate::{self, Seed, bytes},
    schema,
};

const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";

fn core() -> &'static dyn CoreTasks {
    schema::of("2025-11-25").revision.core_tasks().unwrap()
}

fn task(status: TaskStatus) -> Task {
    Task {
        task_id: "t-\"1\"".to_owned(),
        status: status.into(),
        status_message: "half way".to_owned(),
        created_at_ms: 1_764_066_600_123,
        updated_at_ms: 1_764_066_600_124,
        ttl_ms: 60_000,
        poll_interval_ms: 1_000,
        ..Task::default()
    }
}

const STATUSES: [(TaskStatus, &str); 5] = [
    (TaskStatus::Working, "working"),
    (TaskStatus::InputRequired, "input_required"),
    (TaskStatus::Completed, "completed"),
    (TaskStatus::Failed, "failed"),
    (TaskStatus::Cancelled, "cancelled"),
];

#[test]
fn tasks_are_worded_as_in_the_schema() {
    let schema = schema::of("2025-11-25");
    for (status, word) in STATUSES {
        let task = task(status);
        let got = core().task(&task);
        // Once by what the definition allows, once by what it is composed of.
        schema.check_valid("GetTaskResult", &value(&got));
        schema.check_valid("CancelTaskResult", &value(&got));
        check_result(&schema, "Task", &got);
        assert_eq!(value(&got)["status"], word);
        assert_eq!(value(&got)["createdAt"], "2025-11-25T10:30:00.123Z");
        assert_eq!(value(&got)["ttl"], 60_000);

        let created = core().task_created(&task);
        check_result(&schema, "CreateTaskResult", &created);
        assert_eq!(value(&created)["_meta"][RELATED_TASK]["taskId"], "t-\"1\"");

        for next in [None, Some("c\"1")] {
            let listed = core().tasks(&[task.clone(), task.clone()], next);
            check_result(&schema, "ListTasksResult", &listed);
            assert_eq!(value(&listed).get("nextCursor"), next.map(Value::from).as_ref());
        }

        let notification = value(&core().task_status(&task));
        schema.check_valid("JSONRPCMessage", &notification);
        schema.check_valid("TaskStatusNotification", &notification);
        schema.check("Task", &notification["params"]);
    }
    check_result(&schema, "ListTasksResult", &core().tasks(&[], None));
}

#[test]
fn the_result_of_a_task_is_the_result_of_its_call() {
    let schema = schema::of("2025-11-25");
    for seed in 0..SEEDS {
        let given = generate::tool_result(&mut Seed::new(seed));
        let is_error = given["isError"] == json!(true);
        assert_eq!(core().is_failure(&bytes(&given)), is_error);
        for status in [TaskStatus::Completed, TaskStatus::Failed] {
            let ended = Task {
                result_json: bytes(&given),
                ..task(status)
            };
            let result = core().task_result(&ended).unwrap();
            check_result(&schema, "CallToolResult", &result);
            let mut result = value(&result);
            assert_eq!(result["_meta"][RELATED_TASK], json!({ "taskId": "t-\"1\"" }));
            result["_meta"].as_object_mut().unwrap().remove(RELATED_TASK);
            let answered = value(&core().call_tool_result(bytes(&given)).unwrap());
            if answered.get("_meta").is_none() {
                assert_eq!(result.as_object_mut().unwrap().remove("_meta"), Some(json!({})));
            }
            assert_eq!(result, answered);
        }
    }
    let failed = Task {
        error: Some(Error {
            code: -32050,
            message: "m".into(),
            data_json: Bytes::from_static(b"[1]"),
        }),
        ..task(TaskStatus::Failed)
    };
    let error = core().task_result(&failed).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (-32050, "m"));
    assert_eq!(error.data.unwrap().get(), "[1]");
    let cancelled = core().task_result(&task(TaskStatus::Cancelled)).unwrap_err();
    assert_eq!(cancelled.code, -32602);
}

#[test]
fn what_concerns_a_task_says_so() {
    let schema = schema::of("2025-11-25");
    let able = ClientCapabilities {
        elicitation_form: true,
        roots: true,
        ..ClientCapabilities::default()
    };
    let form = Request::ElicitationFormJson(bytes(&generate::form(&["name"])));
    for (request, definition) in [
        (form, "ElicitRequest"),
        (Request::ListRoots(ListRoots {}), "ListRootsRequest"),
    ] {
        let request = InputRequest {
            key: "k".into(),
            request: Some(request),
        };
        let asked = schema.revision.input_request("srv-1", &request, &able).unwrap();
        let asked = value(&core().about_task(&asked, "t1"));
        schema.check_valid("JSONRPCMessage", &asked);
        schema.check_valid(definition, &asked);
        assert_eq!(asked["id"], "srv-1");
        assert_eq!(asked["params"]["_meta"][RELATED_TASK], json!({ "taskId": "t1" }));
        let cannot = core().can_ask(std::slice::from_ref(&request), &ClientCapabilities::default());
        assert_eq!(cannot.unwrap_err().code, -32600);
        assert!(core().can_ask(&[request], &able).is_ok());
    }
    let token = to_raw_value(&7).unwrap();
    let progress = core().progress(&token, &Progress::default());
    let progress = value(&core().about_task(&progress, "t1"));
    schema.check_message("ProgressNotification", &progress);
    assert_eq!(progress["params"]["_meta"][RELATED_TASK]["taskId"], "t1");
}

#[test]
fn a_call_may_ask_to_become_a_task() {
    let revision = schema::of("2025-11-25").revision;
    let read = |task: Value| {
        let params = to_raw_value(&json!({ "name": "n", "task": task })).unwrap();
        match revision.request("tools/call", Some(&params)) {
            Ok((ClientRequest::CallTool { task, .. }, _)) => Ok(task),
            Ok(_) => panic!("something else was read"),
            Err(error) => Err(error.code),
        }
    };
    for (given, ttl_ms) in [
        (json!({}), None),
        (json!({ "ttl": 5 }), Some(5)),
        (json!({ "ttl": null }), None),
        (json!({ "ttl": 1e300 }), Some(u64::MAX)),
    ] {
        assert_eq!(read(given.clone()), Ok(Some(TaskWish { ttl_ms })), "{given}");
    }
    for wrong in [
        json!(true),
        json!([]),
        json!({ "ttl": -1 }),
        json!({ "ttl": 0.5 }),
        json!({ "ttl": "1" }),
    ] {
        assert_eq!(read(wrong.clone()), Err(-32602), "{wrong}");
    }
}

/// Everything that could give tasks away.
fn served(version: &str) -> (Value, Value) {
    let server = DescribeResponse {
        capabilities: Some(Capabilities {
            tools: true,
            tasks: true,
            ..Capabilities::default()
        }),
        ..DescribeResponse::default()
    };
    let tool = |support: TaskSupport| Tool {
        name: "t".into(),
        task_support: support.into(),
        ..Tool::default()
    };
    let list = ListToolsResponse {
        tools: vec![
            tool(TaskSupport::Optional),
            tool(TaskSupport::Required),
            tool(TaskSupport::Forbidden),
        ],
        ..ListToolsResponse::default()
    };
    match revisions::by_version(version) {
        Some(revision) => (
            value(&revision.initialize_result(&server, true))["capabilities"].clone(),
            value(&revision.tools(&list)),
        ),
        None => {
            let revision = revisions::newest_stateless();
            let discovered = revision.discover_result(&server, &[]);
            (
                value(&discovered)["capabilities"].clone(),
                value(&revision.tools(&list)),
            )
        }
    }
}

#[test]
fn only_its_own_revision_has_core_tasks() {
    let methods = ["tasks/get", "tasks/list", "tasks/result", "tasks/cancel"];
    let params = to_raw_value(&json!({ "taskId": "t", "name": "n", "task": { "ttl": "wrong" } })).unwrap();
    for revision in revisions::all() {
        let has = revision.version() == "2025-11-25";
        assert_eq!(revision.core_tasks().is_some(), has);
        for method in methods {
            let read = revision.request(method, Some(&params)).err();
            assert_eq!(read.map(|error| error.code), (!has).then_some(-32601), "{method}");
        }
        let wish = revision.request("tools/call", Some(&params));
        assert_eq!(wish.is_err(), has, "unknown members are passed over");
        let (capabilities, tools) = served(revision.version());
        let support = |n: usize| tools["tools"][n].get("execution").cloned();
        if has {
            let declared = json!({ "list": {}, "cancel": {}, "requests": { "tools": { "call": {} } } });
            assert_eq!(capabilities["tasks"], declared);
            assert_eq!(support(0), Some(json!({ "taskSupport": "optional" })));
            assert_eq!(support(1), Some(json!({ "taskSupport": "required" })));
            assert_eq!(support(2), None);
        } else {
            assert_eq!(capabilities.get("tasks"), None);
            assert!((0..3).all(|n| support(n).is_none()));
        }
    }
    let newest = revisions::newest_stateless();
    for method in ["tasks/list", "tasks/result"] {
        let Err(error) = newest.request(method, Some(&params)) else {
            panic!("{method} was read")
        };
        assert_eq!(error.code, -32601);
    }
    let (capabilities, tools) = served(newest.version());
    assert_eq!(capabilities.get("tasks"), None);
    assert_eq!(
        capabilities["extensions"],
        json!({ "io.modelcontextprotocol/tasks": {} })
    );
    assert!((0..3).all(|n| tools["tools"][n].get("execution").is_none()));
    let (wish, _) = newest
        .request("tools/call", Some(&params))
        .map_err(|_| ())
        .unwrap();
    assert!(matches!(wish, ClientRequest::CallTool { task: None, .. }));
}

/// "receivers that cannot identify requestors SHOULD NOT declare the `tasks.list` capability"
#[test]
fn who_knows_no_users_lists_no_tasks() {
    let server = DescribeResponse {
        capabilities: Some(Capabilities {
            tasks: true,
            ..Capabilities::default()
        }),
        ..DescribeResponse::default()
    };
    let schema = schema::of("2025-11-25");
    let result = schema.revision.initialize_result(&server, false);
    check_result(&schema, "InitializeResult", &result);
    let declared = json!({ "cancel": {}, "requests": { "tools": { "call": {} } } });
    assert_eq!(value(&result)["capabilities"]["tasks"], declared);
    schema.check_valid(
        "JSONRPCMessage",
        &value(&jsonrpc::result(&RequestId::Number(1), &result)),
    );
}
