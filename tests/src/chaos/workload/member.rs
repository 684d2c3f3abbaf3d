//! What every client has: its numbers, its habits, and how it waits.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rand::{RngExt, rngs::SmallRng};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Known, Shared, User, http::Http, message};
use crate::chaos::history::{Content, Expects, NO_ID, Outcome, What, Wire, digest};

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// One client.
pub(super) struct Member {
    pub shared: Arc<Shared>,
    pub user: User,
    pub rng: SmallRng,
    /// Which of all clients it is.
    pub client: usize,
    /// Its session now; a new number for each.
    pub session: u32,
    /// Calls in this session so far.
    pub calls: u32,
    rests: bool,
}

/// A call that is to be made.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub call: u32,
    pub expects: Expects,
    pub tool: &'static str,
    pub arguments: Value,
    pub manner: Manner,
    pub deadline: Instant,
}

/// How the client behaves during a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Attentive,
    /// Reads slower than the server speaks.
    Slow,
    /// Hangs up in the middle and comes back.
    Hops,
    /// Hangs up and never comes back.
    Vanishes,
    /// Reads the stream again from its beginning when it is over.
    Verifies,
}

/// Waits between attempts: longer each time, with jitter, and never for long.
pub(super) struct Backoff(Duration);

impl Member {
    pub fn new(shared: Arc<Shared>, user: User, rng: SmallRng, client: usize) -> Self {
        Self {
            shared,
            user,
            rng,
            client,
            session: 0,
            calls: 0,
            rests: false,
        }
    }

    /// Its calls are all over.
    pub fn is_done(&mut self) {
        if !std::mem::replace(&mut self.rests, true) {
            self.shared.resting.send_modify(|resting| *resting += 1);
        }
    }

    /// Until everybody's calls are over.
    pub async fn rest(&mut self) {
        self.is_done();
        self.shared.end.cancelled().await;
    }

    /// Whether to go on.
    pub fn goes_on(&self) -> bool {
        !self.shared.stop.is_cancelled()
    }

    pub fn http(&self) -> anyhow::Result<Http> {
        Http::new(&self.shared.origin, self.user.token.as_deref())
    }

    pub fn write(&self, what: What) {
        self.shared.recorder.write(self.session, what);
    }

    /// The next session has a number of its own. Its client begins it with the server itself.
    pub fn new_session(&mut self) {
        self.session = self.shared.numbers.fetch_add(1, Ordering::Relaxed);
        self.calls = 0;
    }

    pub fn began(&self, wire: Wire, id: &str) {
        self.write(What::Began {
            wire,
            user: self.user.number,
        });
        self.shared.known().push(Known {
            number: self.session,
            owner: self.user.number,
            id: id.to_owned(),
            wire,
        });
    }

    pub fn leaving(&self) {
        self.shared.known().retain(|known| known.number != self.session);
        self.write(What::Leaving);
    }

    pub async fn think(&mut self) {
        let think = self.shared.load.think.mul_f64(self.rng.random_range(0.5..1.5));
        _ = self.shared.stop.run_until_cancelled(sleep(think)).await;
    }

    pub fn backoff() -> Backoff {
        Backoff(FIRST_WAIT)
    }

    /// Plans the next call, and writes down that it is made.
    pub fn plan(&mut self) -> Plan {
        self.calls += 1;
        let call = self.calls;
        let repeatable = self.rng.random_bool(0.5);
        let rounds = if self.rng.random_bool(0.2) { 2 } else { 1 };
        let tool = match (rounds, repeatable) {
            (1, true) => "numbered_events",
            (1, false) => "numbered_events_once",
            (_, true) => "numbered_question",
            (_, false) => "numbered_question_once",
        };
        let most = self.shared.load.events;
        let manner = match self.rng.random_range(0..100) {
            0..5 => Manner::Vanishes,
            5..15 => Manner::Slow,
            15..30 => Manner::Hops,
            30..40 => Manner::Verifies,
            _ => Manner::Attentive,
        };
        let events = self.rng.random_range(1..=most.max(1));
        let expects = Expects {
            events,
            rounds,
            repeatable,
        };
        self.write(What::Sent { call, expects });
        Plan {
            call,
            expects,
            tool,
            arguments: json!({
                "key": message::key(self.session, call),
                "events": events,
                "pause_ms": self.shared.load.pause.as_millis() as u64,
            }),
            manner,
            deadline: Instant::now() + self.shared.load.deadline,
        }
    }

    /// `tools/call` as every revision has it.
    pub fn request(&self, plan: &Plan) -> Value {
        let key = message::key(self.session, plan.call);
        json!({
            "jsonrpc": "2.0",
            "id": key,
            "method": "tools/call",
            "params": {
                "name": plan.tool,
                "arguments": plan.arguments,
                "_meta": { "progressToken": key },
            },
        })
    }

    pub fn content(&self, data: &str) -> (Content, Value) {
        if data.is_empty() {
            return (Content::Priming, Value::Null);
        }
        let message: Value = serde_json::from_str(data).unwrap_or_default();
        (message::content(&message, self.session), message)
    }

    pub fn event(&self, stream: u32, id: Option<&str>, content: Content) {
        let id = id.map_or(NO_ID, digest);
        self.write(What::Event { stream, id, content });
    }

    pub fn outcome(&self, call: u32, message: &Value) {
        let outcome = message::outcome(message);
        self.write(What::Outcome { call, outcome });
    }

    /// A call that was not taken up: overload and outages have clear answers, anything else is noted as strange.
    pub fn refused(&self, call: u32, status: u16) {
        match status {
            429 | 503 => self.write(What::Outcome {
                call,
                outcome: Outcome::Refused { status },
            }),
            401 => self.write(What::Unauthorized),
            404 => self.write(What::NotFound),
            _ => self.write(What::Strange { call, status }),
        }
        if !matches!(status, 429 | 503) {
            self.write(What::Unknown { call });
        }
    }

    /// Answers a question until the answer is taken, at whichever edge, or the call is over for other reasons.
    pub async fn answer(&self, http: &Http, path: &str, question: &Value, deadline: Instant) {
        let result = match question["method"].as_str() {
            Some("sampling/createMessage") => json!({
                "role": "assistant",
                "model": "none",
                "content": { "type": "text", "text": "go on" },
            }),
            _ => json!({ "action": "accept", "content": { "on": true } }),
        };
        let response = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
        let mut backoff = Self::backoff();
        while Instant::now() < deadline {
            match http.post(path, &response).await {
                super::http::Answer::Status(200..300) => return,
                super::http::Answer::Status(429 | 503) | super::http::Answer::Broken => backoff.wait().await,
                super::http::Answer::Status(status) => {
                    match status {
                        401 => self.write(What::Unauthorized),
                        404 => self.write(What::NotFound),
                        status => self.write(What::Strange { call: 0, status }),
                    }
                    return;
                }
                super::http::Answer::Json(_) | super::http::Answer::Stream(_) => return,
            }
        }
    }
}

impl Backoff {
    pub async fn wait(&mut self) {
        sleep(self.0.mul_f64(rand::random_range(0.5..1.0))).await;
        self.0 = (self.0 * 2).min(LONGEST_WAIT);
    }
}
