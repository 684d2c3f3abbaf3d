//! A user's tasks, and how long they are kept.

use super::*;

scenarios!(
    lists_are_paged_and_of_one_user_and_revision: quick(),
    an_owner_may_wish_for_a_shorter_life: Config { task_ttl: 60, ..quick() },
);

async fn list(
    client: &mut Client,
    version: &str,
    cursor: Option<&str>,
) -> Result<(Vec<Task>, Option<String>), tonic::Status> {
    let request = ListTasksRequest {
        user_id: ALICE.to_owned(),
        protocol_version: version.to_owned(),
        cursor: cursor.map(str::to_owned),
    };
    let page = client.list_tasks(request).await?.into_inner();
    Ok((page.tasks, page.next_cursor))
}

async fn create_in(client: &mut Client, user: &str, version: &str, ttl_ms: Option<u64>) -> Task {
    let request = CreateTaskRequest {
        runner_id: "edge-1".to_owned(),
        call: Some(call(user)),
        protocol_version: version.to_owned(),
        ttl_ms,
        ..CreateTaskRequest::default()
    };
    client
        .create_task(request)
        .await
        .unwrap()
        .into_inner()
        .task
        .unwrap()
}

async fn lists_are_paged_and_of_one_user_and_revision(stack: Stack) {
    const OURS: &str = "2025-11-25";
    let mut client = stack.tasks(0);
    assert_eq!(list(&mut client, OURS, None).await.unwrap(), (vec![], None));
    let mut made = Vec::new();
    for n in 0..120 {
        made.push(create_in(&mut client, ALICE, OURS, None).await.task_id);
        if n % 3 == 0 {
            create_in(&mut client, ALICE, "2026-07-28", None).await;
            create_in(&mut client, MALLORY, OURS, None).await;
        }
    }
    let mut client = stack.tasks(1);
    let (mut listed, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let (tasks, next) = list(&mut client, OURS, cursor.as_deref()).await.unwrap();
        assert!(!tasks.is_empty() && tasks.len() <= 50);
        listed.extend(tasks.into_iter().map(|task| task.task_id));
        pages += 1;
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    listed.sort();
    made.sort();
    assert_eq!(listed, made);
    let unknown = "A".repeat(32);
    for bad in ["", "x", unknown.as_str()] {
        let refused = list(&mut client, OURS, Some(bad)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{bad}");
    }
}

async fn an_owner_may_wish_for_a_shorter_life(stack: Stack) {
    let mut client = stack.tasks(0);
    for (wish, gets) in [
        (None, 60_000),
        (Some(u64::MAX), 60_000),
        (Some(0), 1_000),
        (Some(2_000), 2_000),
    ] {
        let task = create_in(&mut client, ALICE, "2025-11-25", wish).await;
        assert_eq!(task.ttl_ms, gets, "{wish:?}");
    }
    // Those that live longer are still listed when the others are gone.
    let until = Instant::now() + PATIENCE;
    loop {
        let (tasks, _) = list(&mut client, "2025-11-25", None).await.unwrap();
        assert!(tasks.iter().filter(|task| task.ttl_ms == 60_000).count() == 2);
        if tasks.len() == 2 {
            break;
        }
        assert!(Instant::now() < until, "{tasks:?}");
        sleep(Duration::from_millis(50)).await;
    }
}
