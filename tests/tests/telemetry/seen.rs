//! Ways to see what a process tells.

use std::{collections::BTreeMap, process::Command, time::Duration};

use system_tests::Stack;
use tokio::time::{Instant, sleep};

/// How long anything may take to be seen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `look` finds something.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not seen");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that a process has logged.
pub fn log(stack: &Stack, part: &str) -> String {
    std::fs::read_to_string(stack.directory().join(format!("{part}.log"))).unwrap_or_default()
}

/// An address at the admin listener of a part that was started with `ADMIN_ADDR=127.0.0.1:0`.
pub async fn admin(stack: &Stack, part: &str, path: &str) -> String {
    let address = eventually("the admin listener's address", async || {
        let log = log(stack, part);
        let line = log
            .lines()
            .find(|line| line.contains("the admin listener serves"))?;
        let (_, rest) = line.split_once("127.0.0.1:")?;
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("127.0.0.1:{port}"))
    })
    .await;
    format!("http://{address}{path}")
}

/// One metric of the Prometheus text.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    pub samples: Vec<Sample>,
}

#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// Reads the Prometheus text of a part (exposition format 0.0.4).
pub async fn prometheus(stack: &Stack, part: &str) -> BTreeMap<String, Family> {
    let answer = reqwest::get(admin(stack, part, "/metrics").await).await.unwrap();
    let content_type = answer.headers()["content-type"].to_str().unwrap();
    assert!(
        content_type.starts_with("text/plain; version=0.0.4"),
        "{content_type}"
    );
    let text = answer.text().await.unwrap();
    let mut families = BTreeMap::<String, Family>::new();
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# TYPE ") {
            let (name, kind) = described.split_once(' ').unwrap();
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            let sample = sample(line);
            let family = [
                &*sample.name,
                sample.name.trim_end_matches("_bucket"),
                sample.name.trim_end_matches("_sum"),
                sample.name.trim_end_matches("_count"),
            ]
            .into_iter()
            .find(|name| families.contains_key(*name))
            .unwrap_or_else(|| panic!("no type of {line}"))
            .to_owned();
            families.get_mut(&family).unwrap().samples.push(sample);
        }
    }
    families
}

fn sample(line: &str) -> Sample {
    let (named, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = named.trim_end_matches('}').split_once('{').unwrap_or((named, ""));
    let labels = labels
        .split("\",")
        .filter_map(|label| label.split_once("=\""))
        .map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()));
    Sample {
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.parse().unwrap(),
    }
}

/// The process id of a part.
pub fn pid(stack: &Stack, part: &str) -> u32 {
    let pids = stack.pids();
    let found = pids.iter().find(|(name, _)| name == part);
    found.unwrap_or_else(|| panic!("no {part} in {pids:?}")).1
}

/// Has a process end in order, and says how long that took.
pub async fn terminate(stack: &Stack, part: &str) -> Duration {
    let pid = pid(stack, part);
    let began = Instant::now();
    let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
    assert!(sent.unwrap().success(), "kill {pid}");
    eventually("the end of the process", async || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Ended, and not yet waited for by the harness.
        let state = stat.rsplit_once(") ").map_or("Z", |(_, rest)| rest);
        state.starts_with('Z').then_some(())
    })
    .await;
    began.elapsed()
}
