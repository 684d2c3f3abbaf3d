//! Calls that say something before their result.

use serde_json::{Value, json};
use system_tests::Stack;

use super::client::{LOG_LEVEL, Modern};

fn long(meta: Value) -> Value {
    json!({
        "name": "longRunningOperation",
        "arguments": { "duration": 0.2, "steps": 2 },
        "_meta": meta,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_and_logs_come_where_the_request_asks_for_them() {
    let stack = Stack::builder()
        .in_process()
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let modern = Modern::new(&stack.url("/mcp"), None);
    let methods = async |meta: Value| -> Vec<Value> {
        let answer = modern.ask("tools/call", long(meta)).await;
        let mut messages = answer.messages();
        let last = messages.pop().unwrap();
        assert_eq!(last["result"]["resultType"], "complete", "{last}");
        messages.iter().map(|message| message["method"].clone()).collect()
    };
    assert_eq!(methods(json!({})).await, Vec::<Value>::new());
    assert_eq!(methods(json!({ LOG_LEVEL: "error" })).await, Vec::<Value>::new());
    let logs = methods(json!({ LOG_LEVEL: "debug" })).await;
    assert!(!logs.is_empty() && logs.iter().all(|method| method == "notifications/message"));
    let wrong = json!({ "name": "echo", "arguments": { "message": "m" }, "_meta": { LOG_LEVEL: "loud" } });
    let refused = modern.ask("tools/call", wrong).await;
    assert_eq!((refused.status, refused.error_code()), (400, -32602));
    let progress = methods(json!({ "progressToken": "t" })).await;
    assert_eq!(progress, ["notifications/progress", "notifications/progress"]);
}
