//! Redis away, slow, full or cut off.

use std::time::Duration;

use serde_json::json;
use system_tests::Stack;
use tokio::time::{Instant, sleep, timeout};

use super::{
    faults::{Load, is_unavailable, readiness, redis_connections, signal, token, until},
    wire::{NEWEST, Session},
};

/// Everything is back within this.
const RECOVERY: Duration = Duration::from_secs(15);

pub async fn sessions(stack: &Stack, count: usize, token: Option<&str>) -> Vec<Session> {
    let mut sessions = Vec::new();
    for number in 0..count {
        let edge = stack.edge_url(number % 2, "");
        sessions.push(Session::begin(&edge, token, NEWEST).await);
    }
    sessions
}

/// Begins a session, or says why not.
pub async fn begin(stack: &Stack, token: Option<&str>) -> Result<Session, super::wire::Answer> {
    let mut session = Session {
        client: super::wire::client(),
        origin: stack.edge_url(0, ""),
        token: token.map(str::to_owned),
        id: String::new(),
        revision: NEWEST.to_owned(),
    };
    let answer = session.send(session.initialize()).await;
    match answer.header("mcp-session-id") {
        Some(id) => session.id = id.to_owned(),
        None => return Err(answer),
    }
    Ok(session)
}

/// Waits until these sessions work at either edge, and their user can begin new ones.
pub async fn all_is_back(stack: &Stack, sessions: &[Session], within: Duration) {
    let token = sessions[0].token.as_deref();
    until("a new session", within, || async {
        begin(stack, token)
            .await
            .map(drop)
            .map_err(|answer| format!("{answer:?}"))
    })
    .await;
    for session in sessions {
        for edge in 0..2 {
            let session = session.at(&stack.edge_url(edge, ""));
            until("an old session", within, || async {
                session.echoes().await.map_err(|answer| format!("{answer:?}"))
            })
            .await;
        }
    }
}

/// Reference failure 3: Redis killed and restarted under load, its data kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_killed_and_restarted_under_load_loses_nothing() {
    let mut stack = Stack::builder()
        .processes()
        .durable_redis()
        .edges(2)
        .start()
        .await
        .unwrap();
    let token = token(&stack, "alice").await;
    let sessions = sessions(&stack, 6, Some(&token)).await;
    let load = Load::start(&sessions);
    sleep(Duration::from_secs(1)).await;
    stack.redis_mut().unwrap().kill();
    // Clear errors while it is away.
    let refused = until("a refusal", Duration::from_secs(10), || async {
        match begin(&stack, Some(&token)).await {
            Ok(_) => Err("a session began without redis".to_owned()),
            Err(answer) => Ok(answer),
        }
    })
    .await;
    is_unavailable(&refused).unwrap();
    sleep(Duration::from_secs(1)).await;
    stack.redis_mut().unwrap().restart().await;
    // By itself.
    all_is_back(&stack, &sessions, RECOVERY).await;
    let tally = load.stop().await;
    assert!(tally.wrong.is_empty(), "{tally:?}\n{}", stack.logs());
    assert!(tally.ok > 0, "{tally:?}");
    // And from now on nothing is refused.
    let load = Load::start(&sessions);
    sleep(Duration::from_secs(1)).await;
    let tally = load.stop().await;
    assert!(
        tally.wrong.is_empty() && tally.refused == 0 && tally.ok > 0,
        "{tally:?}"
    );
}

/// Reference failures 4 and 7: Redis at `maxclients`. Sessions, streams and requests take no connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_at_maxclients_is_not_noticed() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let first = sessions(&stack, 2, None).await;
    let _stream = first[0].listen().await;
    for session in &first {
        session.echoes().await.unwrap();
    }
    let client = redis::Client::open(stack.redis().unwrap().url()).unwrap();
    let mut admin = client.get_multiplexed_async_connection().await.unwrap();
    let before = {
        let clients: String = redis::cmd("CLIENT")
            .arg("LIST")
            .query_async(&mut admin)
            .await
            .unwrap();
        clients.lines().count()
    };
    let full: String = redis::cmd("CONFIG")
        .arg(&["SET", "maxclients", &before.to_string()])
        .query_async(&mut admin)
        .await
        .unwrap();
    assert_eq!(full, "OK");

    let many = sessions(&stack, 20, None).await;
    let mut streams = Vec::new();
    for session in &many {
        streams.push(session.listen().await);
        streams.push(session.at(&stack.edge_url(1, "")).listen().await);
    }
    let load = Load::start(&many);
    sleep(Duration::from_secs(1)).await;
    let tally = load.stop().await;
    assert!(
        tally.wrong.is_empty() && tally.refused == 0 && tally.ok > 0,
        "{tally:?}\n{}",
        stack.logs()
    );
    let clients: String = redis::cmd("CLIENT")
        .arg("LIST")
        .query_async(&mut admin)
        .await
        .unwrap();
    assert!(
        clients.lines().count() <= before,
        "connections grew from {before}:\n{clients}"
    );
}

