//! Exporters that are slow, absent or swallowed by a black hole cost requests nothing.

use std::time::Duration;

use serde_json::json;
use system_tests::{OtlpReceiver, Stack, client::McpClient};
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::seen::{eventually, log, pid, terminate};

/// Whatever else the machine does comes in bursts; what the exporter cost would be there in every round.
const ROUNDS: usize = 5;
/// Calls of a round, each way.
const CALLS: usize = 80;
/// Calls that fill the queue of 2048 spans: each has three or more.
const FILLING: usize = 1000;

/// What an exporter waits for a receiver that answers, however busy the machine is.
const PATIENT: Duration = Duration::from_secs(10);
/// For one that never does.
const IMPATIENT: Duration = Duration::from_millis(300);

/// Takes connections and never reads from them.
async fn black_hole() -> (String, tokio::task::AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let swallowing = tokio::spawn(async move {
        let mut swallowed: Vec<TcpStream> = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            swallowed.push(stream);
        }
    });
    (endpoint, swallowing.abort_handle())
}

async fn start(endpoint: &str, timeout: Duration) -> (Stack, McpClient) {
    let stack = Stack::builder()
        .all_in_one()
        .auth_disabled()
        .setting("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .setting("OTEL_EXPORTER_OTLP_TIMEOUT", &timeout.as_millis().to_string())
        .setting("OTEL_BSP_SCHEDULE_DELAY", "100")
        .setting("OTEL_METRIC_EXPORT_INTERVAL", "100")
        .setting("RUST_LOG", "telemetry=info,warn")
        .start()
        .await
        .unwrap();
    // Straight to the edge: the harness's proxy would be measured too.
    let client = McpClient::connect(&stack.edge_url(0, "/mcp"), "2025-11-25", json!({}), None)
        .await
        .unwrap();
    (stack, client)
}

async fn call(client: &McpClient) -> Duration {
    let began = Instant::now();
    client.call("ping", json!({})).await.unwrap();
    began.elapsed()
}

/// Bytes that a process holds in memory.
fn resident(stack: &Stack) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid(stack, "edge-0"))).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024
}

fn quantile(times: &mut [Duration], of: f64) -> Duration {
    times.sort();
    times[((times.len() - 1) as f64 * of) as usize]
}

/// How much slower calls with a black hole are than those with a receiver that takes what it gets.
#[derive(Debug)]
struct Ratios {
    median: f64,
    tail: f64,
}

/// In turns, so that both have the same machine.
async fn compare(swallowed: &McpClient, healthy: &McpClient) -> Ratios {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        with.push(call(swallowed).await);
        without.push(call(healthy).await);
    }
    let mut ratio =
        |of: f64| quantile(&mut with, of).as_secs_f64() / quantile(&mut without, of).as_secs_f64();
    Ratios {
        median: ratio(0.5),
        tail: ratio(0.95),
    }
}

/// Issue 6, proof 3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_slows_no_request_and_fills_no_memory() {
    let receiver = OtlpReceiver::start().await.unwrap();
    let (hole, _swallowing) = black_hole().await;
    let (healthy_stack, healthy) = start(&receiver.endpoint(), PATIENT).await;
    let (stack, swallowed) = start(&hole, IMPATIENT).await;
    for _ in 0..FILLING / 2 {
        call(&swallowed).await;
        call(&healthy).await;
    }
    for _ in 0..FILLING / 2 {
        call(&swallowed).await;
    }
    let filled = resident(&stack);

    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(compare(&swallowed, &healthy).await);
    }
    let least = |of: fn(&Ratios) -> f64| rounds.iter().map(of).fold(f64::INFINITY, f64::min);
    let (median, tail) = (least(|ratios| ratios.median), least(|ratios| ratios.tail));
    assert!(median < 1.25 && tail < 1.5, "slower: {rounds:?}");

    for _ in 0..FILLING {
        call(&swallowed).await;
    }
    let grown = resident(&stack).saturating_sub(filled);
    assert!(
        grown < 8 * 1024 * 1024,
        "grew by {grown} bytes after the queue was full"
    );

    // Many exports have failed, and each signal said so once.
    let told = || {
        log(&stack, "edge-0")
            .matches("telemetry cannot be exported")
            .count()
    };
    eventually("what is told of the exporters", async || {
        (told() == 2).then_some(())
    })
    .await;
    for _ in 0..20 {
        call(&swallowed).await;
    }
    assert_eq!(told(), 2, "{}", log(&stack, "edge-0"));
    assert!(!log(&healthy_stack, "edge-0").contains("cannot be exported"));
    // Nor does it keep the process from ending.
    let took = terminate(&stack, "edge-0").await;
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_receiver_is_told_once_and_so_is_its_return() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (stack, client) = start(&format!("http://{address}"), PATIENT).await;
    let count = |what: &str| log(&stack, "edge-0").matches(what).count();
    eventually("both signals fail", async || {
        call(&client).await;
        (count("telemetry cannot be exported") == 2).then_some(())
    })
    .await;
    let receiver = OtlpReceiver::start_at(address).await.unwrap();
    eventually("both signals are back", async || {
        call(&client).await;
        (count("telemetry is exported again") == 2).then_some(())
    })
    .await;
    assert_eq!(count("telemetry cannot be exported"), 2);
    assert!(!receiver.spans().is_empty() && !receiver.metrics().is_empty());
}
