//! Node programs of `tests/clients/node`.

use std::{path::PathBuf, process::Stdio, time::Duration};

use system_tests::tools;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// The longest of them, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// A program that goes on until it is dropped.
pub struct Running {
    pub lines: Lines<BufReader<ChildStdout>>,
    pub child: Child,
}

/// A program, to be run.
pub fn command(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(tools::node().unwrap());
    command
        .arg(tools::root().join("tests/clients/node").join(script))
        .args(arguments)
        .env("NODE_PATH", tools::root().join(".tools/node/node_modules"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs it to its end, which must be a good one; answers with what it printed.
pub async fn run(command: &mut Command) -> String {
    let output = timeout(DEADLINE, command.output())
        .await
        .expect("it ends in time")
        .unwrap();
    let text = [output.stdout, output.stderr]
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .concat();
    assert!(output.status.success(), "{command:?}\n{text}");
    text
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { lines, child }
    }

    /// The next line that `wanted` accepts.
    pub async fn line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let reading = async {
            loop {
                let line = self.lines.next_line().await.unwrap().expect("it goes on");
                if wanted(&line) {
                    return line;
                }
            }
        };
        timeout(DEADLINE, reading).await.expect("it says so in time")
    }
}

/// Where screenshots are kept.
pub fn artifacts(test: &str) -> PathBuf {
    let directory = tools::root().join("test-artifacts/login").join(test);
    _ = std::fs::remove_dir_all(&directory);
    directory
}
