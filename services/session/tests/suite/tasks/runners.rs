//! Who runs a task: one at a time, whatever becomes of it.

use std::collections::HashSet;

use super::*;

scenarios!(
    many_claim_and_one_gets_it: quick(),
    a_released_task_is_claimed_at_once: quick(),
    a_silent_runner_is_replaced_and_cannot_report: Config { task_lease_ms: 300, ..quick() },
    an_edge_whose_link_broke_loses_its_tasks_whatever_their_lease: patient(),
    an_edge_that_lives_without_a_link_keeps_its_tasks: patient(),
    what_an_edge_begins_as_it_dies_goes_to_others: patient(),
    claims_that_are_cut_off_lose_no_task: patient(),
);

/// Nobody gets a task because its lease ends.
fn patient() -> Config {
    Config {
        task_lease_ms: 600_000,
        ..quick()
    }
}

async fn many_claim_and_one_gets_it(stack: Stack) {
    let mut client = stack.tasks(0);
    for _ in 0..5 {
        create(&mut client, ALICE, "").await.unwrap();
    }
    let claims = (0..8).map(|n| {
        let mut client = stack.tasks(n);
        async move { claim(&mut client).await }
    });
    let mut taken: Vec<_> = futures::future::join_all(claims)
        .await
        .into_iter()
        .flatten()
        .map(|run| run.task_id)
        .collect();
    assert_eq!(taken.len(), 5);
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 5);
}

async fn a_released_task_is_claimed_at_once(stack: Stack) {
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let run = started(&mut here).await;
    assert!(report(&mut here, &run, Outcome::Released(ReleasedTask {})).await);
    let taken = claim(&mut there).await.pop().unwrap();
    assert_eq!(taken.task_id, run.task_id);
    // One that nobody took from the beginning.
    let unclaimed = create(&mut here, ALICE, "").await.unwrap();
    assert!(unclaimed.run.is_none());
    assert_eq!(
        claim(&mut there).await.pop().unwrap().task_id,
        unclaimed.task.unwrap().task_id
    );
}

async fn a_silent_runner_is_replaced_and_cannot_report(stack: Stack) {
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let run = started(&mut here).await;
    assert!(claim(&mut there).await.is_empty(), "its lease holds");
    let taken = offered(&mut there).await;
    assert_eq!(taken.task_id, run.task_id);
    assert_eq!(taken.call.as_ref().unwrap().name, "tool");
    assert!(!renew(&mut here, &run, "").await);
    assert!(!report(&mut here, &run, Outcome::ResultJson("1".into())).await);
    assert!(renew(&mut there, &taken, "").await);
    assert!(report(&mut there, &taken, Outcome::ResultJson("2".into())).await);
    assert_eq!(get(&mut here, &run.task_id).await.result_json, "2");
}

async fn an_edge_whose_link_broke_loses_its_tasks_whatever_their_lease(stack: Stack) {
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let dies = stack.edge(0, "edge-1").await;
    let _lives = stack.edge(0, "edge-2").await;
    let run = started(&mut here).await;
    let ended = started(&mut here).await;
    assert!(report(&mut here, &ended, Outcome::ResultJson("1".into())).await);
    let other = create(&mut here, ALICE, "edge-2").await.unwrap().run.unwrap();
    let mut news = there
        .watch_tasks(WatchTasksRequest {})
        .await
        .unwrap()
        .into_inner();
    drop(dies);
    // Not asked for before it is offered: who waits to be told is as fast.
    let told = async {
        loop {
            if let Some(Event::Changed(changed)) = news.message().await.unwrap().unwrap().event
                && changed.wants_runner
            {
                return changed.task_id;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, told).await.unwrap(), run.task_id);
    let taken = claim(&mut there).await;
    assert_eq!(taken.len(), 1, "only what the edge ran");
    assert_eq!(taken[0].task_id, run.task_id);
    assert!(!report(&mut here, &run, Outcome::ResultJson("1".into())).await);
    assert!(report(&mut there, &taken[0], Outcome::ResultJson("2".into())).await);
    assert!(report(&mut there, &other, Outcome::ResultJson("3".into())).await);
    assert_eq!(get(&mut here, &run.task_id).await.result_json, "2");
}

async fn an_edge_that_lives_without_a_link_keeps_its_tasks(stack: Stack) {
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let link = stack.edge(0, "edge-1").await;
    let (shows_itself, is_silent) = (started(&mut here).await, started(&mut here).await);
    drop(link);
    // The one that is lost says when the time is over in which the other one was kept.
    let until = Instant::now() + PATIENCE;
    let taken = loop {
        assert!(Instant::now() < until, "nobody takes the other one over");
        assert!(
            renew(&mut there, &shows_itself, "").await,
            "it was renewed in time"
        );
        match claim(&mut there).await.pop() {
            Some(taken) => break taken,
            None => sleep(Duration::from_millis(50)).await,
        }
    };
    assert_eq!(taken.task_id, is_silent.task_id);
    assert!(claim(&mut there).await.is_empty(), "its lease holds again");
    assert!(report(&mut here, &shows_itself, Outcome::ResultJson("1".into())).await);
}

/// Its claim was under way when its link broke, and is carried out after its tasks were looked through.
async fn what_an_edge_begins_as_it_dies_goes_to_others(stack: Stack) {
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let link = stack.edge(0, "edge-1").await;
    let before = started(&mut here).await;
    drop(link);
    assert_eq!(offered(&mut there).await.task_id, before.task_id);
    let late = started(&mut here).await;
    assert_eq!(offered(&mut there).await.task_id, late.task_id);
}

/// An edge that is killed leaves its claim half carried out.
async fn claims_that_are_cut_off_lose_no_task(stack: Stack) {
    const TASKS: usize = 100;
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let link = stack.edge(0, "edge-2").await;
    for n in 0..TASKS {
        create(&mut here, ALICE, "").await.unwrap();
        // Each a little later than the one before, over and over.
        let cut_off = Duration::from_micros(100 * (n as u64 % 25));
        _ = timeout(cut_off, claim(&mut here)).await;
    }
    drop(link);
    let (mut found, until) = (HashSet::new(), Instant::now() + PATIENCE * 2);
    while found.len() < TASKS {
        assert!(Instant::now() < until, "{} of {TASKS} are offered", found.len());
        found.extend(claim(&mut there).await.into_iter().map(|run| run.task_id));
        sleep(Duration::from_millis(50)).await;
    }
}

/// What the next successful claim brings.
async fn offered(client: &mut Client) -> TaskRun {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(taken) = claim(client).await.pop() {
            return taken;
        }
        assert!(Instant::now() < until, "nothing is offered");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_replica_that_shuts_down_takes_no_tasks_from_its_edges() {
    let stack = Stack::redis_with(patient()).await;
    let (mut here, mut there) = (stack.tasks(0), stack.tasks(1));
    let _stays = stack.edge(0, "edge-1").await;
    let breaks = stack.edge(1, "edge-3").await;
    let kept = started(&mut here).await;
    let lost = create(&mut here, ALICE, "edge-3").await.unwrap().run.unwrap();
    stack.replicas[0].shutdown.cancel();
    drop(breaks);
    let taken = offered(&mut there).await;
    assert_eq!(taken.task_id, lost.task_id);
    assert!(report(&mut there, &kept, Outcome::ResultJson("1".into())).await);
}
