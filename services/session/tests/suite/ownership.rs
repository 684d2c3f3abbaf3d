use everything_proto::{
    feature::v1::LogLevel,
    session::v1::{
        AnswerRequest, AppendRequest, CancelRequest, CreateRequest, DeleteRequest, Follow, GetRequest,
        Handshake, Session, UpdateRequest, connect_request::Message as In, detached::Reason,
    },
};
use tonic::{Code, Status};

use crate::{
    harness::{ALICE, Client, Edge, MALLORY, Stack, message, open},
    on_both_stores,
};

on_both_stores!(
    a_session_is_what_was_created,
    a_stranger_is_told_not_found_everywhere,
    a_deleted_session_ends_everywhere,
    bad_fields_are_named,
);

async fn a_session_is_what_was_created(stack: Stack) {
    let created = stack.session(ALICE).await;
    assert_eq!(created.session_id.len(), 43);
    assert_eq!(created.session_key.len(), 43);
    assert_ne!(created.session_key, created.session_id);
    assert_eq!(created.ttl_ms, 300_000);
    assert!(!created.initialized);
    let names = |session: &Session| (session.session_id.clone(), session.user_id.clone());
    let (session_id, user_id) = names(&created);
    let mut other = stack.client(1);
    let update = UpdateRequest {
        session_id: session_id.clone(),
        user_id: user_id.clone(),
        log_level: Some(LogLevel::Warning.into()),
        subscribe: vec![
            "test://b".to_owned(),
            "test://a".to_owned(),
            "test://a".to_owned(),
        ],
        unsubscribe: vec!["test://none".to_owned()],
        initialized: Some(true),
        handshake: Some(Handshake {
            protocol_version: "2024-11-05".to_owned(),
            client_info_json: b"{\"name\":\"late\"}".as_slice().into(),
            client_capabilities_json: b"{\"roots\":{}}".as_slice().into(),
        }),
    };
    let updated = other.update(update).await.unwrap().into_inner().session.unwrap();
    let read = stack
        .client(0)
        .get(GetRequest { session_id, user_id })
        .await
        .unwrap()
        .into_inner()
        .session
        .unwrap();
    assert_eq!(read, updated);
    let expected = Session {
        log_level: LogLevel::Warning.into(),
        subscriptions: vec!["test://a".to_owned(), "test://b".to_owned()],
        initialized: true,
        protocol_version: "2024-11-05".to_owned(),
        client_info_json: b"{\"name\":\"late\"}".as_slice().into(),
        client_capabilities_json: b"{\"roots\":{}}".as_slice().into(),
        ..created
    };
    assert_eq!(read, expected);
}

/// Every call on a session, as `user`.
async fn every_call(client: &mut Client, session_id: &str, user: &str) -> Vec<(&'static str, Status)> {
    let (session_id, user_id) = (session_id.to_owned(), user.to_owned());
    let get = GetRequest {
        session_id: session_id.clone(),
        user_id: user_id.clone(),
    };
    let update = UpdateRequest {
        session_id: session_id.clone(),
        user_id: user_id.clone(),
        ..Default::default()
    };
    let append = AppendRequest {
        session_id: session_id.clone(),
        user_id: user_id.clone(),
        stream: "g".to_owned(),
        entries: vec![message("{}")],
        ..Default::default()
    };
    let answer = AnswerRequest {
        session_id: session_id.clone(),
        user_id: user_id.clone(),
        request_id: "q".to_owned(),
        response_json: b"{}".as_slice().into(),
    };
    let cancel = CancelRequest {
        session_id: session_id.clone(),
        user_id: user_id.clone(),
        request_id_json: b"1".as_slice().into(),
        reason: String::new(),
    };
    let delete = DeleteRequest { session_id, user_id };
    vec![
        ("get", client.get(get).await.unwrap_err()),
        ("update", client.update(update).await.unwrap_err()),
        ("append", client.append(append).await.unwrap_err()),
        ("answer", client.answer(answer).await.unwrap_err()),
        ("cancel", client.cancel(cancel).await.unwrap_err()),
        ("delete", client.delete(delete).await.unwrap_err()),
    ]
}

