use everything_proto::session::v1::{Answered, Detached, Followed, SessionEnded, detached};
use serving::{CancellationToken, Upstream, UpstreamSettings};
use telemetry::Metrics;
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::{config::EdgeConfig, mcp::link::handles::Attachment};

fn actor() -> Actor {
    let (_, nobody) = serving::memory();
    let settings = EdgeConfig::default().check().unwrap().mcp;
    let upstream = Upstream::connect(
        "everything.session.v1.SessionService",
        nobody,
        UpstreamSettings::default(),
        CancellationToken::new(),
    );
    Actor::new(
        SessionServiceClient::new(upstream.channel()),
        "edge-1".into(),
        Arc::new(SessionCache::new(8, Duration::from_secs(1), &Metrics::none())),
        Arc::new(InFlight::new(settings.calls)),
        watch::Sender::new(false),
        broadcast::Sender::new(8),
        mpsc::channel(8).0,
    )
}

fn connect(actor: &mut Actor) -> Receiver<ConnectRequest> {
    let (outbox, sent) = mpsc::channel(8);
    actor.outbox = Some(outbox);
    actor.take_up();
    sent
}

fn said(sent: &mut Receiver<ConnectRequest>) -> connect_request::Message {
    sent.try_recv().unwrap().message.unwrap()
}

/// What tells when to ask, and what the answer comes by.
fn awaits(actor: &mut Actor, request_id: &str) -> (oneshot::Receiver<()>, oneshot::Receiver<Answer>) {
    let (answer, answered) = oneshot::channel();
    let (followed, may_ask) = oneshot::channel();
    actor.obey(Command::Await {
        session_id: "s1".into(),
        user_id: "alice".into(),
        request_id: request_id.to_owned(),
        answer,
        followed,
        trace: TraceParent::default(),
    });
    (may_ask, answered)
}

/// The link was down when the call began, so nobody follows its session.
#[tokio::test]
async fn an_answer_can_be_awaited_in_a_session_that_is_not_followed() {
    let mut actor = actor();
    let (mut may_ask, mut answered) = awaits(&mut actor, "r1");
    assert_eq!(may_ask.try_recv(), Err(oneshot::error::TryRecvError::Empty));

    let mut sent = connect(&mut actor);
    let connect_request::Message::Follow(follow) = said(&mut sent) else {
        panic!("it is not followed");
    };
    assert_eq!(
        (follow.session_id.as_str(), follow.user_id.as_str()),
        ("s1", "alice")
    );
    assert_eq!(follow.awaiting, ["r1"]);
    actor.hear(connect_response::Message::Followed(Followed {
        session_id: "s1".to_owned(),
    }));
    may_ask.try_recv().unwrap();
    actor.hear(connect_response::Message::Answered(Answered {
        session_id: "s1".to_owned(),
        request_id: "r1".to_owned(),
        response_json: "{}".into(),
        trace: None,
    }));
    assert_eq!(answered.try_recv().unwrap().response, "{}");

    actor.obey(Command::ForgetAnswer {
        session_id: "s1".into(),
        request_id: "r1".to_owned(),
    });
    assert!(matches!(said(&mut sent), connect_request::Message::Unfollow(_)));
}

#[tokio::test]
async fn nobody_waits_for_an_answer_in_a_session_that_is_over() {
    let mut actor = actor();
    let _sent = connect(&mut actor);
    let (mut may_ask, mut answered) = awaits(&mut actor, "r1");
    actor.hear(connect_response::Message::SessionEnded(SessionEnded {
        session_id: "s1".to_owned(),
    }));
    assert_eq!(may_ask.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    assert!(matches!(
        answered.try_recv(),
        Err(oneshot::error::TryRecvError::Closed)
    ));
}

/// A service whose store is away refuses as fast as it is asked.
#[tokio::test]
async fn a_stream_that_could_not_be_attached_is_asked_for_at_the_next_tick_and_not_before() {
    let mut actor = actor();
    let mut sent = connect(&mut actor);
    let (events, _stream) = Attachment::new(7, mpsc::channel(8).0);
    actor.obey(Command::Attach {
        session_id: "s1".into(),
        user_id: "alice".into(),
        last_event_id: String::new(),
        events,
        number: 7,
        trace: TraceParent::default(),
    });
    let is_attach = |said| matches!(said, connect_request::Message::Attach(attach) if attach.attachment == 7);
    assert!(is_attach(said(&mut sent)));
    for _ in 0..3 {
        actor.hear(connect_response::Message::Detached(Detached {
            attachment: 7,
            reason: detached::Reason::Unavailable.into(),
        }));
        assert!(sent.try_recv().is_err(), "asked again at once");
        actor.attach_again();
        assert!(is_attach(said(&mut sent)));
        actor.attach_again();
        assert!(sent.try_recv().is_err(), "asked for twice");
    }
    assert_eq!(actor.attachments.len(), 1, "the client does not know of it");
}
