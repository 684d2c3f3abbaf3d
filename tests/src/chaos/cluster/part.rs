//! One process, and the supervisor that starts again what ended.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::time::sleep;

/// How long a container's supervisor takes to notice.
const RESTART_DELAY: Duration = Duration::from_millis(200);
const LOOK: Duration = Duration::from_millis(20);
/// Lines of a log that failure messages quote.
const LOG_LINES: usize = 40;

/// A signal that faults use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Kill,
    Terminate,
    Stop,
    Continue,
}

/// How a process is run.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: String,
    pub program: PathBuf,
    pub environment: Vec<(String, String)>,
    pub log: PathBuf,
}

/// All processes of one cluster. Clones are the same processes, which end with the last clone.
#[derive(Clone)]
pub struct Supervisor(Arc<Mutex<Processes>>);

#[derive(Default)]
struct Processes {
    running: Vec<Running>,
    stopped: bool,
}

struct Running {
    part: Part,
    child: Option<Child>,
    ended: Option<Instant>,
    starts: u32,
}

impl Supervisor {
    /// Looks after its processes until its last clone is gone.
    pub fn start() -> Self {
        let supervisor = Self(Arc::default());
        let weak = Arc::downgrade(&supervisor.0);
        tokio::spawn(async move {
            while let Some(processes) = weak.upgrade() {
                lock(&processes).look();
                drop(processes);
                sleep(LOOK).await;
            }
        });
        supervisor
    }

    pub fn run(&self, part: Part) -> anyhow::Result<()> {
        let child = part.start()?;
        lock(&self.0).running.push(Running {
            part,
            child: Some(child),
            ended: None,
            starts: 1,
        });
        Ok(())
    }

    /// Says whether there was a process to send it to.
    pub fn signal(&self, name: &str, signal: Signal) -> bool {
        // Under the lock the child is not reaped, so its id is its own.
        let processes = lock(&self.0);
        let running = processes.running.iter().find(|running| running.part.name == name);
        let Some(child) = running.and_then(|running| running.child.as_ref()) else {
            return false;
        };
        let status = Command::new("kill")
            .arg(signal.flag())
            .arg(child.id().to_string())
            .status();
        status.is_ok_and(|status| status.success())
    }

    /// How often the process was started.
    pub fn starts(&self, name: &str) -> u32 {
        let processes = lock(&self.0);
        let running = processes.running.iter().find(|running| running.part.name == name);
        running.map_or(0, |running| running.starts)
    }

    pub fn part(&self, name: &str) -> Option<Part> {
        let processes = lock(&self.0);
        let running = processes.running.iter().find(|running| running.part.name == name);
        running.map(|running| running.part.clone())
    }

    /// Changes what the process is given when it is next started.
    pub fn set_environment(&self, name: &str, change: impl Fn(&mut Vec<(String, String)>)) {
        let mut processes = lock(&self.0);
        for running in &mut processes.running {
            if running.part.name == name {
                change(&mut running.part.environment);
            }
        }
    }

    /// Names and ids of what runs now.
    pub fn pids(&self) -> Vec<(String, u32)> {
        let processes = lock(&self.0);
        let pid = |running: &Running| Some((running.part.name.clone(), running.child.as_ref()?.id()));
        processes.running.iter().filter_map(pid).collect()
    }

    /// The end of every log.
    pub fn logs(&self) -> String {
        let processes = lock(&self.0);
        let tail = |part: &Part| {
            let text = std::fs::read_to_string(&part.log).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
        };
        let quoted = |running: &Running| format!("--- {}\n{}\n", running.part.name, tail(&running.part));
        processes.running.iter().map(quoted).collect()
    }

    /// Ends everything, for good.
    pub fn end(&self) {
        let mut processes = lock(&self.0);
        processes.stopped = true;
        for running in &mut processes.running {
            running.kill();
        }
    }
}

impl Processes {
    fn look(&mut self) {
        if self.stopped {
            return;
        }
        for running in &mut self.running {
            let ended = running
                .child
                .as_mut()
                .is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if !ended {
                continue;
            }
            running.child = None;
            let since = *running.ended.get_or_insert_with(Instant::now);
            if since.elapsed() < RESTART_DELAY {
                continue;
            }
            match running.part.start() {
                Ok(child) => {
                    running.child = Some(child);
                    running.ended = None;
                    running.starts += 1;
                }
                Err(error) => tracing::error!(%error, part = running.part.name, "not started again"),
            }
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for running in &mut self.running {
            running.kill();
        }
    }
}

impl Running {
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

impl Part {
    fn start(&self) -> anyhow::Result<Child> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .context("cannot write a log")?;
        Command::new(&self.program)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))
    }

    /// Whether it serves, as a container's health check would ask.
    pub async fn is_healthy(&self) -> bool {
        let mut check = tokio::process::Command::new(&self.program);
        check
            .arg("healthcheck")
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        matches!(check.status().await, Ok(status) if status.success())
    }

    pub async fn healthy_within(&self, time: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + time;
        while !self.is_healthy().await {
            ensure!(
                Instant::now() < deadline,
                "{} does not get well in {time:?}",
                self.name
            );
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Signal {
    fn flag(self) -> &'static str {
        match self {
            Self::Kill => "-KILL",
            Self::Terminate => "-TERM",
            Self::Stop => "-STOP",
            Self::Continue => "-CONT",
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
