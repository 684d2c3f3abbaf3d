//! Clients of HTTP+SSE, 2024-11-05: everything comes on the session's one stream.

use rand::RngExt;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::{
    http::{Answer, Http, Stream},
    member::{Manner, Member, Plan},
};
use crate::chaos::history::{Content, STANDALONE, What, Wire, digest};

const PATH: &str = "/sse";

/// A session's stream, which its client comes back to for as long as there is the session.
struct Line {
    http: Http,
    /// Where messages are posted.
    endpoint: String,
    stream: Option<Box<Stream>>,
    last: Option<String>,
}

/// The session is no longer there, or the stream cannot be resumed; that is written down.
struct Over;

/// Sessions one after the other until the workload stops.
pub(super) async fn live(mut member: Member) {
    let Ok(http) = member.http() else { return };
    while member.goes_on() {
        member.new_session();
        let Some(mut line) = begin(&member, http.clone()).await else {
            continue;
        };
        while member.goes_on() && member.calls < member.shared.load.calls_per_session {
            match call(&mut member, &mut line).await {
                Ok(true) => {}
                Ok(false) | Err(Over) => break,
            }
            member.think().await;
        }
        // The revision has no way to end a session; it goes with its time to live.
        if !member.goes_on() {
            member.is_done();
            _ = line.read_until_the_end(&member).await;
            return member.leaving();
        }
        member.leaving();
    }
    member.is_done();
}

/// Opens a stream and agrees on the revision. None: not this time.
async fn begin(member: &Member, http: Http) -> Option<Line> {
    let deadline = Instant::now() + member.shared.load.deadline;
    let mut line = Line {
        http,
        endpoint: String::new(),
        stream: None,
        last: None,
    };
    let mut backoff = Member::backoff();
    while line.endpoint.is_empty() {
        if !member.goes_on() || Instant::now() > deadline {
            return None;
        }
        match line.http.get(PATH, None).await {
            Answer::Stream(mut stream) => {
                if let Some(first) = stream.next().await
                    && first.event.as_deref() == Some("endpoint")
                {
                    line.endpoint = first.data;
                    line.stream = Some(stream);
                    continue;
                }
            }
            Answer::Status(401) => member.write(What::Unauthorized),
            Answer::Status(429 | 503) | Answer::Broken | Answer::Json(_) => {}
            Answer::Status(status) => member.write(What::Strange { call: 0, status }),
        }
        backoff.wait().await;
    }
    let initialize = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {
            "protocolVersion": "2024-11-05",
            "capabilities": { "sampling": {} },
            "clientInfo": { "name": "chaos", "version": "1" },
        },
    });
    if !matches!(
        line.http.post(&line.endpoint, &initialize).await,
        Answer::Status(202)
    ) {
        return None;
    }
    // Not yet a session with a cursor: a stream that breaks here is begun anew.
    let stream = line.stream.as_mut()?;
    loop {
        let event = timeout_at(deadline, stream.next()).await.ok()??;
        let message: Value = serde_json::from_str(&event.data).unwrap_or_default();
        line.last = event.id.or(line.last);
        if message["id"] == 0 {
            message.get("result")?;
            break;
        }
    }
    let id = line
        .endpoint
        .split_once("sessionId=")
        .map_or("", |(_, id)| id)
        .to_owned();
    member.began(Wire::Legacy, &id);
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    _ = line.http.post(&line.endpoint, &initialized).await;
    Some(line)
}

/// One call. False: the client left the session behind.
async fn call(member: &mut Member, line: &mut Line) -> Result<bool, Over> {
    let plan = member.plan();
    let call = plan.call;
    let acknowledged = match line.http.post(&line.endpoint, &member.request(&plan)).await {
        Answer::Status(202) => true,
        Answer::Status(status) => {
            member.refused(call, status);
            return if status == 404 { Err(Over) } else { Ok(true) };
        }
        Answer::Broken | Answer::Json(_) | Answer::Stream(_) => false,
    };
    if !acknowledged {
        // It may run or not; what comes of it is taken as it comes.
        member.write(What::Unknown { call });
        return Ok(true);
    }
    member.write(What::Acknowledged { call });
    follow(member, line, &plan).await
}

async fn follow(member: &mut Member, line: &mut Line, plan: &Plan) -> Result<bool, Over> {
    let call = plan.call;
    let hangs_up_after = member.rng.random_range(1..=plan.expects.events.max(2));
    let mut seen = 0;
    loop {
        if Instant::now() >= plan.deadline {
            member.write(What::Hung { call });
            return Ok(true);
        }
        let Some((content, message)) = line.next(member, plan.deadline).await? else {
            continue;
        };
        seen += 1;
        match content {
            Content::Question { .. } => {
                member
                    .answer(&line.http, &line.endpoint, &message, plan.deadline)
                    .await
            }
            Content::Answer { call: answered } => {
                member.outcome(answered, &message);
                if answered == call {
                    return Ok(true);
                }
            }
            _ => {}
        }
        if seen == hangs_up_after {
            match plan.manner {
                Manner::Vanishes => {
                    member.write(What::Vanished { call });
                    return Ok(false);
                }
                Manner::Hops => line.stream = None,
                Manner::Attentive | Manner::Slow | Manner::Verifies => {}
            }
        }
    }
}

impl Line {
    /// The next message; comes back to the stream where it broke. None: nothing by the deadline.
    async fn next(&mut self, member: &Member, deadline: Instant) -> Result<Option<(Content, Value)>, Over> {
        let mut backoff = Member::backoff();
        while Instant::now() < deadline {
            if self.stream.is_none() {
                self.stream = self.reopen(member).await?;
            }
            let Some(stream) = &mut self.stream else {
                backoff.wait().await;
                continue;
            };
            let Ok(event) = timeout_at(deadline, stream.next()).await else {
                return Ok(None);
            };
            let Some(event) = event else {
                self.stream = None;
                continue;
            };
            if event.event.as_deref() == Some("endpoint") {
                continue;
            }
            let (content, message) = member.content(&event.data);
            member.event(STANDALONE, event.id.as_deref(), content);
            self.last = event.id.or_else(|| self.last.take());
            return Ok(Some((content, message)));
        }
        Ok(None)
    }

    async fn reopen(&self, member: &Member) -> Result<Option<Box<Stream>>, Over> {
        match self.http.get(PATH, self.last.as_deref()).await {
            Answer::Stream(stream) => {
                member.write(What::Resumed {
                    stream: STANDALONE,
                    after: self.last.as_deref().map(digest).unwrap_or_default(),
                });
                return Ok(Some(stream));
            }
            Answer::Status(429 | 503) | Answer::Broken | Answer::Json(_) => {}
            Answer::Status(401) => member.write(What::Unauthorized),
            Answer::Status(404) => {
                member.write(What::NotFound);
                return Err(Over);
            }
            Answer::Status(status @ (400 | 410)) => {
                let stream = STANDALONE;
                member.write(What::Gone { stream, status });
                return Err(Over);
            }
            Answer::Status(status) => member.write(What::Strange { call: 0, status }),
        }
        Ok(None)
    }

    /// Listens on while others finish their calls.
    async fn read_until_the_end(&mut self, member: &Member) -> Result<(), Over> {
        let end = member.shared.end.clone();
        let far = Instant::now() + member.shared.load.deadline * 100;
        let listening = async {
            loop {
                if let Some((Content::Answer { call }, message)) = self.next(member, far).await? {
                    member.outcome(call, &message);
                }
            }
        };
        end.run_until_cancelled(listening).await.unwrap_or(Ok(()))
    }
}
