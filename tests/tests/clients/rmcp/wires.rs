//! Coming, going, and what happens on the way.

use rmcp::{
    model::{CallToolRequest, ClientRequest, RequestMetaObject},
    service::PeerRequestOptions,
};
use serde_json::{Value, json};

use super::{Visit, in_time, params, texts, whole};
use crate::clients::script::Era;

const PROGRESS: &str = "notifications/progress";

impl Visit<'_> {
    pub(super) async fn connect(&self) -> anyhow::Result<Value> {
        let peer = self.client.peer_info();
        let held = self.login.held().await?;
        let oauth = ![held.client_id, held.access_token, held.refresh_token].contains(&String::new());
        Ok(json!({
            "revision": peer.as_ref().map(|peer| peer.protocol_version.to_string()),
            "login": if oauth { "oauth" } else { "none" },
            "server": peer.as_ref().and_then(|peer| peer.server_info.as_ref()).map(|server| &server.name),
        }))
    }

    pub(super) async fn discover(&self, with: &Value) -> anyhow::Result<Value> {
        let found = in_time(self.client.discover(RequestMetaObject::default())).await??;
        let supported = found.supported_versions.iter();
        let supported = supported
            .map(ToString::to_string)
            .any(|version| with["supported"] == version);
        Ok(json!({ "supported": supported }))
    }

    pub(super) async fn ping(&self) -> anyhow::Result<Value> {
        let ping = ClientRequest::PingRequest(Default::default());
        in_time(self.client.send_request(ping)).await??;
        Ok(json!({ "answered": true }))
    }

    pub(super) async fn cancellation(&self, with: &Value) -> anyhow::Result<Value> {
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params(&with["call"])?));
        let options = PeerRequestOptions::no_options();
        let running = in_time(self.client.send_cancellable_request(request, options)).await??;
        let progressed = !self.person.until(PROGRESS, 1).await.is_empty();
        in_time(running.cancel(Some("enough".to_owned()))).await??;
        let echo = json!({ "name": "echo", "arguments": { "message": "still here" } });
        let then = texts(&self.call(&echo).await?);
        Ok(json!({ "progressed": progressed, "ended_early": true, "then": then }))
    }

    pub(super) async fn resuming(&self, with: &Value) -> anyhow::Result<Value> {
        let breaking = async {
            self.person.until(PROGRESS, 1).await;
            self.stack.break_streams()
        };
        let (result, broken) = tokio::join!(self.call(&with["call"]), breaking);
        let result = result?;
        let heard = self.person.until(PROGRESS, 4).await;
        let mut progress: Vec<_> = heard.iter().map(|params| whole(&params["progress"])).collect();
        progress.sort();
        let arguments = json!({ "name": "later.gz", "data": "later" });
        self.call_named("gzipAsResource", arguments).await?;
        let told = self.person.until("notifications/resources/list_changed", 1).await;
        Ok(json!({
            "both_broken": broken >= 2,
            "progress": progress,
            "texts": texts(&result),
            "told_later": !told.is_empty(),
        }))
    }

    pub(super) async fn goodbye(&mut self) -> anyhow::Result<Value> {
        let session = self.login.session_id();
        in_time(self.client.close()).await??;
        let left = match self.era {
            Era::Modern => session.is_none(),
            Era::Legacy => session.is_some_and(|session| self.login.deleted() == [session]),
        };
        Ok(json!({ "left": left }))
    }
}
