//! Other people's sessions: for whoever does not own it, a session does not exist. Two edges, so that what one of them
//! knows of the owner never helps a stranger.

use http::Method;
use serde_json::{Value, json};
use system_tests::{Browser, Stack};

use super::wire::{Events, NEWEST, Request, Session, UNKNOWN_SESSION};

/// Two users who have logged in, and what is theirs.
struct Neighbours {
    stack: Stack,
    alice: Session,
    bob: Session,
}

impl Neighbours {
    async fn on(revision: &str) -> Self {
        let stack = Stack::builder()
            .in_process()
            .redis()
            .edges(2)
            .start()
            .await
            .unwrap();
        let alice = token(&stack, "alice").await;
        let bob = token(&stack, "bob").await;
        let alice = Session::begin(&stack.edge_url(0, ""), Some(&alice), revision).await;
        let bob = Session::begin(&stack.edge_url(1, ""), Some(&bob), revision).await;
        Self { stack, alice, bob }
    }

    fn edges(&self) -> [String; 2] {
        [self.stack.edge_url(0, ""), self.stack.edge_url(1, "")]
    }

    /// Both edges answer bob about alice's session as about one that never was.
    async fn is_unknown(&self, attack: &Attack) {
        for edge in self.edges() {
            // Both edges know alice and her session by now.
            self.alice.at(&edge).is_well().await.unwrap();
            let bob = self.bob.at(&edge);
            let hers = bob.send((attack.request)(&bob.named(&self.alice.id))).await;
            let nobodys = bob.send((attack.request)(&bob.named(UNKNOWN_SESSION))).await;
            assert_eq!(
                hers.essence(),
                nobodys.essence(),
                "{}: {hers:?} is not {nobodys:?}",
                attack.name
            );
            assert_eq!(hers.status, attack.status, "{}: {hers:?}", attack.name);
        }
    }
}

async fn token(stack: &Stack, user: &str) -> String {
    let mut browser = Browser::of(user).unwrap();
    browser.log_in(&stack.url("/mcp")).await.unwrap().access_token
}

/// What somebody tries with a session id that is not theirs.
struct Attack {
    name: &'static str,
    status: u16,
    request: Box<dyn Fn(&Session) -> Request>,
}

fn attack(name: &'static str, request: impl Fn(&Session) -> Request + 'static) -> Attack {
    Attack {
        name,
        status: 404,
        request: Box::new(request),
    }
}

