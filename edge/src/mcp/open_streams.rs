//! How many event streams a session and a user have open at this edge.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::refusal::HttpRefusal;

/// Event streams open at once.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    pub per_session: usize,
    pub per_user: usize,
}

/// Counts streams. Cheap to clone.
#[derive(Clone)]
pub struct OpenStreams {
    limits: StreamLimits,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    sessions: HashMap<Arc<str>, usize>,
    users: HashMap<Arc<str>, usize>,
}

/// A stream that is open, until dropped.
pub struct OpenStream {
    counts: Arc<Mutex<Counts>>,
    session_id: Arc<str>,
    user_id: Arc<str>,
}

impl OpenStreams {
    pub fn new(limits: StreamLimits) -> Self {
        Self {
            limits,
            counts: Arc::default(),
        }
    }

    pub fn begin(&self, session_id: &Arc<str>, user_id: &Arc<str>) -> Result<OpenStream, HttpRefusal> {
        let mut counts = lock(&self.counts);
        if count(&counts.sessions, session_id) >= self.limits.per_session {
            let sentence = "the session has too many streams open; close some";
            return Err(HttpRefusal::too_many(sentence));
        }
        if count(&counts.users, user_id) >= self.limits.per_user {
            let sentence = "the user has too many streams open; close some";
            return Err(HttpRefusal::too_many(sentence));
        }
        *counts.sessions.entry(session_id.clone()).or_default() += 1;
        *counts.users.entry(user_id.clone()).or_default() += 1;
        Ok(OpenStream {
            counts: self.counts.clone(),
            session_id: session_id.clone(),
            user_id: user_id.clone(),
        })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        take_off(&mut counts.sessions, &self.session_id);
        take_off(&mut counts.users, &self.user_id);
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(counts: &HashMap<Arc<str>, usize>, name: &str) -> usize {
    counts.get(name).copied().unwrap_or_default()
}

fn take_off(counts: &mut HashMap<Arc<str>, usize>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            counts.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_and_users_have_only_so_many_streams() {
        let streams = OpenStreams::new(StreamLimits {
            per_session: 2,
            per_user: 3,
        });
        let open = |session: &str| streams.begin(&session.into(), &"alice".into());
        let held = [open("s1").unwrap(), open("s1").unwrap()];
        let refused = open("s1").err().unwrap();
        assert_eq!((refused.status.as_u16(), refused.retry_after_s), (429, Some(1)));
        let other = open("s2").unwrap();
        assert!(open("s2").is_err());
        drop((held, other));
        let counts = lock(&streams.counts);
        assert!(counts.sessions.is_empty() && counts.users.is_empty());
    }
}