async fn expect_shut_out(edge: &mut Edge, session: &Session, user: &str) {
    for last_event_id in ["", "g.0-0", "garbage", "c.1-1"] {
        edge.attach_as(1, session, user, last_event_id).await;
        assert_eq!(
            edge.detached(1).await,
            Reason::SessionNotFound,
            "{last_event_id:?}"
        );
    }
    let follow = Follow {
        session_id: session.session_id.clone(),
        user_id: user.to_owned(),
        awaiting: vec![],
        trace: None,
    };
    edge.say(In::Follow(follow)).await;
    edge.ended(session).await;
}

async fn a_stranger_is_told_not_found_everywhere(stack: Stack) {
    let session = stack.session(ALICE).await;
    let never = Session {
        session_id: "x".repeat(43),
        ..session.clone()
    };
    let malformed = Session {
        session_id: "../}{".to_owned(),
        ..session.clone()
    };
    for (who, session, user) in [
        ("foreign", &session, MALLORY),
        ("unknown", &never, ALICE),
        ("malformed", &malformed, ALICE),
    ] {
        for (call, status) in every_call(&mut stack.client(1), &session.session_id, user).await {
            assert_eq!(
                (status.code(), status.message()),
                (Code::NotFound, "session not found"),
                "{who} {call}"
            );
        }
        expect_shut_out(&mut stack.edge(1, "stranger").await, session, user).await;
    }
    // It is unharmed.
    let get = GetRequest {
        session_id: session.session_id.clone(),
        user_id: ALICE.to_owned(),
    };
    assert!(stack.client(0).get(get).await.is_ok());
}

async fn a_deleted_session_ends_everywhere(stack: Stack) {
    let session = stack.session(ALICE).await;
    let (mut one, mut two) = (stack.edge(0, "one").await, stack.edge(1, "two").await);
    one.follow(&session, &[]).await;
    two.follow(&session, &[]).await;
    one.attached(1, &session, "").await;
    two.attached(2, &session, "").await;
    let delete = DeleteRequest {
        session_id: session.session_id.clone(),
        user_id: session.user_id.clone(),
    };
    stack.client(1).delete(delete).await.unwrap();
    one.ended(&session).await;
    two.ended(&session).await;
    assert_eq!(one.detached(1).await, Reason::SessionNotFound);
    assert_eq!(two.detached(2).await, Reason::SessionNotFound);
    for (call, status) in every_call(&mut stack.client(0), &session.session_id, ALICE).await {
        assert_eq!(
            (status.code(), status.message()),
            (Code::NotFound, "session not found"),
            "{call}"
        );
    }
    expect_shut_out(&mut one, &session, ALICE).await;
}

async fn bad_fields_are_named(stack: Stack) {
    let session = stack.session(ALICE).await;
    let mut client = stack.client(0);
    let status = client.create(CreateRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("user_id"), "{}", status.message());
    let append = |stream: &str, entries| AppendRequest {
        session_id: session.session_id.clone(),
        user_id: ALICE.to_owned(),
        stream: stream.to_owned(),
        entries,
        edge_id: "e".to_owned(),
        ..Default::default()
    };
    for (request, names) in [
        (append("a.b", vec![message("{}")]), "stream"),
        (append("", vec![message("{}")]), "stream"),
        (append(&"a".repeat(65), vec![message("{}")]), "stream"),
        (append("g", vec![]), "entries"),
        (append("g", vec![message("{}"); 257]), "entries"),
        (append("g", vec![message("")]), "message_json"),
        (append("g", vec![open("e")]), "stream"),
        (append("c", vec![open("no/edge")]), "edge_id"),
        (append("c", vec![Default::default()]), "entry"),
    ] {
        let status = client.append(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{names}");
        assert!(
            status.message().starts_with(names),
            "{names}: {}",
            status.message()
        );
    }
    let update = UpdateRequest {
        session_id: session.session_id.clone(),
        user_id: ALICE.to_owned(),
        subscribe: vec![String::new()],
        ..Default::default()
    };
    assert_eq!(
        client.update(update).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}