impl Attack {
    /// Refused before the session is looked for.
    fn refused_by(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

/// Every verb, with what an attacker may have seen: ids of alice's requests and events.
fn attacks(event_id: &str, call: &str, question: &str) -> Vec<Attack> {
    let own = str::to_owned;
    let (event, legacy_event) = (own(event_id), own(event_id));
    let (question, refused, call) = (own(question), own(question), own(call));
    let call_again = call.clone();
    vec![
        attack("ping", |s| s.call(1, "ping", json!({}))),
        attack("tools/list", |s| s.call("a", "tools/list", json!({}))),
        attack("tools/call", |s| s.tool(-1, "echo", json!({ "message": "x" }))),
        attack("a call with the id of hers", move |s| {
            s.tool(call_again.as_str(), "echo", json!({ "message": "x" }))
        }),
        attack("resources/read", |s| {
            s.call(1, "resources/read", json!({ "uri": "test://static/resource/1" }))
        }),
        attack("resources/subscribe", |s| {
            s.call(
                1,
                "resources/subscribe",
                json!({ "uri": "test://static/resource/1" }),
            )
        }),
        attack("logging/setLevel", |s| {
            s.call(1, "logging/setLevel", json!({ "level": "emergency" }))
        }),
        attack("an unknown method", |s| s.call(1, "nothing", json!({}))),
        attack("a notification", |s| {
            s.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        }),
        attack("a cancellation", move |s| {
            let params = json!({ "requestId": call, "reason": "mine now" });
            s.post(
                json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })
                    .to_string(),
            )
        }),
        attack("an answer", move |s| {
            let result = json!({ "role": "assistant", "model": "bob", "content": { "type": "text", "text": "bob was here" } });
            s.post(json!({ "jsonrpc": "2.0", "id": question, "result": result }).to_string())
        }),
        attack("a refusal", move |s| {
            let error = json!({ "code": -1, "message": "bob was here" });
            s.post(json!({ "jsonrpc": "2.0", "id": refused, "error": error }).to_string())
        }),
        attack("a batch", |s| {
            s.post(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#)
        }),
        attack("another version", |s| {
            s.call(1, "ping", json!({}))
                .with("mcp-protocol-version", "1999-01-01")
        }),
        attack("GET", |s| s.request(Method::GET, "/mcp")),
        attack("GET after her event", move |s| {
            s.request(Method::GET, "/mcp").with("last-event-id", &event)
        }),
        attack("GET after nothing", |s| {
            s.request(Method::GET, "/mcp").with("last-event-id", "garbage")
        }),
        attack("DELETE", |s| s.request(Method::DELETE, "/mcp")),
        attack("a message of the other transport", |s| {
            s.call(1, "ping", json!({}))
                .path(&format!("/message?sessionId={}", s.id))
        }),
        attack("the stream of the other transport", move |s| {
            let event = format!("{}~{legacy_event}", s.id);
            s.request(Method::GET, "/sse").with("last-event-id", event)
        }),
        attack("a second beginning", |s| {
            s.initialize().with("mcp-session-id", &s.id)
        })
        .refused_by(400),
        attack("no message", |s| s.post("{")).refused_by(400),
        attack("no answer wanted", |s| {
            s.call(1, "ping", json!({})).with("accept", "text/html")
        })
        .refused_by(406),
        attack("HEAD", |s| s.request(Method::HEAD, "/mcp")).refused_by(405),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_the_newest_revision_is_its_owners_alone() {
    is_its_owners_alone(NEWEST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_with_batches_is_its_owners_alone() {
    is_its_owners_alone("2025-03-26").await;
}

async fn is_its_owners_alone(revision: &str) {
    let neighbours = Neighbours::on(revision).await;
    let Neighbours { stack, alice, bob } = &neighbours;
    // What goes on in alice's session meanwhile: a stream, a call, and a question.
    let mut listening = alice.at(&stack.edge_url(1, "")).listen().await;
    let steps = 30;
    let mut call = open_call(
        alice,
        "call",
        "longRunningOperation",
        json!({ "duration": 6, "steps": steps }),
    )
    .await;
    let first = event_of(&mut call, "notifications/progress").await;
    let mut asking = open_call(alice, "ask", "sampleLLM", json!({ "prompt": "who is there?" })).await;
    let question = asking
        .find(|message| message["method"] == "sampling/createMessage")
        .await;
    let question_id = question["id"].as_str().unwrap().to_owned();

    for attack in attacks(&first, "call", &question_id) {
        neighbours.is_unknown(&attack).await;
    }
    // In a session of his own, her ids mean nothing either.
    for edge in neighbours.edges() {
        let bob = bob.at(&edge);
        let theft = [
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "call" } }),
            json!({ "jsonrpc": "2.0", "id": question_id, "result": { "role": "assistant", "model": "bob",
                "content": { "type": "text", "text": "bob was here" } } }),
        ];
        for message in theft {
            assert_eq!(bob.send(bob.post(message.to_string())).await.status, 202);
        }
        let resumed = bob
            .send(bob.request(Method::GET, "/mcp").with("last-event-id", &first))
            .await;
        assert_eq!(resumed.status, 400, "{resumed:?}");
    }

    // Nothing of it has reached her.
    let alice_1 = alice.at(&stack.edge_url(1, ""));
    let answer = json!({ "jsonrpc": "2.0", "id": question_id, "result": { "role": "assistant", "model": "hers",
        "content": { "type": "text", "text": "alice herself" } } });
    assert_eq!(alice_1.send(alice_1.post(answer.to_string())).await.status, 202);
    let asked = asking.find(|message| message["id"] == "ask").await;
    let said = asked["result"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(said.contains("alice herself"), "{asked}");
    let mut progress = 1;
    let done = loop {
        let message = call
            .message()
            .await
            .expect("the call's stream ends with its result");
        if message["method"] != "notifications/progress" {
            break message;
        }
        progress += 1;
        assert_eq!(
            message["params"]["progress"].as_f64(),
            Some(f64::from(progress)),
            "{message}"
        );
    };
    assert_eq!(progress, steps, "{done}");
    assert!(
        done["result"]["content"][0]["text"]
            .as_str()
            .is_some_and(|text| text.contains("completed")),
        "{done}"
    );
    // Her stream is open still, and so is her session.
    let quiet = listening.within(std::time::Duration::from_millis(300)).await;
    assert!(
        quiet.is_none_or(|event| !event.data.contains("bob")),
        "the stream said something"
    );
    for edge in neighbours.edges() {
        alice.at(&edge).is_well().await.unwrap();
        bob.at(&edge).is_well().await.unwrap();
    }
    // She ends it; now it is unknown to her too.
    assert_eq!(
        alice.send(alice.request(Method::DELETE, "/mcp")).await.status,
        204
    );
    while listening.next().await.is_some() {}
}

/// Begins a call that is answered by a stream.
async fn open_call(session: &Session, id: &str, tool: &str, arguments: Value) -> Events {
    let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": id } });
    session.open(session.call(id, "tools/call", params)).await
}

/// The id of the next event with a message of this method.
async fn event_of(events: &mut Events, method: &str) -> String {
    loop {
        let event = events.next().await.unwrap();
        if event.data.contains(method) {
            return event.id.unwrap();
        }
    }
}

/// What a session's tools have made is of that session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_of_a_session_are_its_owners_alone() {
    let Neighbours {
        stack: _stack,
        alice,
        bob,
    } = Neighbours::on(NEWEST).await;
    let made = alice
        .send(alice.tool(
            1,
            "gzipAsResource",
            json!({ "name": "diary", "data": "dear diary" }),
        ))
        .await
        .message();
    let uri = made["result"]["content"][0]["uri"]
        .as_str()
        .unwrap_or_else(|| panic!("no link: {made}"));
    let read = |session: &Session, uri: &str| session.call(1, "resources/read", json!({ "uri": uri }));
    let hers = alice.send(read(&alice, uri)).await.message();
    assert!(hers["result"]["contents"][0]["blob"].is_string(), "{hers}");

    let never = uri.replace("diary", "never");
    for method in ["resources/read", "resources/subscribe"] {
        let ask = |uri: &str| bob.call(1, method, json!({ "uri": uri }));
        let (his, nobodys) = (bob.send(ask(uri)).await, bob.send(ask(&never)).await);
        assert_eq!(his.message()["error"]["code"], -32002, "{his:?}");
        assert_eq!(his.text().replace(uri, ""), nobodys.text().replace(&never, ""));
    }
    let listed = bob.send(bob.call(1, "resources/list", json!({}))).await;
    assert!(!listed.text().contains("diary"), "{listed:?}");
}

/// Reference failure 33, and the stream that belongs to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_the_legacy_transport_is_its_owners_alone() {
    let mut neighbours = Neighbours::on(NEWEST).await;
    let [here, there] = neighbours.edges();
    let mut alice = Session {
        revision: "2024-11-05".to_owned(),
        ..neighbours.alice.named("")
    };
    let mut stream = alice.open(alice.request(Method::GET, "/sse")).await;
    let endpoint = stream.next().await.unwrap().data;
    alice.id = endpoint.split_once("sessionId=").unwrap().1.to_owned();
    // The headers of the other transport are not sent on this one.
    let plain = |request: Request| {
        request
            .without("mcp-session-id")
            .without("mcp-protocol-version")
            .path(&endpoint)
    };
    assert_eq!(alice.send(plain(alice.initialize())).await.status, 202);
    let begun = stream.next().await.unwrap();
    let event_id = begun.id.unwrap();
    let event_id = event_id.split_once('~').unwrap().1;
    let long = json!({ "name": "longRunningOperation", "arguments": { "duration": 3, "steps": 10 }, "_meta": { "progressToken": 1 } });
    assert_eq!(
        alice
            .send(plain(alice.call("call", "tools/call", long)))
            .await
            .status,
        202
    );

    neighbours.alice.id.clone_from(&alice.id);
    for attack in attacks(event_id, "call", "srv-1") {
        for edge in [&here, &there] {
            let bob = neighbours.bob.at(edge);
            let hers = bob.send((attack.request)(&bob.named(&alice.id))).await;
            let nobodys = bob.send((attack.request)(&bob.named(UNKNOWN_SESSION))).await;
            assert_eq!(
                hers.essence(),
                nobodys.essence(),
                "{}: {hers:?} is not {nobodys:?}",
                attack.name
            );
            assert_eq!(hers.status, attack.status, "{}: {hers:?}", attack.name);
        }
    }
    let mut steps = 0;
    loop {
        let message = stream.message().await.expect("her stream stays open");
        if message["id"] == "call" {
            assert!(message["result"].is_object(), "{message}");
            break;
        }
        assert_eq!(message["method"], "notifications/progress", "not hers: {message}");
        steps += 1;
    }
    assert_eq!(steps, 10);
    // She comes back at the other edge, and goes on there.
    drop(stream);
    let back = alice.at(&there);
    let resume = back
        .request(Method::GET, "/sse")
        .with("last-event-id", format!("{}~{event_id}", alice.id));
    let mut stream = back
        .open(resume.without("mcp-session-id").without("mcp-protocol-version"))
        .await;
    let again = stream.find(|message| message["id"] == "call").await;
    assert!(again["result"].is_object(), "{again}");
    assert_eq!(
        alice
            .send(plain(alice.call("after", "ping", json!({}))))
            .await
            .status,
        202
    );
    let pong = stream.find(|message| message["id"] == "after").await;
    assert_eq!(pong["result"], json!({}));
}
