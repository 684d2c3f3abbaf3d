//! Ways to make parts fail, and to see who notices.

use std::{
    future::Future,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use system_tests::{Browser, Stack};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::wire::{Answer, Session};

/// How long a call may take while something is broken, before it counts as hanging.
const HANGS: Duration = Duration::from_secs(20);

/// Sends a signal to a process: `STOP`, `CONT`, `TERM`.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success(), "kill -{name} {pid}");
    let deadline = Instant::now() + Duration::from_secs(5);
    while name == "STOP" && !is_stopped(pid) {
        assert!(Instant::now() < deadline, "{pid} does not stop");
        std::thread::yield_now();
    }
}

/// Whether every thread of the process has heard it.
fn is_stopped(pid: u32) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")).ok())
        .all(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")))
}

/// Waits until something holds; fails with what was seen last.
pub async fn until<T, F>(what: &str, within: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + within;
    loop {
        let problem = match look().await {
            Ok(seen) => return seen,
            Err(problem) => problem,
        };
        assert!(
            Instant::now() < deadline,
            "{what}: not within {within:?}: {problem}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// An access token of this user.
pub async fn token(stack: &Stack, user: &str) -> String {
    let mut browser = Browser::of(user).unwrap();
    browser.log_in(&stack.url("/mcp")).await.unwrap().access_token
}

/// The process id of a part.
pub fn pid(stack: &Stack, part: &str) -> u32 {
    let pids = stack.pids();
    pids.iter()
        .find(|(name, _)| name == part)
        .unwrap_or_else(|| panic!("no {part} in {pids:?}"))
        .1
}

/// Open descriptors of a process.
pub fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Connections to Redis, without this one.
pub async fn redis_connections(stack: &Stack) -> usize {
    let clients: String = stack.redis().unwrap().command(&["CLIENT", "LIST"]).await;
    clients.lines().count() - 1
}

/// What `/readyz` of an edge says.
pub async fn readiness(stack: &Stack, edge: usize) -> (u16, Value) {
    let answer = super::wire::client()
        .get(stack.edge_url(edge, "/readyz"))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A clear refusal: the server cannot now, says so in JSON-RPC, and when to come back.
pub fn is_unavailable(answer: &Answer) -> Result<(), String> {
    let right = answer.status == 503
        && answer.header("retry-after").is_some()
        && answer.message()["error"]["code"] == -32603
        && answer.message()["error"]["message"].is_string();
    if right { Ok(()) } else { Err(format!("{answer:?}")) }
}

/// Calls that go on while something breaks.
pub struct Load {
    stop: CancellationToken,
    workers: JoinSet<Tally>,
}

/// How the calls went.
#[derive(Debug, Default)]
pub struct Tally {
    pub ok: usize,
    /// Clear errors: the server said that it cannot now.
    pub refused: usize,
    /// Everything that must not happen.
    pub wrong: Vec<String>,
}

impl Load {
    /// One worker per session. Each calls through the feature service, in turn with and without progress.
    pub fn start(sessions: &[Session]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let stop = CancellationToken::new();
        let mut workers = JoinSet::new();
        for session in sessions {
            let (session, stop) = (session.clone(), stop.clone());
            workers.spawn(async move {
                let mut tally = Tally::default();
                while !stop.is_cancelled() {
                    let number = NEXT.fetch_add(1, Ordering::Relaxed);
                    let word = format!("call-{number}");
                    tally.add(&call(&session, &word, number.is_multiple_of(2)).await);
                    sleep(Duration::from_millis(5)).await;
                }
                tally
            });
        }
        Self { stop, workers }
    }

    pub async fn stop(mut self) -> Tally {
        self.stop.cancel();
        let mut total = Tally::default();
        while let Some(tally) = self.workers.join_next().await {
            let Tally { ok, refused, wrong } = tally.unwrap();
            total.ok += ok;
            total.refused += refused;
            total.wrong.extend(wrong);
        }
        total
    }
}

enum Outcome {
    Ok,
    Refused,
    Wrong(String),
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Wrong(problem) => self.wrong.push(problem.clone()),
        }
    }
}

async fn call(session: &Session, word: &str, with_progress: bool) -> Outcome {
    let request = if with_progress {
        let params = json!({ "name": "longRunningOperation", "arguments": { "duration": 0.02, "steps": 2 },
            "_meta": { "progressToken": word } });
        session.call(word, "tools/call", params)
    } else {
        session.tool(word, "echo", json!({ "message": word }))
    };
    let Ok(answer) = timeout(HANGS, session.send(request)).await else {
        return Outcome::Wrong(format!("{word} hangs"));
    };
    if is_unavailable(&answer).is_ok() {
        return Outcome::Refused;
    }
    if answer.status != 200 {
        return Outcome::Wrong(format!("{word}: {answer:?}"));
    }
    let Some(message) = answer.messages().pop() else {
        return Outcome::Wrong(format!("{word} is not answered: {answer:?}"));
    };
    if message["id"] != word {
        return Outcome::Wrong(format!("{word} got another's answer: {message}"));
    }
    match message["error"]["code"].as_i64() {
        None if message["result"]["content"][0]["text"].is_string() => Outcome::Ok,
        // After a stream has begun, a refusal can only come on it.
        Some(-32603) => Outcome::Refused,
        _ => Outcome::Wrong(format!("{word}: {message}")),
    }
}

/// What Redis is told, as `MONITOR` shows it.
pub struct Monitor {
    lines: Arc<tokio::sync::Mutex<String>>,
    _reader: tokio_util::task::AbortOnDropHandle<()>,
}

impl Monitor {
    pub async fn of(stack: &Stack) -> Self {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let url: url::Url = stack.redis().unwrap().url().parse().unwrap();
        let address = (url.host_str().unwrap().to_owned(), url.port().unwrap());
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"MONITOR\r\n").await.unwrap();
        let lines = Arc::new(tokio::sync::Mutex::new(String::new()));
        let sink = lines.clone();
        let reader = tokio::spawn(async move {
            let mut chunk = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = stream.read(&mut chunk).await {
                sink.lock()
                    .await
                    .push_str(&String::from_utf8_lossy(&chunk[..length]));
            }
        });
        let monitor = Self {
            lines,
            _reader: tokio_util::task::AbortOnDropHandle::new(reader),
        };
        until("MONITOR", Duration::from_secs(5), || async {
            if monitor.seen().await.contains("+OK") {
                Ok(())
            } else {
                Err("no answer".to_owned())
            }
        })
        .await;
        monitor
    }

    /// Everything so far.
    pub async fn seen(&self) -> String {
        self.lines.lock().await.clone()
    }
}
