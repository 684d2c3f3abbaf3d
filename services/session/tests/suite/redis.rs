//! What people see with `redis-cli`, and what an outage of Redis does.

use std::{collections::BTreeSet, time::Duration};

use everything_proto::session::v1::{
    CancelRequest, DeleteRequest, GetRequest, Session, Touch, connect_request::Message as In,
    connect_response::Message as Out,
};
use everything_session::Config;
use redis_store::testing::RedisServer;
use tonic::Code;

use crate::harness::{ALICE, PATIENCE, Stack, append, asking, message, open, quick, text};

fn server(stack: &Stack) -> &RedisServer {
    stack.redis.as_ref().unwrap()
}

async fn keys(stack: &Stack, pattern: &str) -> BTreeSet<String> {
    server(stack).command(&["KEYS", pattern]).await
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn get(session: &Session) -> GetRequest {
    GetRequest {
        session_id: session.session_id.clone(),
        user_id: session.user_id.clone(),
    }
}

fn delete(session: &Session) -> DeleteRequest {
    DeleteRequest {
        session_id: session.session_id.clone(),
        user_id: session.user_id.clone(),
    }
}

#[tokio::test]
async fn the_documented_commands_work_as_written() {
    let stack = Stack::redis().await;
    let session = stack.session(ALICE).await;
    let sid = &session.session_id;
    append(
        &mut stack.client(0),
        &session,
        "c",
        vec![open("one"), asking("?", "q")],
    )
    .await;
    let own: BTreeSet<String> = ["owner", "state", "events"]
        .map(|what| format!("session:{{{sid}}}:{what}"))
        .into();
    assert_eq!(
        keys(&stack, "session:*:owner").await,
        [format!("session:{{{sid}}}:owner")].into()
    );
    assert_eq!(
        server(&stack)
            .command::<String>(&["GET", &format!("session:{{{sid}}}:owner")])
            .await,
        ALICE
    );
    assert!(keys(&stack, &format!("session:*{sid}*")).await == own);
    for (key, kind) in [("owner", "string"), ("state", "hash"), ("events", "stream")] {
        let key = format!("session:{{{sid}}}:{key}");
        assert_eq!(server(&stack).command::<String>(&["TYPE", &key]).await, kind);
        let ttl: i64 = server(&stack).command(&["PTTL", &key]).await;
        assert!((200_000..=300_000).contains(&ttl), "{key} {ttl}");
    }

    // Its subscribers mean that the session is live.
    let live = ["PUBSUB", "CHANNELS", "mcp:shttp:toserver:*"];
    assert!(server(&stack).command::<Vec<String>>(&live).await.is_empty());
    let mut edge = stack.edge(0, "one").await;
    edge.follow(&session, &[]).await;
    edge.attached(1, &session, "").await;
    assert_eq!(
        server(&stack).command::<Vec<String>>(&live).await,
        [format!("mcp:shttp:toserver:{{{sid}}}")]
    );
    let all: BTreeSet<String> = server(&stack).command(&["PUBSUB", "CHANNELS", "mcp:*{*"]).await;
    let expected = [
        format!("mcp:control:{{{sid}}}"),
        format!("mcp:shttp:toclient:{{{sid}}}:g"),
        format!("mcp:shttp:toserver:{{{sid}}}"),
    ];
    assert_eq!(all, expected.into());

    for key in keys(&stack, "*").await {
        let ttl: i64 = server(&stack).command(&["PTTL", &key]).await;
        assert!(ttl > 0 || key == "mcp:changes", "{key} has no time to live");
    }
    stack.client(1).delete(delete(&session)).await.unwrap();
    edge.ended(&session).await;
    assert!(keys(&stack, &format!("*{sid}*")).await.is_empty());
    eventually("nobody listens for it", async || {
        server(&stack).command::<Vec<String>>(&live).await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn use_and_open_streams_keep_a_session_and_others_end() {
    let config = Config {
        session_ttl: 1,
        ..quick()
    };
    let stack = Stack::redis_with(config).await;
    let (attached, touched, followed) = (
        stack.session(ALICE).await,
        stack.session(ALICE).await,
        stack.session(ALICE).await,
    );
    let mut edge = stack.edge(1, "one").await;
    edge.attached(1, &attached, "").await;
    edge.follow(&followed, &[]).await;
    edge.follow(&touched, &[]).await;
    let touching = async {
        loop {
            edge.say(In::Touch(Touch {
                session_ids: vec![touched.session_id.clone()],
            }))
            .await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let ended = async {
        eventually("the unused session expires", async || {
            keys(&stack, "session:*:owner").await.len() == 2
        })
        .await;
        // A few times to live later.
        tokio::time::sleep(Duration::from_secs(3)).await;
    };
    tokio::select! {
        () = touching => {}
        () = ended => {}
    }
    edge.ended(&followed).await;
    assert!(stack.client(0).get(get(&attached)).await.is_ok());
    assert!(stack.client(0).get(get(&touched)).await.is_ok());
    assert_eq!(
        stack.client(0).get(get(&followed)).await.unwrap_err().code(),
        Code::NotFound
    );
    edge.detach(1, &attached).await;
    eventually("all have ended", async || {
        keys(&stack, "session:*:owner").await.is_empty()
    })
    .await;
    eventually("nothing is left of them", async || {
        keys(&stack, "session:{*}:[se]*").await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_cut_pubsub_connection_loses_nothing() {
    let stack = Stack::redis().await;
    let session = stack.session(ALICE).await;
    let mut edge = stack.edge(0, "one").await;
    edge.follow(&session, &["q0", "q1", "q2"]).await;
    edge.attached(1, &session, "").await;
    let opened = append(&mut stack.client(1), &session, "c", vec![open("other")]).await;
    edge.attached(2, &session, &opened[0]).await;
    let mut client = stack.client(1);
    for round in 0..3 {
        let question = format!("q{round}");
        append(&mut client, &session, "c", vec![asking("?", &question)]).await;
        assert_eq!(edge.messages(2, 1).await, ["?"]);
        let _: i64 = server(&stack)
            .command(&["CLIENT", "KILL", "TYPE", "pubsub"])
            .await;
        let ids: Vec<String> = (0..20).map(|n| format!("{round}:{n}")).collect();
        for id in &ids {
            append(&mut client, &session, "g", vec![message(id)]).await;
            append(&mut client, &session, "c", vec![message(id)]).await;
        }
        let answer = everything_proto::session::v1::AnswerRequest {
            session_id: session.session_id.clone(),
            user_id: ALICE.to_owned(),
            request_id: question.clone(),
            response_json: b"{}".as_slice().into(),
        };
        assert!(client.answer(answer).await.unwrap().into_inner().accepted);
        let cancel = CancelRequest {
            session_id: session.session_id.clone(),
            user_id: ALICE.to_owned(),
            request_id_json: round.to_string().into(),
            reason: String::new(),
        };
        client.cancel(cancel).await.unwrap();
        assert_eq!(edge.messages(1, 20).await, ids);
        assert_eq!(edge.messages(2, 20).await, ids);
        edge.expect("the answer", |out| {
            matches!(out, Out::Answered(it) if it.request_id == question).then_some(())
        })
        .await;
        let wanted = round.to_string();
        edge.expect("the cancellation", |out| {
            matches!(out, Out::Cancelled(it) if it.request_id_json == wanted.as_bytes()).then_some(())
        })
        .await;
    }
    // A session that was deleted while nobody heard it has ended all the same.
    let _: i64 = server(&stack)
        .command(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .await;
    client.delete(delete(&session)).await.unwrap();
    edge.ended(&session).await;
    edge.detached(1).await;
}

#[tokio::test]
async fn an_outage_of_redis_is_a_clear_error_and_ends_by_itself() {
    let mut stack = Stack::redis().await;
    let session = stack.session(ALICE).await;
    let mut edge = stack.edge(0, "one").await;
    edge.attached(1, &session, "").await;
    stack.redis.as_mut().unwrap().kill();
    let status = stack.client(0).get(get(&session)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    stack.redis.as_mut().unwrap().restart().await;
    // It came back without its data: the session is over, and its streams are told.
    edge.detached(1).await;
    let mut fresh = None;
    eventually("sessions can be created again", async || {
        let create = everything_proto::session::v1::CreateRequest {
            user_id: ALICE.to_owned(),
            ..Default::default()
        };
        fresh = stack.client(1).create(create).await.ok();
        fresh.is_some()
    })
    .await;
    let fresh = fresh.unwrap().into_inner().session.unwrap();
    edge.attached(2, &fresh, "").await;
    append(&mut stack.client(1), &fresh, "g", vec![message("back")]).await;
    assert_eq!(text(&edge.event(2).await), "back");
}

#[tokio::test]
async fn a_replica_that_shuts_down_sends_its_edges_elsewhere() {
    let stack = Stack::redis().await;
    let session = stack.session(ALICE).await;
    let (mut moving, mut staying) = (stack.edge(0, "moving").await, stack.edge(1, "staying").await);
    staying.attached(1, &session, "").await;
    moving.attached(2, &session, "").await;
    stack.replicas[0].shutdown.cancel();
    moving
        .expect("a drain", |out| matches!(out, Out::Drain(_)).then_some(()))
        .await;
    drop(moving);
    append(&mut stack.client(1), &session, "g", vec![message("after")]).await;
    assert_eq!(staying.messages(1, 1).await, ["after"]);
}
