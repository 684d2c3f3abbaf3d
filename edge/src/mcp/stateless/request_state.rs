//! `requestState`: what a call must remember between two rounds, in the client's keeping and out of its reach.
//!
//! Encrypted and authenticated (XChaCha20-Poly1305), and bound to whom it was given, what was asked, and a time. Every edge
//! has the same keys, so every edge can take the next round.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use everything_proto::feature::v1::InputRequest;
use prost::Message;
use rand::RngExt;
use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};
use telemetry::propagation::TraceParent;

use crate::{Principal, mcp::calls::Call};

const NONCE_BYTES: usize = 24;
/// Says what the sealed bytes are, so that nothing else sealed under the same key passes for it.
const CONTEXT: &[u8] = b"everything request state v1";

/// What is remembered.
#[derive(Clone, PartialEq, Message)]
pub struct Remembered {
    /// Unix time, milliseconds.
    #[prost(uint64, tag = "1")]
    expires_at_ms: u64,
    #[prost(string, tag = "2")]
    user_id: String,
    #[prost(string, tag = "3")]
    client_id: String,
    /// SHA-256 of the call.
    #[prost(bytes = "vec", tag = "4")]
    call: Vec<u8>,
    /// The feature's own state.
    #[prost(bytes = "bytes", tag = "5")]
    pub state: bytes::Bytes,
    /// What the client was asked and has not answered.
    #[prost(message, repeated, tag = "6")]
    pub requests: Vec<InputRequest>,
    /// What it has answered, by key.
    #[prost(map = "string, bytes", tag = "7")]
    pub answers: HashMap<String, bytes::Bytes>,
    #[prost(uint32, tag = "8")]
    pub rounds: u32,
    /// The trace context of the round that asked (W3C).
    #[prost(string, tag = "9")]
    traceparent: String,
    #[prost(string, tag = "10")]
    tracestate: String,
}

/// Why a `requestState` is not taken. Clients learn no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Not sealed by this server, or changed.
    Forged,
    Expired,
    /// Given to somebody else, or for another request.
    Foreign,
}

/// The keys that seal and open.
#[derive(Clone)]
pub struct StateKeys {
    /// The first seals; all open.
    keys: std::sync::Arc<[XChaCha20Poly1305]>,
    ttl: Duration,
}

// Keys are not to be seen.
impl std::fmt::Debug for StateKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateKeys")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl StateKeys {
    /// `secrets`: the current one first, then those it replaced. None: a random one, which only this process has.
    pub fn new(secrets: &[String], ttl: Duration) -> Self {
        let mut keys: Vec<XChaCha20Poly1305> =
            secrets.iter().map(|secret| cipher(secret.as_bytes())).collect();
        if keys.is_empty() {
            keys.push(cipher(&rand::rng().random::<[u8; 32]>()));
        }
        Self {
            keys: keys.into(),
            ttl,
        }
    }

    /// Binds what is to be remembered to the principal and the call.
    pub fn seal(&self, principal: &Principal, call: &Call, remembered: Remembered) -> Option<String> {
        let remembered = Remembered {
            expires_at_ms: now_ms() + u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX / 2),
            user_id: principal.user_id.as_ref().to_owned(),
            client_id: principal.client_id.as_ref().to_owned(),
            call: digest(call),
            ..remembered
        };
        let nonce: [u8; NONCE_BYTES] = rand::rng().random();
        let plain = remembered.encode_to_vec();
        let payload = Payload {
            msg: &plain,
            aad: CONTEXT,
        };
        let sealed = self.keys.first()?.encrypt(&XNonce::from(nonce), payload).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    pub fn open(&self, principal: &Principal, call: &Call, sealed: &str) -> Result<Remembered, Unusable> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| Unusable::Forged)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(Unusable::Forged)?;
        let nonce = XNonce::from(*nonce);
        let plain = self
            .keys
            .iter()
            .find_map(|key| {
                key.decrypt(
                    &nonce,
                    Payload {
                        msg: sealed,
                        aad: CONTEXT,
                    },
                )
                .ok()
            })
            .ok_or(Unusable::Forged)?;
        let remembered = Remembered::decode(plain.as_slice()).map_err(|_| Unusable::Forged)?;
        if remembered.expires_at_ms <= now_ms() {
            return Err(Unusable::Expired);
        }
        let same = *remembered.user_id == *principal.user_id
            && *remembered.client_id == *principal.client_id
            && remembered.call == digest(call);
        if same {
            Ok(remembered)
        } else {
            Err(Unusable::Foreign)
        }
    }
}

impl Unusable {
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Forged => "`requestState` is not what this server handed out",
            Self::Expired => "`requestState` has expired; send the request again without it",
            Self::Foreign => "`requestState` belongs to another request",
        }
    }
}

impl Remembered {
    /// What is remembered of a round that asks for input.
    pub fn new(
        state: bytes::Bytes,
        requests: Vec<InputRequest>,
        answers: HashMap<String, bytes::Bytes>,
        rounds: u32,
    ) -> Self {
        Self {
            state,
            requests,
            answers,
            rounds,
            ..Self::default()
        }
    }

