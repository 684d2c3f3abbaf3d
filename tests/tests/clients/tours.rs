use std::time::Duration;

use redis_store::testing::RedisServer;
use system_tests::{Stack, tools};
use tokio::time::{Instant, sleep, timeout};

use super::{
    gaps,
    program::{Program, run},
    rmcp,
    script::{Era, Script},
};

/// A tour takes some seconds; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    TypeScript,
    Python,
    Rmcp,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typescript_modern() {
    tour(Client::TypeScript, "modern").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typescript_legacy() {
    tour(Client::TypeScript, "legacy").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typescript_auto() {
    tour(Client::TypeScript, "auto").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_modern() {
    tour(Client::Python, "modern").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_legacy() {
    tour(Client::Python, "legacy").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_auto() {
    tour(Client::Python, "auto").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rmcp_modern() {
    tour(Client::Rmcp, "modern").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rmcp_legacy() {
    tour(Client::Rmcp, "legacy").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rmcp_auto() {
    tour(Client::Rmcp, "auto").await;
}

/// Two edges in turn, two replicas of each service, Redis, and a login.
async fn tour(client: Client, mode: &str) {
    let stack = Stack::builder().processes().redis().edges(2).replicas(2);
    // What happens by itself happens often, so that waiting for it takes no time.
    let stack = stack.setting("RESOURCE_UPDATE_PERIOD_MS", "200");
    let stack = stack.start().await.unwrap();
    let script = Script::read();
    let arguments = [stack.url("/mcp"), mode.to_owned()];
    let touring = async {
        match client {
            Client::TypeScript => {
                let program = Program {
                    program: tools::node().unwrap(),
                    arguments: vec![tools::root().join("tests/clients/node/tour.cjs").into()],
                };
                run(program, &arguments, &stack).await
            }
            Client::Python => {
                let program = Program {
                    program: tools::python().unwrap(),
                    arguments: vec!["-m".into(), "everything_client.tour".into()],
                };
                run(program, &arguments, &stack).await
            }
            Client::Rmcp => rmcp::tour(&script, mode, &stack).await,
        }
    };
    let report = timeout(DEADLINE, touring).await.expect("the tour ends in time");
    let mode_of = &script.modes[mode];
    let problems = script.problems(mode_of, gaps::of(client, mode), &report);
    assert!(
        problems.is_empty(),
        "{client:?} {mode}:\n{problems}\n{}",
        stack.logs()
    );
    if mode_of.era == Era::Modern {
        assert_eq!(
            sessions(&stack).await,
            [""; 0],
            "a session without being asked for"
        );
    }
    all_sessions_are_gone(&stack).await;
}

async fn all_sessions_are_gone(stack: &Stack) {
    let end = Instant::now() + PATIENCE;
    loop {
        let left = sessions(stack).await;
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "left behind: {left:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn sessions(stack: &Stack) -> Vec<String> {
    let redis: &RedisServer = stack.redis().unwrap();
    redis.command(&["KEYS", "session:*:owner"]).await
}