/// Reference failure 9: connections for pub/sub are cut again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pub_sub_connections_cut_in_a_loop_lose_no_call() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let sessions = sessions(&stack, 4, None).await;
    let load = Load::start(&sessions);
    // Calls whose question and answer cross edges, which is what needs pub/sub.
    let asking = sessions.clone();
    let (here, there) = (stack.edge_url(0, ""), stack.edge_url(1, ""));
    let questions = tokio::spawn(async move {
        let deadline = Instant::now() + Duration::from_secs(4);
        let mut number = 0;
        while Instant::now() < deadline {
            let session = &asking[number % asking.len()];
            ask_across(&session.at(&here), &session.at(&there), number).await;
            number += 1;
        }
        number
    });
    let mut cut = 0;
    while !questions.is_finished() {
        cut += stack
            .redis()
            .unwrap()
            .command::<usize>(&["CLIENT", "KILL", "TYPE", "pubsub"])
            .await;
        sleep(Duration::from_millis(100)).await;
    }
    let asked = questions.await.unwrap();
    let tally = load.stop().await;
    assert!(cut > 0, "no connection was cut");
    assert!(asked > 0, "nothing was asked");
    assert!(
        tally.wrong.is_empty() && tally.refused == 0 && tally.ok > 0,
        "{tally:?}\n{}",
        stack.logs()
    );
}

/// A call at one edge asks the client, who answers at another.
pub async fn ask_across(here: &Session, there: &Session, number: usize) {
    let id = format!("ask-{number}");
    let call = here.tool(id.as_str(), "sampleLLM", json!({ "prompt": "?" }));
    let mut stream = here.open(call).await;
    let question = stream
        .find(|message| message["method"] == "sampling/createMessage")
        .await;
    let said = format!("said {number}");
    let answer = json!({ "jsonrpc": "2.0", "id": question["id"], "result": {
        "role": "assistant", "model": "m", "content": { "type": "text", "text": said } } });
    let taken = there.send(there.post(answer.to_string())).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    let result = stream.find(|message| message["id"] == id).await;
    let text = result["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default();
    assert!(text.contains(&said), "{result}");
}

/// Reference failure 10: Redis hangs, which no closed connection tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_stopped_is_a_clear_error_in_time_and_readyz_says_why() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .auth_disabled()
        .start()
        .await
        .unwrap();
    let sessions = sessions(&stack, 2, None).await;
    let cold = begin(&stack, None).await.unwrap().at(&stack.edge_url(1, ""));
    let pid = stack.redis().unwrap().pid().unwrap();
    signal(pid, "STOP");
    let stopped = Instant::now();
    let patience = Duration::from_secs(10);
    let new = timeout(patience, begin(&stack, None))
        .await
        .expect("initialize is answered in time");
    is_unavailable(&new.err().expect("no session without redis")).unwrap();
    let call = timeout(patience, cold.send(cold.call(1, "ping", json!({}))))
        .await
        .expect("a call is answered in time");
    is_unavailable(&call).unwrap();
    let (status, why) = until("/readyz", patience, || async {
        match readiness(&stack, 0).await {
            // Each service notices by itself.
            (503, why) if why["dependencies"]["session"] != "ok" => Ok((503, why)),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!((status, &why["status"]), (503, &json!("not ready")), "{why}");
    assert!(
        stopped.elapsed() < Duration::from_secs(25),
        "slow: {:?}",
        stopped.elapsed()
    );

    signal(pid, "CONT");
    for session in &sessions {
        until("an old session", RECOVERY, || async {
            session.echoes().await.map_err(|answer| format!("{answer:?}"))
        })
        .await;
    }
    until("a cold session", RECOVERY, || async {
        cold.is_well().await.map_err(|answer| format!("{answer:?}"))
    })
    .await;
    until("/readyz", RECOVERY, || async {
        match readiness(&stack, 0).await {
            (200, _) => Ok(()),
            not_ready => Err(format!("{not_ready:?}")),
        }
    })
    .await;
}

/// Reference failure 7: no connection per request, session or stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_redis_are_constant() {
    let stack = Stack::builder()
        .processes()
        .redis()
        .edges(2)
        .start()
        .await
        .unwrap();
    let token = token(&stack, "alice").await;
    let first = sessions(&stack, 1, Some(&token)).await;
    let _stream = first[0].listen().await;
    first[0].echoes().await.unwrap();
    let before = redis_connections(&stack).await;
    let many = sessions(&stack, 10, Some(&token)).await;
    let load = Load::start(&many);
    let mut streams = Vec::new();
    for session in &many {
        streams.push(session.listen().await);
    }
    sleep(Duration::from_millis(500)).await;
    let during = redis_connections(&stack).await;
    let tally = load.stop().await;
    assert!(tally.wrong.is_empty() && tally.refused == 0, "{tally:?}");
    assert!(during <= before, "{before} connections became {during}");
    // Two per process that has a store: commands and subscriptions.
    assert!(before <= 3 * 2 + 2, "{before} connections for three services");
}
