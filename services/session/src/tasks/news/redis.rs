use std::time::Duration;

use async_trait::async_trait;
use everything_proto::session::v1::TaskChanged;
use prost::Message;
use redis_store::{Delivery, Redis, keys};
use tokio::{sync::broadcast, task::JoinHandle};

use super::{Heard, QUEUE, TaskNews};

const RETRY: Duration = Duration::from_millis(500);

/// Over pub/sub, heard once per replica.
pub struct RedisTaskNews {
    redis: Redis,
    heard: broadcast::Sender<Heard>,
    listening: JoinHandle<()>,
}

impl RedisTaskNews {
    /// Must be called within a Tokio runtime. Its task ends with it.
    pub fn new(redis: Redis) -> Self {
        let heard = broadcast::Sender::new(QUEUE);
        let listening = tokio::spawn(listen(redis.clone(), heard.clone()));
        Self {
            redis,
            heard,
            listening,
        }
    }
}

#[async_trait]
impl TaskNews for RedisTaskNews {
    async fn announce(&self, changed: TaskChanged) {
        if let Err(error) = self
            .redis
            .publish(keys::task::CHANGES, &changed.encode_to_vec())
            .await
        {
            tracing::debug!(%error, "a change of a task was not announced");
        }
    }

    fn watch(&self) -> broadcast::Receiver<Heard> {
        self.heard.subscribe()
    }
}

impl Drop for RedisTaskNews {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(redis: Redis, heard: broadcast::Sender<Heard>) {
    let mut subscription = loop {
        match redis.subscribe(keys::task::CHANGES).await {
            Ok(subscription) => break subscription,
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    };
    // What was announced before is not known.
    _ = heard.send(Heard::Gap);
    loop {
        let news = match subscription.next().await {
            Delivery::Message(payload) => match TaskChanged::decode(payload) {
                Ok(changed) => Heard::Changed(changed),
                Err(error) => {
                    tracing::warn!(%error, "unreadable message on the channel of tasks");
                    continue;
                }
            },
            Delivery::Resubscribed => Heard::Gap,
        };
        _ = heard.send(news);
    }
}
