//! The requests that this edge is working on, by session and JSON-RPC id.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serving::CancellationToken;

use crate::jsonrpc::RequestId;

/// Requests of one session that one edge works on at once.
const MAX_PER_SESSION: usize = 128;

#[derive(Default)]
pub struct InFlight {
    sessions: Mutex<HashMap<Arc<str>, HashMap<RequestId, CancellationToken>>>,
}

/// A request that is being worked on, until dropped.
pub struct Working {
    in_flight: Arc<InFlight>,
    session_id: Arc<str>,
    request_id: RequestId,
    /// Cancelled when the client gives the request up, or its session ends.
    pub cancelled: CancellationToken,
}

/// Why a request is not taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another request with this id is under way.
    Duplicate,
    /// The session has too many under way.
    TooMany,
}

impl InFlight {
    pub fn begin(
        self: &Arc<Self>,
        session_id: &Arc<str>,
        request_id: &RequestId,
    ) -> Result<Working, Refused> {
        let mut sessions = self.sessions();
        let requests = sessions.entry(session_id.clone()).or_default();
        if requests.contains_key(request_id) {
            return Err(Refused::Duplicate);
        }
        if requests.len() >= MAX_PER_SESSION {
            return Err(Refused::TooMany);
        }
        let cancelled = CancellationToken::new();
        requests.insert(request_id.clone(), cancelled.clone());
        Ok(Working {
            in_flight: self.clone(),
            session_id: session_id.clone(),
            request_id: request_id.clone(),
            cancelled,
        })
    }

    /// Cancels one request. False: it is not under way here.
    pub fn cancel(&self, session_id: &str, request_id: &RequestId) -> bool {
        let cancelled = self
            .sessions()
            .get(session_id)
            .and_then(|requests| requests.get(request_id))
            .cloned();
        if let Some(cancelled) = &cancelled {
            cancelled.cancel();
        }
        cancelled.is_some()
    }

    /// Cancels all requests of a session that has ended.
    pub fn cancel_session(&self, session_id: &str) {
        if let Some(requests) = self.sessions().get(session_id) {
            requests.values().for_each(CancellationToken::cancel);
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Arc<str>, HashMap<RequestId, CancellationToken>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut sessions = self.in_flight.sessions();
        if let Some(requests) = sessions.get_mut(&self.session_id) {
            requests.remove(&self.request_id);
            if requests.is_empty() {
                sessions.remove(&self.session_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_once_until_its_request_is_done() {
        let in_flight = Arc::new(InFlight::default());
        let (one, two): (Arc<str>, Arc<str>) = ("s1".into(), "s2".into());
        let number = RequestId::Number(1);
        let first = in_flight.begin(&one, &number).map_err(drop).unwrap();
        assert_eq!(in_flight.begin(&one, &number).err(), Some(Refused::Duplicate));
        assert!(in_flight.begin(&two, &number).is_ok());
        assert!(in_flight.begin(&one, &RequestId::from("1")).is_ok());
        drop(first);
        assert!(in_flight.begin(&one, &number).is_ok());
        assert!(in_flight.sessions().is_empty());
    }

    #[test]
    fn cancelling_reaches_only_the_named_request() {
        let in_flight = Arc::new(InFlight::default());
        let session: Arc<str> = "s".into();
        let one = in_flight
            .begin(&session, &RequestId::Number(1))
            .map_err(drop)
            .unwrap();
        let two = in_flight
            .begin(&session, &RequestId::Number(2))
            .map_err(drop)
            .unwrap();
        assert!(in_flight.cancel("s", &RequestId::Number(1)));
        assert!(!in_flight.cancel("s", &RequestId::Number(3)));
        assert!(!in_flight.cancel("t", &RequestId::Number(2)));
        assert!(one.cancelled.is_cancelled() && !two.cancelled.is_cancelled());
        in_flight.cancel_session("s");
        assert!(two.cancelled.is_cancelled());
    }

    #[test]
    fn a_session_has_only_so_many_requests_under_way() {
        let in_flight = Arc::new(InFlight::default());
        let session: Arc<str> = "s".into();
        let begin = |n: i64| in_flight.begin(&session, &RequestId::Number(n));
        let held: Vec<_> = (0..MAX_PER_SESSION as i64)
            .map(|n| begin(n).map_err(drop).unwrap())
            .collect();
        assert_eq!(begin(-1).err(), Some(Refused::TooMany));
        drop(held);
    }
}