    /// The same, with the round that asks: the next one names it as what led to it.
    pub fn asked_by(self, round: TraceParent) -> Self {
        Self {
            traceparent: round.traceparent,
            tracestate: round.tracestate,
            ..self
        }
    }

    pub fn round_before(&self) -> TraceParent {
        TraceParent::new(&*self.traceparent, &*self.tracestate)
    }
}

fn cipher(secret: &[u8]) -> XChaCha20Poly1305 {
    let key = Sha256::new()
        .chain_update(CONTEXT)
        .chain_update([0])
        .chain_update(secret)
        .finalize();
    XChaCha20Poly1305::new(&key)
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Identifies a call by what it names and its arguments, however the client writes their JSON.
fn digest(call: &Call) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    match call {
        Call::Tool { name, arguments } => {
            add("tools/call");
            add(name);
            add(&canonical(arguments.as_deref()));
        }
        Call::Resource { uri } => {
            add("resources/read");
            add(uri);
        }
        Call::Prompt { name, arguments } => {
            add("prompts/get");
            add(name);
            let mut arguments: Vec<_> = arguments.iter().collect();
            arguments.sort();
            for (name, value) in arguments {
                add(name);
                add(value);
            }
        }
        Call::Subscribe { uri } => {
            add("resources/subscribe");
            add(uri);
        }
    }
    hash.finalize().to_vec()
}

/// One text for the same arguments. What only a stricter parser refuses (1e400, half a surrogate pair) stands for itself.
fn canonical(arguments: Option<&RawValue>) -> String {
    let Some(raw) = arguments else {
        return Value::Null.to_string();
    };
    match serde_json::from_str::<Value>(raw.get()) {
        Ok(mut value) => {
            value.sort_all_objects();
            value.to_string()
        }
        Err(_) => raw.get().to_owned(),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    fn principal(user: &str) -> Principal {
        Principal {
            user_id: user.into(),
            client_id: "c".into(),
            scopes: Default::default(),
        }
    }

    fn tool(arguments: &str) -> Call {
        Call::Tool {
            name: "t".to_owned(),
            arguments: Some(serde_json::from_str(arguments).unwrap()),
        }
    }

    fn sealed(keys: &StateKeys) -> String {
        let remembered = Remembered::new("s".into(), Vec::new(), HashMap::new(), 1);
        keys.seal(&principal("u"), &tool(r#"{"a":1,"b":[2]}"#), remembered)
            .unwrap()
    }

    #[test]
    fn state_comes_back_for_the_same_call_however_it_is_written() {
        let keys = StateKeys::new(&["k".to_owned()], Duration::from_secs(60));
        let state = sealed(&keys);
        let call = tool(r#"{ "b": [2], "a": 1 }"#);
        assert_eq!(keys.open(&principal("u"), &call, &state).unwrap().state, "s");
    }

    #[test]
    fn other_people_other_calls_and_other_bytes_are_refused() {
        let keys = StateKeys::new(&["k".to_owned()], Duration::from_secs(60));
        let state = sealed(&keys);
        let call = tool(r#"{"a":1,"b":[2]}"#);
        let open = |user: &str, call: &Call, state: &str| keys.open(&principal(user), call, state).err();
        assert_eq!(open("v", &call, &state), Some(Unusable::Foreign));
        assert_eq!(
            open("u", &tool(r#"{"a":2,"b":[2]}"#), &state),
            Some(Unusable::Foreign)
        );
        for forged in [
            format!("{state}-TAMPERED"),
            state[1..].to_owned(),
            String::new(),
            "AAAA".to_owned(),
        ] {
            assert_eq!(open("u", &call, &forged), Some(Unusable::Forged), "{forged}");
        }
    }

    #[test]
    fn state_expires() {
        let keys = StateKeys::new(&["k".to_owned()], Duration::ZERO);
        let call = tool(r#"{"a":1,"b":[2]}"#);
        assert_eq!(
            keys.open(&principal("u"), &call, &sealed(&keys)).err(),
            Some(Unusable::Expired)
        );
    }

    #[test]
    fn a_replaced_key_still_opens_and_an_unknown_one_does_not() {
        let ttl = Duration::from_secs(60);
        let state = sealed(&StateKeys::new(&["old".to_owned()], ttl));
        let call = tool(r#"{"a":1,"b":[2]}"#);
        let rotated = StateKeys::new(&["new".to_owned(), "old".to_owned()], ttl);
        assert!(rotated.open(&principal("u"), &call, &state).is_ok());
        let other = StateKeys::new(&["new".to_owned()], ttl);
        assert_eq!(
            other.open(&principal("u"), &call, &state).err(),
            Some(Unusable::Forged)
        );
        let random = StateKeys::new(&[], ttl);
        assert!(random.open(&principal("u"), &call, &sealed(&random)).is_ok());
    }
}
