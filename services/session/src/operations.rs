//! What edges ask for: each operation checks its input, changes the store, then announces the change.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use everything_proto::{
    events::v1::{Cancel, Shutdown, Updated, control::Action},
    feature::v1::LogLevel,
    session::v1 as proto,
};
use telemetry::{conventions::hashed, propagation};

use crate::{
    Error, EventId, Handshake, NewEntries, NewEntry, NewPayload, Session, SessionId, SessionUpdate,
    StreamName, UserId, connect::check_edge_id, routing::Hub,
};

/// Bounds on what one request may carry.
#[derive(Clone, Debug)]
pub struct Limits {
    pub max_entries: usize,
    /// Bytes of one JSON-RPC message.
    pub max_message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_entries: 256,
            max_message_bytes: 6 * 1024 * 1024,
        }
    }
}

const MAX_VERSION_BYTES: usize = 64;
const MAX_CLIENT_JSON_BYTES: usize = 256 * 1024;
const MAX_URI_BYTES: usize = 4 * 1024;
const MAX_URIS: usize = 256;
const MAX_REQUEST_ID_BYTES: usize = 1024;
const MAX_REASON_BYTES: usize = 4 * 1024;
const MAX_METHOD_BYTES: usize = 256;
/// Requests of one batch.
const MAX_REQUESTS: usize = 4 * 1024;
const MAX_KEY_BYTES: usize = 64;

/// The operations on sessions.
pub(crate) struct Operations {
    hub: Arc<Hub>,
    limits: Limits,
}

impl Operations {
    pub(crate) fn new(hub: Arc<Hub>, limits: Limits) -> Self {
        Self { hub, limits }
    }

    pub(crate) async fn create(&self, request: proto::CreateRequest) -> Result<Session, Error> {
        let user = UserId::parse(&request.user_id)?;
        let handshake = handshake(proto::Handshake {
            protocol_version: request.protocol_version,
            client_info_json: request.client_info_json,
            client_capabilities_json: request.client_capabilities_json,
        })?;
        let session = Session {
            id: SessionId::generate()?,
            user,
            protocol_version: handshake.protocol_version,
            client_info: handshake.client_info,
            client_capabilities: handshake.client_capabilities,
            log_level: LogLevel::Unspecified,
            subscriptions: Default::default(),
            initialized: false,
            created_at_ms: unix_ms(),
            last_change: self.hub.feed.latest().await?,
        };
        self.hub.store.create(&session).await?;
        self.hub.lifetimes.began(&session);
        tracing::info!(
            session = hashed(session.id.as_str()),
            user = hashed(session.user.as_str()),
            version = session.protocol_version,
            "session created"
        );
        Ok(session)
    }

    pub(crate) async fn get(&self, request: proto::GetRequest) -> Result<Session, Error> {
        let (id, user) = names(&request.session_id, &request.user_id)?;
        self.hub.store.get(&id, &user).await
    }

    pub(crate) async fn update(&self, request: proto::UpdateRequest) -> Result<Session, Error> {
        let (id, user) = names(&request.session_id, &request.user_id)?;
        bounded("subscribe", request.subscribe.len(), MAX_URIS)?;
        bounded("unsubscribe", request.unsubscribe.len(), MAX_URIS)?;
        for uri in request.subscribe.iter().chain(&request.unsubscribe) {
            present("a uri", uri)?;
            bounded("a uri", uri.len(), MAX_URI_BYTES)?;
        }
        let log_level = match request.log_level {
            None => None,
            Some(level) => Some(
                LogLevel::try_from(level)
                    .map_err(|_| Error::Invalid(format!("log_level: {level} is no level")))?,
            ),
        };
        // Only changes from here on concern a new subscription.
        let since = if request.subscribe.is_empty() {
            Default::default()
        } else {
            self.hub.feed.latest().await?
        };
        let update = SessionUpdate {
            log_level,
            initialized: request.initialized,
            handshake: request.handshake.map(handshake).transpose()?,
            subscribe: request.subscribe.into_iter().map(|uri| (uri, since)).collect(),
            unsubscribe: request.unsubscribe,
        };
        let session = self.hub.store.update(&id, &user, &update).await?;
        if update.handshake.is_some() {
            self.hub.lifetimes.negotiated(&session);
        }
        self.hub.control(&id, Action::Updated(Updated {})).await;
        Ok(session)
    }

