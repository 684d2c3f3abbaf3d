use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;

use super::{Bus, Message, Received, Sink, Subscribed, Topic};
use crate::{Error, sync::lock};

/// Within one process.
#[derive(Default)]
pub struct MemoryBus {
    topics: Arc<Topics>,
    next: AtomicU64,
}

type Topics = Mutex<HashMap<Topic, Vec<(u64, Sink)>>>;

struct Guard {
    topics: Weak<Topics>,
    topic: Topic,
    subscriber: u64,
}

impl MemoryBus {
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Bus for MemoryBus {
    async fn publish(&self, topic: &Topic, message: Message) -> Result<(), Error> {
        let sinks: Vec<Sink> = match lock(&self.topics).get(topic) {
            Some(subscribers) => subscribers.iter().map(|(_, sink)| sink.clone()).collect(),
            None => return Ok(()),
        };
        for sink in sinks {
            // A subscriber that has ended needs no message.
            _ = sink
                .send((topic.clone(), Received::Message(message.clone())))
                .await;
        }
        Ok(())
    }

    async fn subscribe(&self, topic: &Topic, sink: Sink) -> Result<Subscribed, Error> {
        let subscriber = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.topics)
            .entry(topic.clone())
            .or_default()
            .push((subscriber, sink));
        Ok(Subscribed::new(Guard {
            topics: Arc::downgrade(&self.topics),
            topic: topic.clone(),
            subscriber,
        }))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(topics) = self.topics.upgrade() else {
            return;
        };
        let mut topics = lock(&topics);
        if let Some(subscribers) = topics.get_mut(&self.topic) {
            subscribers.retain(|(subscriber, _)| *subscriber != self.subscriber);
            if subscribers.is_empty() {
                topics.remove(&self.topic);
            }
        }
    }
}
