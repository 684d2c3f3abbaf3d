//! What people do with the pages, in headless Chromium. Screenshots stay in `test-artifacts/login`.

use system_tests::{Builder, Stack};

use super::node;

async fn flow(stack: Builder, name: &str) {
    flow_into(name, stack, name).await;
}

/// `pictures`: where the screenshots go. Two tests with one place would clear it for each other.
async fn flow_into(pictures: &str, stack: Builder, name: &str) {
    let stack = stack.start().await.unwrap();
    let directory = node::artifacts(pictures);
    let said = node::run(&mut node::command(
        "flows.cjs",
        &[&stack.url(""), name, directory.to_str().unwrap()],
    ))
    .await;
    assert!(said.contains("flow passed"), "{said}");
    let pictures = std::fs::read_dir(directory).unwrap().count();
    assert!(pictures > 0);
}

fn server() -> Builder {
    Stack::builder().in_process()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_logs_in() {
    flow(server(), "login").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_user_is_edited_regenerated_and_remembered() {
    flow(server(), "edit_user").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_denies() {
    flow(server(), "deny").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_page_says_what_to_do() {
    flow(
        Stack::builder().all_in_one().setting("LOGIN_TTL_S", "1"),
        "expired_page",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_double_click_is_one() {
    flow(server(), "double_click").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_back_button_leads_on() {
    flow(server(), "back_button").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pushed_request_goes_through_the_same_pages() {
    flow(server(), "pushed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_work_without_scripts() {
    flow(server(), "without_scripts").await;
}

/// Any edge, any replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_logs_in_at_two_edges_and_two_replicas() {
    let stack = server().redis().edges(2).replicas(2);
    flow_into("login_at_two_edges", stack, "login").await;
}