    pub(crate) async fn delete(&self, request: proto::DeleteRequest) -> Result<(), Error> {
        let (id, user) = names(&request.session_id, &request.user_id)?;
        self.hub.store.delete(&id, &user).await?;
        self.hub.lifetimes.deleted(&id);
        tracing::info!(
            session = hashed(id.as_str()),
            user = hashed(user.as_str()),
            "session deleted"
        );
        self.hub.control(&id, Action::Shutdown(Shutdown {})).await;
        // Here it ends also when the announcement is lost.
        self.hub.end_session(&id);
        Ok(())
    }

    pub(crate) async fn append(&self, request: proto::AppendRequest) -> Result<Vec<EventId>, Error> {
        let (id, user) = names(&request.session_id, &request.user_id)?;
        let call = StreamName::parse(&request.stream)?;
        if request.entries.is_empty() {
            return Err(Error::Invalid("entries: at least one".to_owned()));
        }
        bounded("entries", request.entries.len(), self.limits.max_entries)?;
        bounded("key", request.key.len(), MAX_KEY_BYTES)?;
        if request.number > 0 {
            present("key", &request.key)?;
        }
        let entries = request
            .entries
            .into_iter()
            .map(|entry| self.entry(&call, entry))
            .collect::<Result<Vec<_>, _>>()?;
        let edge = match call.is_standalone() {
            true => String::new(),
            false => check_edge_id(request.edge_id)?,
        };
        let entries = NewEntries {
            call,
            edge,
            entries,
            key: request.key,
            number: request.number,
            trace: Option::from(propagation::current()).unwrap_or_default(),
        };
        let positions = self.hub.store.append(&id, &user, &entries).await?;
        let stream = entries.call.of_messages();
        // A stream that was only opened has nothing for anybody yet.
        let is_news = |entry: &NewEntry| !matches!(entry.payload, NewPayload::Open(_));
        if let Some(last) = positions.last()
            && entries.entries.iter().any(is_news)
        {
            self.hub.announce(&id, &stream, *last).await;
        }
        Ok(positions
            .into_iter()
            .map(|position| EventId {
                stream: stream.clone(),
                position,
            })
            .collect())
    }

