//! The whole server, by a client that shares no code with it: logs in from a bare URL and uses every feature.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    deprecated,
    reason = "sampling, roots and logging are deprecated in 2026-07-28 and part of the revisions before"
)]

mod asking;
mod lists;
mod notifications;
mod prompts;
mod resources;
mod session;
mod swapped;
mod tools;
mod visit;

use system_tests::{Browser, Builder, Stack, rmcp_client::Login};

use visit::{ShowLogs, Visit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_in_memory_gives_the_tour() {
    tour(Stack::builder().all_in_one()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_edges_and_two_replicas_of_each_service_give_the_tour() {
    tour(Stack::builder().processes().redis().edges(2).replicas(2)).await;
}

async fn tour(stack: Builder) {
    // What happens by itself happens often, so that waiting for it takes no time.
    let stack = stack
        .setting("RESOURCE_UPDATE_PERIOD_MS", "100")
        .setting("RANDOM_LOG_PERIOD_MS", "40")
        .setting("STDERR_PERIOD_MS", "100")
        .start()
        .await
        .unwrap();
    let _logs = ShowLogs(&stack);
    let mut browser = Browser::of("ada").unwrap();
    let login = Login::new(&stack.url("/mcp"), &mut browser).await.unwrap();

    let visit = Visit::begin(&login).await;
    session::introduces_itself(&visit);
    session::answers_pings(&visit).await;

    tools::are_listed_truthfully(&visit).await;
    tools::plain_ones_answer(&visit).await;
    tools::structured_content_follows_its_schema(&visit).await;
    tools::link_and_embed_resources(&visit).await;
    tools::gzip_keeps_a_resource_and_says_so(&visit).await;
    tools::report_progress(&visit).await;
    tools::can_be_cancelled(&visit).await;
    tools::name_what_is_wrong_with_their_arguments(&visit).await;

    asking::samples_the_clients_model(&visit).await;
    asking::has_a_form_filled_in(&visit).await;
    asking::asks_one_question_after_the_other(&visit).await;
    asking::researches_what_the_user_means(&visit).await;
    asking::sends_the_user_to_a_page(&visit).await;
    asking::looks_at_the_roots(&visit).await;

    resources::come_in_pages_of_ten(&visit).await;
    resources::are_text_or_binary(&visit).await;
    resources::have_a_template(&visit).await;
    resources::that_do_not_exist_are_errors(&visit).await;

    prompts::are_listed(&visit).await;
    prompts::have_text_images_and_resources(&visit).await;
    prompts::complete_their_arguments(&visit).await;
    prompts::name_what_is_missing(&visit).await;

    lists::grow_and_shrink(&visit).await;

    notifications::update_what_was_subscribed_to(&visit).await;
    notifications::log_what_was_asked_for(&visit).await;
    notifications::show_the_standard_error(&visit).await;

    session::goes_on_with_a_new_token(&visit, &login).await;
    session::ends_with_delete(visit, &login, &stack).await;
    session::is_refused_after_logout(&login, &stack).await;
}
