//! What goes wrong: kinds of faults, and schedules of them that a seed brings back.

use std::{fmt, time::Duration};

use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};

use super::cluster::Role;

/// A kind of fault, as reports count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// SIGKILL of one replica, which its supervisor starts again.
    Kill(Role),
    /// SIGSTOP of one replica: it accepts and never answers, then goes on as if nothing had been.
    Freeze(Role),
    /// SIGTERM of all replicas of a role, one after the other, each once the one before is well again.
    Roll(Role),
    /// SIGKILL of the primary, which comes back with what its append-only file has.
    RedisRestart,
    /// The replica becomes the primary, and the primary is killed.
    RedisFailover,
    /// The disk under the primary is full, then no longer.
    RedisDiskFull,
    /// Every connection on one way is reset.
    Reset,
    /// Everything on one way comes late.
    Delay,
    /// Nothing passes on one way, and nobody is told.
    Partition,
    /// One way has hardly any bandwidth left.
    Narrow,
    /// The wall clock of one replica is wrong by hours.
    Clock(Role),
}

/// One fault of a schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    pub kind: Kind,
    /// Chooses among what the kind can hit.
    pub choice: u32,
    /// How long what has a duration lasts.
    pub lasts: Duration,
    /// Between this fault and the next one.
    pub pause: Duration,
}

impl Kind {
    /// Each kind once for each role that it can hit, in a fixed order.
    pub fn all() -> Vec<Self> {
        let mut kinds = Vec::new();
        kinds.extend(Role::ALL.map(Self::Kill));
        kinds.extend(Role::ALL.map(Self::Freeze));
        kinds.extend(Role::ALL.map(Self::Roll));
        kinds.extend([
            Self::RedisRestart,
            Self::RedisFailover,
            Self::RedisDiskFull,
            Self::Reset,
            Self::Delay,
            Self::Partition,
            Self::Narrow,
        ]);
        kinds.extend([
            Self::Clock(Role::Session),
            Self::Clock(Role::Edge),
            Self::Clock(Role::Auth),
        ]);
        kinds
    }

    /// Those that need no proxy before Redis.
    pub fn behind_sentinels() -> Vec<Self> {
        vec![
            Self::RedisFailover,
            Self::Kill(Role::Session),
            Self::Kill(Role::Edge),
        ]
    }

    /// How often the kind comes up, beside the others.
    fn weight(self) -> u32 {
        match self {
            Self::Kill(_) => 12,
            Self::Reset => 16,
            Self::Delay | Self::Partition => 8,
            Self::Freeze(_) | Self::RedisRestart => 3,
            Self::Narrow => 4,
            Self::Roll(_) | Self::RedisFailover | Self::RedisDiskFull | Self::Clock(_) => 1,
        }
    }
}

/// Every kind once, on its own.
pub fn each_once(kinds: &[Kind], seed: u64) -> Vec<Fault> {
    let mut rng = SmallRng::seed_from_u64(seed);
    kinds.iter().map(|kind| fault(*kind, &mut rng)).collect()
}

/// This many of these kinds, at random.
pub fn at_random(kinds: &[Kind], count: usize, seed: u64) -> Vec<Fault> {
    let mut rng = SmallRng::seed_from_u64(seed ^ 0x5eed);
    let chosen = (0..count).map(|_| {
        kinds
            .choose_weighted(&mut rng, |kind| kind.weight())
            .ok()
            .copied()
    });
    let chosen: Vec<Kind> = chosen.flatten().collect();
    chosen.into_iter().map(|kind| fault(kind, &mut rng)).collect()
}

fn fault(kind: Kind, rng: &mut SmallRng) -> Fault {
    let lasts = match kind {
        Kind::Freeze(_) => Duration::from_secs(5),
        Kind::RedisRestart | Kind::RedisDiskFull => Duration::from_millis(rng.random_range(200..1500)),
        _ => Duration::from_millis(rng.random_range(500..3000)),
    };
    Fault {
        kind,
        choice: rng.random(),
        lasts,
        pause: Duration::from_millis(rng.random_range(50..500)),
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(role) => write!(f, "kill -9 {}", role.name()),
            Self::Freeze(role) => write!(f, "SIGSTOP {} for 5 s", role.name()),
            Self::Roll(role) => write!(f, "SIGTERM rolling restart of {}", role.name()),
            Self::RedisRestart => f.write_str("kill -9 and restart Redis (AOF)"),
            Self::RedisFailover => f.write_str("Redis failover to its replica"),
            Self::RedisDiskFull => f.write_str("full disk for Redis"),
            Self::Reset => f.write_str("TCP reset"),
            Self::Delay => f.write_str("TCP delay"),
            Self::Partition => f.write_str("TCP partition"),
            Self::Narrow => f.write_str("TCP bandwidth"),
            Self::Clock(role) => write!(f, "clock moved on {}", role.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_seed_brings_back_its_schedule_and_another_one_another() {
        let kinds = Kind::all();
        assert_eq!(at_random(&kinds, 500, 7), at_random(&kinds, 500, 7));
        assert_ne!(at_random(&kinds, 500, 7), at_random(&kinds, 500, 8));
        let once: Vec<_> = each_once(&kinds, 7).iter().map(|fault| fault.kind).collect();
        assert_eq!(once, kinds);
    }

    #[test]
    fn five_hundred_faults_leave_no_kind_out() {
        let kinds = Kind::all();
        let seen: HashSet<_> = at_random(&kinds, 500, 1).iter().map(|fault| fault.kind).collect();
        assert!(seen.len() + 2 >= kinds.len(), "{seen:?}");
    }
}