    fn entry(&self, stream: &StreamName, entry: proto::Entry) -> Result<NewEntry, Error> {
        use proto::entry::Entry as Kind;
        if stream.is_standalone() && (entry.r#final || matches!(entry.entry, Some(Kind::Open(_)))) {
            return Err(Error::Invalid(
                "stream: the standalone stream is neither opened nor ended".to_owned(),
            ));
        }
        let payload = match entry.entry {
            Some(Kind::Open(_)) if entry.r#final => {
                return Err(Error::Invalid(
                    "entry: an entry cannot both open and end a stream".to_owned(),
                ));
            }
            Some(Kind::Open(_)) if !entry.awaits_answer.is_empty() => {
                return Err(Error::Invalid("awaits_answer: only a message can ask".to_owned()));
            }
            Some(Kind::Open(call)) => NewPayload::Open(self.call(call)?),
            Some(Kind::MessageJson(json)) => {
                if json.is_empty() {
                    return Err(Error::Invalid("message_json: must not be empty".to_owned()));
                }
                bounded("message_json", json.len(), self.limits.max_message_bytes)?;
                NewPayload::Message(json)
            }
            None if entry.r#final => NewPayload::End,
            None => {
                return Err(Error::Invalid(
                    "entry: opens the stream, or is a message, or is final".to_owned(),
                ));
            }
        };
        bounded("awaits_answer", entry.awaits_answer.len(), MAX_REQUEST_ID_BYTES)?;
        let awaits_answer = Some(entry.awaits_answer).filter(|request_id| !request_id.is_empty());
        Ok(NewEntry {
            payload,
            is_final: entry.r#final,
            awaits_answer,
            still_open: entry.still_open.map(|call| self.call(call)).transpose()?,
            progress: entry.progress.filter(|progress| progress.is_finite()),
        })
    }

    fn call(&self, call: proto::OpenCall) -> Result<proto::OpenCall, Error> {
        bounded("requests", call.requests.len(), MAX_REQUESTS)?;
        for request in &call.requests {
            bounded(
                "request_id_json",
                request.request_id_json.len(),
                MAX_REQUEST_ID_BYTES,
            )?;
            bounded("method", request.method.len(), MAX_METHOD_BYTES)?;
        }
        let params = call
            .requests
            .iter()
            .map(|request| request.params_json.len())
            .sum();
        bounded("params_json", params, self.limits.max_message_bytes)?;
        let edge_id = check_edge_id(call.edge_id)?;
        Ok(proto::OpenCall { edge_id, ..call })
    }

    pub(crate) async fn hand_over(&self, request: proto::HandOverRequest) -> Result<bool, Error> {
        let (id, user) = names(&request.session_id, &request.user_id)?;
        let call = StreamName::parse(&request.stream)?;
        let edge = check_edge_id(request.edge_id)?;
        let store = &self.hub.store;
        let accepted =
            store.has_other_edge(&edge).await? && store.hand_over(&id, &user, &call, &edge).await?;
        if accepted {
            self.hub.place_handed_over();
        }
        Ok(accepted)
    }

    pub(crate) async fn answer(&self, request: proto::AnswerRequest) -> Result<bool, Error> {
        let (id, user) = names(&request.session_id, &request.user_id)?;
        present("request_id", &request.request_id)?;
        bounded("request_id", request.request_id.len(), MAX_REQUEST_ID_BYTES)?;
        bounded(
            "response_json",
            request.response_json.len(),
            self.limits.max_message_bytes,
        )?;
        let accepted = self
            .hub
            .store
            .answer(&id, &user, &request.request_id, &request.response_json)
            .await?;
        if accepted {
            self.hub.announce_answer(&id, &request.request_id).await;
        }
        Ok(accepted)
    }

    pub(crate) async fn cancel(&self, request: proto::CancelRequest) -> Result<(), Error> {
        let (id, user) = names(&request.session_id, &request.user_id)?;
        let request_id_json: Bytes = request.request_id_json;
        if request_id_json.is_empty() {
            return Err(Error::Invalid("request_id_json: must not be empty".to_owned()));
        }
        bounded("request_id_json", request_id_json.len(), MAX_REQUEST_ID_BYTES)?;
        bounded("reason", request.reason.len(), MAX_REASON_BYTES)?;
        self.hub
            .store
            .cancel(&id, &user, &request_id_json, &request.reason)
            .await?;
        self.hub
            .control(
                &id,
                Action::Cancel(Cancel {
                    request_id_json,
                    reason: request.reason,
                }),
            )
            .await;
        Ok(())
    }
}

fn handshake(handshake: proto::Handshake) -> Result<Handshake, Error> {
    bounded(
        "protocol_version",
        handshake.protocol_version.len(),
        MAX_VERSION_BYTES,
    )?;
    bounded(
        "client_info_json",
        handshake.client_info_json.len(),
        MAX_CLIENT_JSON_BYTES,
    )?;
    bounded(
        "client_capabilities_json",
        handshake.client_capabilities_json.len(),
        MAX_CLIENT_JSON_BYTES,
    )?;
    Ok(Handshake {
        protocol_version: handshake.protocol_version,
        client_info: handshake.client_info_json,
        client_capabilities: handshake.client_capabilities_json,
    })
}

fn names(session_id: &str, user_id: &str) -> Result<(SessionId, UserId), Error> {
    let user = UserId::parse(user_id)?;
    Ok((SessionId::parse(session_id)?, user))
}

fn present(field: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        Err(Error::Invalid(format!("{field}: must not be empty")))
    } else {
        Ok(())
    }
}

fn bounded(field: &str, size: usize, limit: usize) -> Result<(), Error> {
    if size > limit {
        Err(Error::Invalid(format!(
            "{field}: {size} is above the limit of {limit}"
        )))
    } else {
        Ok(())
    }
}

fn unix_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| {
        i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
    })
}
