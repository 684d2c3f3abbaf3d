//! Keeps leases, claims what nobody runs, and hears of changes.

use std::time::Duration;

use everything_proto::session::v1::{
    ClaimTasksRequest, RenewTasksRequest, TaskStatus, WatchTasksRequest, renew_tasks_request,
    watch_tasks_response::Event,
};
use serving::{lasting, retry::backoff};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior, sleep, timeout},
};

use super::{TaskNews, Tasks};
use crate::mcp::Mcp;

/// Between two renewals, and two looks for tasks that nobody runs. Leases last a multiple of it.
const TICK: Duration = Duration::from_secs(1);
/// Of one renewal: a lease must not end while the one before is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Beyond, the pause between two attempts to hear of changes stays the same: about a second.
const MOST_FAILURES: u32 = 6;
/// Tasks claimed at once, so that other edges get some, too.
const MAX_CLAIMS: usize = 16;

pub(super) async fn keep_leases(mcp: Mcp) {
    let tasks = &mcp.tasks;
    let mut beats = Beats::of(&mcp);
    loop {
        tokio::select! {
            () = beats.next() => {}
            // Those that run give their tasks up themselves.
            () = tasks.shutdown.cancelled() => return,
        }
        tasks.renew().await;
    }
}

/// Not between renewals: what is claimed is this edge's, however long the answer takes, and leases must not wait for it.
pub(super) async fn claim(mcp: Mcp) {
    let tasks = &mcp.tasks;
    let mut beats = Beats::of(&mcp);
    loop {
        tokio::select! {
            () = beats.next() => {}
            () = tasks.wake.notified() => {}
            () = tasks.shutdown.cancelled() => return,
        }
        claim_once(&mcp).await;
    }
}

/// Every [`TICK`], and when the link comes or goes: the service may take an edge for dead whose link broke, and offer its
/// tasks to others soon; and without a link there was no room for more.
struct Beats {
    ticks: Interval,
    link: watch::Receiver<bool>,
}

impl Beats {
    fn of(mcp: &Mcp) -> Self {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            ticks,
            link: mcp.link.ups_and_downs(),
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.ticks.tick() => {}
            Ok(()) = self.link.changed() => {}
        }
    }
}

pub(super) async fn hear(mcp: Mcp) {
    let tasks = &mcp.tasks;
    let mut failures = 0;
    loop {
        tokio::select! {
            heard = tasks.hear() => failures = if heard { 0 } else { MOST_FAILURES.min(failures + 1) },
            () = tasks.shutdown.cancelled() => return,
        }
        tokio::select! {
            () = sleep(backoff(failures.max(1))) => {}
            () = tasks.shutdown.cancelled() => return,
        }
    }
}

async fn claim_once(mcp: &Mcp) {
    let tasks = &mcp.tasks;
    let most = tasks.room().min(MAX_CLAIMS);
    if most == 0 {
        return;
    }
    let request = ClaimTasksRequest {
        runner_id: tasks.link.edge_id().to_owned(),
        most: u32::try_from(most).unwrap_or(u32::MAX),
    };
    let asked_at = Instant::now();
    match tasks.client.clone().claim_tasks(request).await {
        Ok(claimed) => {
            let runs = claimed.into_inner().runs;
            let is_all = runs.len() == most;
            for run in runs {
                tracing::info!(task.run = run.run, "taking over a task that nobody runs");
                Tasks::begin(mcp, run, asked_at);
            }
            if is_all {
                // There may be more; others had their turn meanwhile.
                tasks.wake.notify_one();
            }
        }
        // What was claimed all the same is offered again when its lease ends.
        Err(status) => tracing::debug!(code = ?status.code(), "tasks could not be claimed"),
    }
}

impl Tasks {
    async fn renew(&self) {
        let runs: Vec<_> = self
            .running()
            .iter()
            .map(|(task_id, running)| renew_tasks_request::Run {
                task_id: task_id.clone(),
                run: running.run,
                status_message: running.message.clone(),
            })
            .collect();
        if runs.is_empty() {
            return;
        }
        let asked_at = Instant::now();
        let request = RenewTasksRequest { runs: runs.clone() };
        let mut client = self.client.clone();
        let renewed = timeout(PATIENCE, client.renew_tasks(request)).await;
        let mut running = self.running();
        match renewed {
            Ok(Ok(renewed)) => {
                let lost = renewed.into_inner().lost;
                for run in runs {
                    let Some(entry) = running.get_mut(&run.task_id).filter(|entry| entry.run == run.run)
                    else {
                        continue;
                    };
                    if lost.contains(&run.task_id) {
                        entry.lost.cancel();
                    } else {
                        entry.lease_until = asked_at + entry.lease;
                    }
                }
            }
            Ok(Err(_)) | Err(_) => tracing::warn!(tasks = runs.len(), "the leases of tasks were not renewed"),
        }
        // Somebody else may run it from then on.
        let now = Instant::now();
        for entry in running.values().filter(|entry| entry.lease_until <= now) {
            entry.lost.cancel();
        }
    }

    /// Until the stream breaks. False: it did not begin.
    async fn hear(&self) -> bool {
        let mut client = self.client.clone();
        let events = client
            .watch_tasks(lasting(WatchTasksRequest {}, PATIENCE * 5))
            .await;
        let mut events = match events {
            Ok(events) => events.into_inner(),
            Err(status) => {
                tracing::debug!(code = ?status.code(), "changes of tasks are not heard");
                return false;
            }
        };
        let mut began = false;
        while let Ok(Some(message)) = events.message().await {
            let news = match message.event {
                Some(Event::Changed(changed)) => {
                    if matches!(
                        changed.status(),
                        TaskStatus::Cancelled | TaskStatus::Completed | TaskStatus::Failed
                    ) && let Some(running) = self.running().get(&changed.task_id)
                    {
                        running.lost.cancel();
                    }
                    if changed.wants_runner {
                        self.wake.notify_one();
                    }
                    TaskNews::Changed(changed.task_id.into())
                }
                Some(Event::Gap(_)) => {
                    self.wake.notify_one();
                    TaskNews::Gap
                }
                None => continue,
            };
            began = true;
            // Nobody listening is no fault.
            _ = self.news.send(news);
        }
        began
    }
}
