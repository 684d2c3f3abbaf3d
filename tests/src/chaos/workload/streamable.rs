//! Clients of Streamable HTTP, 2025-03-26 to 2025-11-25.

use std::{sync::Arc, time::Duration};

use http::Method;
use rand::RngExt;
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    http::{self as wire, Answer, Http, Stream},
    member::{Manner, Member, Plan},
};
use crate::chaos::history::{Content, STANDALONE, What, Wire, digest};

const PATH: &str = "/mcp";
/// Between two reads of a slow client.
const DAWDLE: Duration = Duration::from_millis(200);

/// Sessions one after the other until the workload stops.
pub(super) async fn live(mut member: Member, revision: &'static str) {
    let Ok(http) = member.http() else { return };
    while member.goes_on() {
        member.new_session();
        let Some(http) = begin(&member, http.clone(), revision).await else {
            return member.rest().await;
        };
        // Half of the clients listen beside their calls.
        let listening = (member.client.is_multiple_of(2)).then(|| listen(&member, &http));
        let mut stays = true;
        while stays && member.goes_on() && member.calls < member.shared.load.calls_per_session {
            stays = call(&mut member, &http).await;
            member.think().await;
        }
        if !member.goes_on() {
            // Streams stay open until the last calls of all are over.
            member.rest().await;
        }
        // Who vanished says no farewell: that session ends by its time to live.
        if stays {
            end(&member, &http).await;
        }
        if let Some(listening) = listening {
            listening.abort();
        }
    }
    member.is_done();
}

/// `initialize` until it is answered. None: the workload is over.
async fn begin(member: &Member, mut http: Http, revision: &'static str) -> Option<Http> {
    let initialize = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {
            "protocolVersion": revision,
            "capabilities": { "sampling": {}, "elicitation": {} },
            "clientInfo": { "name": "chaos", "version": "1" },
        },
    });
    let mut backoff = Member::backoff();
    while member.goes_on() {
        match wire::begin(http.request(Method::POST, PATH).json(&initialize)).await {
            Some((200, Some(id))) => {
                member.began(Wire::Streamable(revision), &id);
                http.session_id = Some(id);
                http.version = (revision >= "2025-06-18").then_some(revision);
                let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
                // It is a courtesy: what comes next is served without it as well.
                _ = http.post(PATH, &initialized).await;
                return Some(http);
            }
            Some((429 | 503, _)) | None => backoff.wait().await,
            Some((401, _)) => {
                member.write(What::Unauthorized);
                backoff.wait().await;
            }
            Some((status, _)) => {
                member.write(What::Strange { call: 0, status });
                backoff.wait().await;
            }
        }
    }
    None
}

/// Asks for the session's end until the server says that it is ended.
async fn end(member: &Member, http: &Http) {
    member.leaving();
    let deadline = Instant::now() + member.shared.load.deadline;
    let mut backoff = Member::backoff();
    while Instant::now() < deadline {
        match http.delete(PATH).await {
            Answer::Status(200..300 | 404) => return,
            Answer::Status(429 | 503) | Answer::Broken => backoff.wait().await,
            Answer::Status(status) => return member.write(What::Strange { call: 0, status }),
            Answer::Json(_) | Answer::Stream(_) => {
                return member.write(What::Strange { call: 0, status: 200 });
            }
        }
    }
}

/// One call. False: the client left the session behind.
async fn call(member: &mut Member, http: &Http) -> bool {
    let plan = member.plan();
    let call = plan.call;
    match http.post(PATH, &member.request(&plan)).await {
        Answer::Json(message) => {
            member.outcome(call, &message);
            true
        }
        Answer::Status(status) => {
            member.refused(call, status);
            status != 404
        }
        Answer::Broken => {
            member.write(What::Unknown { call });
            true
        }
        Answer::Stream(stream) => follow(member, http, &plan, stream).await,
    }
}

/// Where a client is in a call's stream.
struct Place {
    first: Option<String>,
    last: Option<String>,
    seen: u32,
}

