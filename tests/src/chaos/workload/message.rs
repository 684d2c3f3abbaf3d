//! What a message is, as far as the history is concerned.
//!
//! Requests, progress tokens and what tools say all carry a key, `<session>.<call>`, so that a client can tell what is
//! its own.

use serde_json::Value;

use crate::chaos::history::{Content, Outcome, digest};

/// `<session>.<call>`.
pub fn key(session: u32, call: u32) -> String {
    format!("{session}.{call}")
}

/// What the client of this session has before it.
pub fn content(message: &Value, session: u32) -> Content {
    let params = &message["params"];
    match message["method"].as_str() {
        Some("notifications/message") => {
            numbered(params["data"].as_str().unwrap_or_default(), session).unwrap_or(Content::Other)
        }
        Some("notifications/progress") => of_call(&params["progressToken"], session, |call| {
            let value = params["progress"].as_f64().unwrap_or_default() as u64;
            Content::Progress { call, value }
        }),
        Some("elicitation/create" | "sampling/createMessage") => {
            let asked = params["message"].as_str();
            let asked = asked.or(params["messages"][0]["content"]["text"].as_str());
            let id = digest(&message["id"].to_string());
            match asked.and_then(parse_key) {
                Some((owner, _)) if owner != session => Content::Foreign { session: owner },
                _ => Content::Question { id },
            }
        }
        Some(method) if method.ends_with("/list_changed") => Content::Change,
        Some(_) => Content::Other,
        None => of_call(&message["id"], session, |call| Content::Answer { call }),
    }
}

/// How a call ended.
pub fn outcome(message: &Value) -> Outcome {
    match message.get("error") {
        Some(error) => Outcome::Error {
            code: error["code"].as_i64().unwrap_or_default(),
        },
        None => {
            let said = message["result"]["content"][0]["text"]
                .as_str()
                .unwrap_or_default();
            let run = said.split(' ').nth(2).and_then(parse_run);
            Outcome::Result { run }
        }
    }
}

/// `<key> <round> <run> <n> <of>`
fn numbered(said: &str, session: u32) -> Option<Content> {
    let mut words = said.split(' ');
    let (owner, call) = parse_key(words.next()?)?;
    if owner != session {
        return Some(Content::Foreign { session: owner });
    }
    Some(Content::Numbered {
        call,
        round: words.next()?.parse().ok()?,
        run: parse_run(words.next()?)?,
        n: words.next()?.parse().ok()?,
    })
}

fn of_call(key: &Value, session: u32, content: impl FnOnce(u32) -> Content) -> Content {
    match key.as_str().and_then(parse_key) {
        Some((owner, call)) if owner == session => content(call),
        Some((owner, _)) => Content::Foreign { session: owner },
        None => Content::Other,
    }
}

pub fn parse_key(key: &str) -> Option<(u32, u32)> {
    let (session, call) = key.split_once('.')?;
    Some((session.parse().ok()?, call.parse().ok()?))
}

pub fn parse_run(run: &str) -> Option<u64> {
    u64::from_str_radix(run, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_told_apart_and_foreign_ones_noticed() {
        let log = |said: &str| json!({"method": "notifications/message", "params": {"data": said}});
        let numbered = Content::Numbered {
            call: 2,
            round: 1,
            run: 0xab,
            n: 7,
        };
        assert_eq!(content(&log("4.2 1 ab 7 9"), 4), numbered);
        assert_eq!(content(&log("5.2 1 ab 7 9"), 4), Content::Foreign { session: 5 });
        assert_eq!(content(&log("something else"), 4), Content::Other);
        let progress =
            json!({"method": "notifications/progress", "params": {"progressToken": "4.2", "progress": 3}});
        assert_eq!(content(&progress, 4), Content::Progress { call: 2, value: 3 });
        let answer = json!({"id": "4.2", "result": {"content": [{"type": "text", "text": "4.2 1 ab"}]}});
        assert_eq!(content(&answer, 4), Content::Answer { call: 2 });
        assert_eq!(content(&answer, 1), Content::Foreign { session: 4 });
        assert_eq!(outcome(&answer), Outcome::Result { run: Some(0xab) });
        let error = json!({"id": "4.2", "error": {"code": -32603, "message": "no"}});
        assert_eq!(outcome(&error), Outcome::Error { code: -32603 });
        let change = json!({"method": "notifications/tools/list_changed"});
        assert_eq!(content(&change, 4), Content::Change);
    }
}
