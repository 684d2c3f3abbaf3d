//! Somebody with a valid token of their own who tries sessions that are not theirs.

use http::Method;
use rand::{RngExt, seq::IndexedRandom};
use serde_json::json;

use super::{
    http::{Answer, answer},
    member::Member,
};
use crate::chaos::history::{What, Wire};

pub(super) async fn live(mut member: Member) {
    let Ok(http) = member.http() else { return };
    loop {
        member.think().await;
        let foreign = {
            let known = member.shared.known();
            let foreign: Vec<_> = known
                .iter()
                .filter(|known| known.owner != member.user.number && known.wire != Wire::Stateless)
                .cloned()
                .collect();
            foreign.choose(&mut member.rng).cloned()
        };
        let Some(foreign) = foreign else { continue };
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        let (method, path) = match (foreign.wire, member.rng.random_range(0..4)) {
            (Wire::Legacy, _) => (Method::POST, format!("/message?sessionId={}", foreign.id)),
            (_, 0) => (Method::GET, "/mcp".to_owned()),
            (_, 1) => (Method::DELETE, "/mcp".to_owned()),
            _ => (Method::POST, "/mcp".to_owned()),
        };
        let mut request = http.request(method.clone(), &path);
        if foreign.wire != Wire::Legacy {
            request = request.header("mcp-session-id", &foreign.id);
        }
        if let Wire::Streamable(revision) = foreign.wire
            && revision >= "2025-06-18"
        {
            request = request.header("mcp-protocol-version", revision);
        }
        if method == Method::POST {
            request = request.json(&ping);
        }
        let status = match answer(request).await {
            // Refused as if there were no such session, or not served at all for now.
            Answer::Status(404 | 429 | 503) | Answer::Broken => continue,
            Answer::Status(status) => status,
            Answer::Json(_) | Answer::Stream(_) => 200,
        };
        let served = What::ForeignServed {
            owner: foreign.owner,
            status,
        };
        member.shared.recorder.write(foreign.number, served);
        member.think().await;
    }
}
