//! Which topics this replica is subscribed to: one subscription each, however many want it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use tokio::sync::OnceCell;

use crate::{
    Error,
    bus::{Bus, Sink, Subscribed, Topic},
    sync::lock,
};

pub(crate) struct Topics {
    bus: Arc<dyn Bus>,
    sink: Sink,
    open: Mutex<HashMap<Topic, Weak<OpenTopic>>>,
}

/// Keeps the subscription as long as anybody holds it.
pub(crate) struct OpenTopic {
    topic: Topic,
    topics: Weak<Topics>,
    subscribed: OnceCell<Subscribed>,
}

impl Topics {
    pub(crate) fn new(bus: Arc<dyn Bus>, sink: Sink) -> Arc<Self> {
        Arc::new(Self {
            bus,
            sink,
            open: Mutex::default(),
        })
    }

    /// Returns once the subscription is confirmed.
    pub(crate) async fn open(self: &Arc<Self>, topic: Topic) -> Result<Arc<OpenTopic>, Error> {
        let open = {
            let mut all = lock(&self.open);
            match all.get(&topic).and_then(Weak::upgrade) {
                Some(open) => open,
                None => {
                    let open = Arc::new(OpenTopic {
                        topic: topic.clone(),
                        topics: Arc::downgrade(self),
                        subscribed: OnceCell::new(),
                    });
                    all.insert(topic, Arc::downgrade(&open));
                    open
                }
            }
        };
        open.subscribed
            .get_or_try_init(|| self.bus.subscribe(&open.topic, self.sink.clone()))
            .await?;
        Ok(open)
    }
}

impl Drop for OpenTopic {
    fn drop(&mut self) {
        let Some(topics) = self.topics.upgrade() else {
            return;
        };
        let mut open = lock(&topics.open);
        // Somebody may have opened it anew meanwhile.
        if open
            .get(&self.topic)
            .is_some_and(|topic| topic.strong_count() == 0)
        {
            open.remove(&self.topic);
        }
    }
}
