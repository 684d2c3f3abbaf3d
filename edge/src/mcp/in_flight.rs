//! The requests that this edge is working on, by session and JSON-RPC id.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serving::CancellationToken;
use tokio::sync::Notify;

use crate::jsonrpc::RequestId;

/// Requests that one edge works on at once, including those whose clients have gone.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    pub per_session: usize,
    pub per_user: usize,
    pub all: usize,
}

pub struct InFlight {
    limits: CallLimits,
    table: Mutex<Table>,
    /// Notified when nothing is under way any more.
    idle: Notify,
}

#[derive(Default)]
struct Table {
    sessions: HashMap<Arc<str>, HashMap<RequestId, CancellationToken>>,
    users: HashMap<Arc<str>, usize>,
    all: usize,
}

/// A request that is being worked on, until dropped.
pub struct Working {
    in_flight: Arc<InFlight>,
    session_id: Arc<str>,
    user_id: Arc<str>,
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
    /// The user has too many under way, in all sessions.
    TooManyOfUser,
    /// The edge has.
    Overloaded,
}

impl InFlight {
    pub fn new(limits: CallLimits) -> Self {
        Self {
            limits,
            table: Mutex::default(),
            idle: Notify::new(),
        }
    }

    pub fn begin(
        self: &Arc<Self>,
        session_id: &Arc<str>,
        user_id: &Arc<str>,
        request_id: &RequestId,
    ) -> Result<Working, Refused> {
        let mut table = self.table();
        let of_session = table.sessions.get(session_id);
        if of_session.is_some_and(|requests| requests.contains_key(request_id)) {
            return Err(Refused::Duplicate);
        }
        if of_session.map_or(0, HashMap::len) >= self.limits.per_session {
            return Err(Refused::TooMany);
        }
        if table.users.get(user_id).copied().unwrap_or_default() >= self.limits.per_user {
            return Err(Refused::TooManyOfUser);
        }
        if table.all >= self.limits.all {
            return Err(Refused::Overloaded);
        }
        let cancelled = CancellationToken::new();
        table.all += 1;
        *table.users.entry(user_id.clone()).or_default() += 1;
        table
            .sessions
            .entry(session_id.clone())
            .or_default()
            .insert(request_id.clone(), cancelled.clone());
        Ok(Working {
            in_flight: self.clone(),
            session_id: session_id.clone(),
            user_id: user_id.clone(),
            request_id: request_id.clone(),
            cancelled,
        })
    }

    /// Cancels one request. False: it is not under way here.
    pub fn cancel(&self, session_id: &str, request_id: &RequestId) -> bool {
        let cancelled = self
            .table()
            .sessions
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
        if let Some(requests) = self.table().sessions.get(session_id) {
            requests.values().for_each(CancellationToken::cancel);
        }
    }

    /// Waits until nothing is under way. Callers bound the wait.
    pub async fn until_idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.table().all == 0 {
                return;
            }
            idle.await;
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut table = self.in_flight.table();
        if let Some(requests) = table.sessions.get_mut(&self.session_id) {
            requests.remove(&self.request_id);
            if requests.is_empty() {
                table.sessions.remove(&self.session_id);
            }
        }
        if let Some(count) = table.users.get_mut(&self.user_id) {
            *count -= 1;
            if *count == 0 {
                table.users.remove(&self.user_id);
            }
        }
        table.all -= 1;
        if table.all == 0 {
            self.in_flight.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CallLimits = CallLimits {
        per_session: 3,
        per_user: 5,
        all: 7,
    };

    fn begin(in_flight: &Arc<InFlight>, session: &str, user: &str, id: i64) -> Result<Working, Refused> {
        in_flight.begin(&session.into(), &user.into(), &RequestId::Number(id))
    }

    #[test]
    fn an_id_is_taken_once_until_its_request_is_done() {
        let in_flight = Arc::new(InFlight::new(LIMITS));
        let first = begin(&in_flight, "s1", "u", 1).map_err(drop).unwrap();
        assert_eq!(begin(&in_flight, "s1", "u", 1).err(), Some(Refused::Duplicate));
        assert!(begin(&in_flight, "s2", "u", 1).is_ok());
        let text = in_flight.begin(&"s1".into(), &"u".into(), &RequestId::from("1"));
        assert!(text.is_ok());
        drop((first, text));
        assert!(begin(&in_flight, "s1", "u", 1).is_ok());
        let table = in_flight.table();
        assert!(table.sessions.is_empty() && table.users.is_empty() && table.all == 0);
    }

    #[test]
    fn cancelling_reaches_only_the_named_request() {
        let in_flight = Arc::new(InFlight::new(LIMITS));
        let one = begin(&in_flight, "s", "u", 1).map_err(drop).unwrap();
        let two = begin(&in_flight, "s", "u", 2).map_err(drop).unwrap();
        assert!(in_flight.cancel("s", &RequestId::Number(1)));
        assert!(!in_flight.cancel("s", &RequestId::Number(3)));
        assert!(!in_flight.cancel("t", &RequestId::Number(2)));
        assert!(one.cancelled.is_cancelled() && !two.cancelled.is_cancelled());
        in_flight.cancel_session("s");
        assert!(two.cancelled.is_cancelled());
    }

    #[test]
    fn sessions_users_and_the_edge_have_only_so_many_under_way() {
        let in_flight = Arc::new(InFlight::new(LIMITS));
        let mut held = Vec::new();
        let mut fill = |session: &str, user: &str, most: i64, refused| {
            for id in 0..most {
                held.push(begin(&in_flight, session, user, id).map_err(drop).unwrap());
            }
            assert_eq!(begin(&in_flight, session, user, -1).err(), Some(refused));
        };
        fill("s1", "alice", 3, Refused::TooMany);
        fill("s2", "alice", 2, Refused::TooManyOfUser);
        fill("s3", "bob", 2, Refused::Overloaded);
        drop(held);
        assert!(begin(&in_flight, "s1", "alice", 1).is_ok());
    }

    #[tokio::test]
    async fn who_waits_for_the_end_of_everything_learns_it() {
        let in_flight = Arc::new(InFlight::new(LIMITS));
        let working = begin(&in_flight, "s", "u", 1).map_err(drop).unwrap();
        let waiting = tokio::spawn({
            let in_flight = in_flight.clone();
            async move { in_flight.until_idle().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(working);
        waiting.await.unwrap();
    }
}
