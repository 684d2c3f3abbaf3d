//! Clients in other languages: programs that go on the tour, and say one JSON line about each step.

use std::{ffi::OsString, path::PathBuf, process::Stdio};

use serde::Deserialize;
use serde_json::{Value, json};
use system_tests::{Browser, Stack, tools};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{ChildStdin, Command},
};

use super::script::{Outcome, Report};

pub struct Program {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

/// What a program says.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Asks {
        ask: Question,
        #[serde(default)]
        url: Option<String>,
    },
    Saw {
        step: String,
        saw: Value,
    },
    Unsupported {
        step: String,
        unsupported: String,
    },
    Failed {
        step: String,
        failed: String,
    },
}

/// What it cannot do by itself.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    /// Open a page in a browser, and log in.
    Browse,
    /// Break off every open stream.
    #[serde(rename = "break streams")]
    BreakStreams,
}

/// Runs a program to its end. What it said, and where it broke down.
pub async fn run(program: Program, arguments: &[String], stack: &Stack) -> Report {
    let mut child = Command::new(program.program)
        .args(program.arguments)
        .args(arguments)
        .current_dir(tools::root().join("tests/clients/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NODE_PATH", tools::root().join(".tools/node/node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut answers = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut errors = child.stderr.take().unwrap();
    let complaints = tokio::spawn(async move {
        let mut text = String::new();
        _ = errors.read_to_string(&mut text).await;
        text
    });
    let mut report = Report::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        match serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")) {
            Line::Asks { ask, url } => answer(ask, url, stack, &mut answers).await,
            Line::Saw { step, saw } => report.push((step, Outcome::Saw(saw))),
            Line::Unsupported { step, unsupported } => report.push((step, Outcome::Unsupported(unsupported))),
            Line::Failed { step, failed } => report.push((step, Outcome::Failed(failed))),
        }
    }
    let status = child.wait().await.unwrap();
    if !status.success() {
        let complaints = complaints.await.unwrap();
        report.push((
            "end".to_owned(),
            Outcome::Failed(format!("{status}\n{complaints}")),
        ));
    }
    report
}

async fn answer(question: Question, url: Option<String>, stack: &Stack, answers: &mut ChildStdin) {
    let answer = match question {
        Question::Browse => {
            let page = url.unwrap().parse().unwrap();
            let mut browser = Browser::of("typescript").unwrap();
            json!({ "url": browser.follow(page).await.unwrap() })
        }
        // The call's and the session's; one that was given up a moment ago may still count.
        Question::BreakStreams => json!({ "both_broken": stack.break_streams() >= 2 }),
    };
    answers.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
    answers.flush().await.unwrap();
}