/// Reads the call's stream to its end, coming back to it as often as it takes.
async fn follow(member: &mut Member, http: &Http, plan: &Plan, mut stream: Box<Stream>) -> bool {
    let call = plan.call;
    let hangs_up_after = member.rng.random_range(1..=plan.expects.events.max(2));
    let mut hangs_up = matches!(plan.manner, Manner::Hops | Manner::Vanishes);
    let mut place = Place {
        first: None,
        last: None,
        seen: 0,
    };
    if plan.manner == Manner::Slow {
        stream.dawdle(DAWDLE);
    }
    loop {
        while let Some(event) = stream.next().await {
            let (content, message) = member.content(&event.data);
            member.event(call, event.id.as_deref(), content);
            if let Some(id) = event.id {
                if place.first.is_none() {
                    place.first = Some(id.clone());
                    member.write(What::Acknowledged { call });
                }
                place.last = Some(id);
            }
            place.seen += 1;
            match content {
                Content::Question { .. } => member.answer(http, PATH, &message, plan.deadline).await,
                Content::Answer { call: answered } if answered == call => {
                    member.outcome(call, &message);
                    if plan.manner == Manner::Verifies {
                        read_again(member, http, call, place.first.as_deref()).await;
                    }
                    return true;
                }
                _ => {}
            }
            if hangs_up && place.seen >= hangs_up_after && place.last.is_some() {
                break;
            }
        }
        drop(stream);
        if hangs_up && plan.manner == Manner::Vanishes {
            member.write(What::Vanished { call });
            member.leaving();
            return false;
        }
        hangs_up = false;
        let Some(last) = &place.last else {
            member.write(What::Unknown { call });
            return true;
        };
        match resume(member, http, plan, last).await {
            Some(resumed) => stream = resumed,
            None => return true,
        }
    }
}

/// Back to the stream, at whichever edge. None: there is no way back, and that is written down.
async fn resume(member: &Member, http: &Http, plan: &Plan, last: &str) -> Option<Box<Stream>> {
    let call = plan.call;
    let mut backoff = Member::backoff();
    loop {
        if Instant::now() >= plan.deadline {
            member.write(What::Hung { call });
            return None;
        }
        match http.get(PATH, Some(last)).await {
            Answer::Stream(stream) => {
                member.write(What::Resumed {
                    stream: call,
                    after: digest(last),
                });
                return Some(stream);
            }
            Answer::Status(429 | 503) | Answer::Broken => {}
            Answer::Status(401) => member.write(What::Unauthorized),
            Answer::Status(404) => {
                member.write(What::NotFound);
                return None;
            }
            Answer::Status(status @ (400 | 410)) => {
                member.write(What::Gone { stream: call, status });
                return None;
            }
            Answer::Status(status) => member.write(What::Strange { call, status }),
            Answer::Json(_) => {
                member.write(What::Strange { call, status: 200 });
                return None;
            }
        }
        backoff.wait().await;
    }
}

/// The whole stream once more, which must be what it was. Given up where faults come in between.
async fn read_again(member: &Member, http: &Http, call: u32, first: Option<&str>) {
    let Answer::Stream(mut stream) = http.get(PATH, first).await else {
        return;
    };
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        let (content, _) = member.content(&event.data);
        let id = event.id.as_deref().map(digest).unwrap_or_default();
        events.push(What::Replayed {
            stream: call,
            id,
            content,
        });
        if content == (Content::Answer { call }) {
            events.into_iter().for_each(|event| member.write(event));
            let after = first.map(digest).unwrap_or_default();
            return member.write(What::ReplayOver { stream: call, after });
        }
    }
}

/// The standalone stream for as long as the session lasts.
fn listen(member: &Member, http: &Http) -> JoinHandle<()> {
    let (shared, http) = (Arc::clone(&member.shared), http.clone());
    let (user, rng) = (member.user.clone(), member.rng.clone());
    let mut listener = Member::new(shared, user, rng, member.client);
    listener.session = member.session;
    tokio::spawn(async move {
        let mut last: Option<String> = None;
        let mut backoff = Member::backoff();
        loop {
            match http.get(PATH, last.as_deref()).await {
                Answer::Stream(mut stream) => {
                    backoff = Member::backoff();
                    if let Some(last) = &last {
                        listener.write(What::Resumed {
                            stream: STANDALONE,
                            after: digest(last),
                        });
                    }
                    while let Some(event) = stream.next().await {
                        let (content, _): (Content, Value) = listener.content(&event.data);
                        listener.event(STANDALONE, event.id.as_deref(), content);
                        last = event.id.or(last);
                    }
                    sleep(Duration::from_millis(20)).await;
                }
                Answer::Status(429 | 503) | Answer::Broken => backoff.wait().await,
                Answer::Status(401) => {
                    listener.write(What::Unauthorized);
                    backoff.wait().await;
                }
                Answer::Status(404) => return listener.write(What::NotFound),
                Answer::Status(status @ (400 | 410)) => {
                    listener.write(What::Gone {
                        stream: STANDALONE,
                        status,
                    });
                    return;
                }
                Answer::Status(status) => {
                    listener.write(What::Strange { call: 0, status });
                    backoff.wait().await;
                }
                Answer::Json(_) => backoff.wait().await,
            }
        }
    })
}
