//! Many clients at once, each of which does what a good client does, and writes down what it sees.

mod http;
mod legacy;
mod member;
mod message;
mod prober;
mod stateless;
mod streamable;

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU32},
    time::Duration,
};

use anyhow::Context;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use self::member::Member;
use super::history::{Execution, Recorder, What, Wire};
pub use message::{parse_key, parse_run};

/// What the clients do.
#[derive(Clone, Debug)]
pub struct Load {
    /// Clients at once.
    pub sessions: usize,
    /// Numbered events of one call, at the most.
    pub events: u32,
    /// Between two events of a call.
    pub pause: Duration,
    /// Between two calls of a client, about.
    pub think: Duration,
    /// Calls of one session before the client ends it and begins another.
    pub calls_per_session: u32,
    /// How long any call may take, faults or not.
    pub deadline: Duration,
    /// Number of the first session: loads of one cluster must not share numbers.
    pub first_session: u32,
}

/// Somebody with a token.
#[derive(Clone, Debug)]
pub struct User {
    pub number: u16,
    /// None where nobody has to log in.
    pub token: Option<String>,
}

/// Clients at work.
pub struct Workload {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
    background: JoinSet<()>,
}

struct Shared {
    origin: String,
    load: Load,
    recorder: Recorder,
    /// No new calls from here on.
    stop: CancellationToken,
    /// Streams end, too.
    end: CancellationToken,
    /// Clients whose calls are all over.
    resting: watch::Sender<usize>,
    numbers: AtomicU32,
    /// Sessions that are alive, for those who try what is not theirs.
    known: Mutex<Vec<Known>>,
}

/// A session somebody has.
#[derive(Clone, Debug)]
struct Known {
    number: u32,
    owner: u16,
    id: String,
    wire: Wire,
}

/// The wires, in the proportion in which clients use them.
const WIRES: [Wire; 10] = [
    Wire::Streamable("2025-11-25"),
    Wire::Streamable("2025-11-25"),
    Wire::Legacy,
    Wire::Streamable("2025-06-18"),
    Wire::Stateless,
    Wire::Streamable("2025-11-25"),
    Wire::Streamable("2025-03-26"),
    Wire::Stateless,
    Wire::Legacy,
    Wire::Streamable("2025-06-18"),
];

impl Workload {
    /// Begins with everybody at once. The same seed gives every client the same habits.
    pub fn start(origin: &str, load: Load, users: &[User], seed: u64, recorder: Recorder) -> Self {
        let shared = Arc::new(Shared {
            origin: origin.to_owned(),
            recorder,
            stop: CancellationToken::new(),
            end: CancellationToken::new(),
            resting: watch::Sender::new(0),
            numbers: AtomicU32::new(load.first_session),
            known: Mutex::default(),
            load,
        });
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut clients = JoinSet::new();
        for client in 0..shared.load.sessions {
            let user = users[client % users.len()].clone();
            let wire = WIRES[client % WIRES.len()];
            let member = Member::new(
                shared.clone(),
                user,
                SmallRng::seed_from_u64(rng.random()),
                client,
            );
            match wire {
                Wire::Legacy => clients.spawn(legacy::live(member)),
                Wire::Streamable(revision) => clients.spawn(streamable::live(member, revision)),
                Wire::Stateless => clients.spawn(stateless::live(member)),
            };
        }
        let mut background = JoinSet::new();
        if users.len() > 1 {
            for user in users {
                let member = Member::new(
                    shared.clone(),
                    user.clone(),
                    SmallRng::seed_from_u64(rng.random()),
                    0,
                );
                background.spawn(prober::live(member));
            }
        }
        Self {
            shared,
            clients,
            background,
        }
    }

    pub fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }

    /// Lets every call come to its end. The number of clients that did not get there in time.
    pub async fn settle(&self, within: Duration) -> usize {
        self.shared.stop.cancel();
        let clients = self.shared.load.sessions;
        let mut resting = self.shared.resting.subscribe();
        _ = timeout(within, resting.wait_for(|resting| *resting >= clients)).await;
        clients - self.shared.resting.borrow().min(clients)
    }

    /// Lets clients end their sessions, and waits for it. The number of clients that did not get there in time.
    pub async fn finish(mut self, within: Duration) -> anyhow::Result<usize> {
        self.shared.end.cancel();
        self.background.abort_all();
        let all = async {
            while let Some(ended) = self.clients.join_next().await {
                ended.context("a client panicked")?;
            }
            anyhow::Ok(())
        };
        match timeout(within, all).await {
            Ok(ended) => ended.map(|()| 0),
            Err(_) => Ok(self.clients.len()),
        }
    }

    /// Tells the checker that everybody who listens must hear of what comes now; and causes it.
    pub async fn sound_the_trumpet(&self, user: &User) -> anyhow::Result<()> {
        let member = Member::new(self.shared.clone(), user.clone(), SmallRng::seed_from_u64(0), 0);
        stateless::trumpet(member).await
    }

    pub fn note(&self, what: What) {
        self.shared.recorder.write(0, what);
    }
}

impl Shared {
    fn known(&self) -> std::sync::MutexGuard<'_, Vec<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the tools noted of their runs, from the log of a feature replica.
pub fn executions(log: &str) -> Vec<Execution> {
    let execution = |line: &str| {
        let mut words = line.split_once("run began: ")?.1.split(' ');
        let (session, call) = parse_key(words.next()?)?;
        Some(Execution {
            session,
            call,
            round: words.next()?.parse().ok()?,
            run: parse_run(words.next()?.trim())?,
        })
    };
    log.lines().filter_map(execution).collect()
}
