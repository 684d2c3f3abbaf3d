//! Commands that replicas confirm, many at a time: `WAIT` holds up whatever comes after it on the same connection, so what
//! arrives while one is under way shares the next.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::sync::oneshot;

use crate::{
    commands::too_few_replicas,
    link::{Link, Peer, timed_out},
};

/// Commands of one group, and bytes after which it is full.
const MAX_COMMANDS: usize = 128;
const MAX_BYTES: usize = 1024 * 1024;
/// Commands that may wait for their group.
const MAX_WAITING: usize = 16 * 1024;

/// Sends to one server. Cheap to clone; a clone is the same queue.
#[derive(Clone)]
pub(crate) struct Group(Arc<Inner>);

struct Inner {
    link: Link,
    wait: Cmd,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Somebody sends.
    sending: bool,
}

struct Waiting {
    command: Cmd,
    answer: oneshot::Sender<Answer>,
}

/// From whom it is; the value, and how many replicas confirmed it.
type Answer = (Option<Peer>, RedisResult<Vec<Value>>);

impl Group {
    /// `wait` is sent after each group.
    pub(crate) fn new(link: Link, wait: Cmd) -> Self {
        Self(Arc::new(Inner {
            link,
            wait,
            queue: Mutex::default(),
        }))
    }

    pub(crate) async fn send(&self, command: Cmd) -> Answer {
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.queue();
            if queue.waiting.len() >= MAX_WAITING {
                return (None, Err(too_few_replicas()));
            }
            queue.waiting.push(Waiting { command, answer });
            if !mem::replace(&mut queue.sending, true) {
                tokio::spawn(self.clone().send_all());
            }
        }
        answered.await.unwrap_or_else(|_| (None, Err(timed_out())))
    }

    async fn send_all(self) {
        while let Some(group) = self.next() {
            let live = match self.0.link.live().await {
                Ok(live) => live,
                Err(error) => {
                    refuse(group, None, &error);
                    continue;
                }
            };
            let mut pipeline = redis::pipe();
            for waiting in &group {
                pipeline.add_command(waiting.command.clone());
            }
            pipeline.add_command(self.0.wait.clone());
            match self.0.link.send(&live, &pipeline, 0, group.len() + 1).await {
                Ok(mut values) => {
                    let confirmed = values.pop().unwrap_or(Value::Nil);
                    for (waiting, value) in group.into_iter().zip(values) {
                        let answer = (Some(live.peer.clone()), Ok(vec![value, confirmed.clone()]));
                        _ = waiting.answer.send(answer);
                    }
                }
                Err(error) => refuse(group, Some(&live.peer), &error),
            }
        }
    }

    /// None: nobody waits, and nobody sends from here on.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.queue();
        let mut bytes = 0;
        let full = queue.waiting.iter().position(|waiting| {
            let before = bytes;
            bytes += waiting.command.get_packed_command().len();
            before >= MAX_BYTES
        });
        let count = full.unwrap_or(queue.waiting.len()).min(MAX_COMMANDS);
        queue.sending = count > 0;
        queue.sending.then(|| queue.waiting.drain(..count).collect())
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refuse(group: Vec<Waiting>, peer: Option<&Peer>, error: &RedisError) {
    for waiting in group {
        _ = waiting.answer.send((peer.cloned(), Err(error.clone())));
    }
}
