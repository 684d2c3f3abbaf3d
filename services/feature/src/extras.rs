//! What can be added to the lists and taken out again, so that clients can be seen to follow: a tool and a prompt, for
//! one session each.

use std::sync::Arc;

use change_feed::ChangeFeed;
use everything_proto::events::v1::{Change, ListChanged, change, list_changed::List};

use crate::{
    call::{Caller, OwnerKey},
    error::Error,
    store::Store,
};

/// Something that is listed only while it is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extra {
    Tool,
    Prompt,
}

/// Switches extras on and off, and tells the clients concerned.
#[derive(Clone)]
pub struct Extras {
    store: Arc<dyn Store>,
    feed: Arc<dyn ChangeFeed>,
}

impl Extra {
    pub const ALL: [Self; 2] = [Self::Tool, Self::Prompt];

    /// As stores keep it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
        }
    }

    fn list(self) -> List {
        match self {
            Self::Tool => List::Tools,
            Self::Prompt => List::Prompts,
        }
    }
}

impl Extras {
    pub fn new(store: Arc<dyn Store>, feed: Arc<dyn ChangeFeed>) -> Self {
        Self { store, feed }
    }

    /// Whether the caller switched it on.
    pub async fn has(&self, caller: &Caller, extra: Extra) -> Result<bool, Error> {
        Ok(self.store.extras(&caller.owner()).await?.contains(&extra))
    }

    /// Answers whether that changed anything.
    pub async fn switch(&self, caller: &Caller, extra: Extra, on: bool) -> Result<bool, Error> {
        let owner = caller.owner();
        let changed = self.store.switch_extra(&owner, extra, on).await?;
        if changed && let Err(error) = self.feed.publish(list_changed(&owner, extra)).await {
            // The list is as it should be; clients that look again see it.
            tracing::warn!(%error, "a changed list was not told");
        }
        Ok(changed)
    }
}

fn list_changed(owner: &OwnerKey, extra: Extra) -> Change {
    let list = extra.list().into();
    Change {
        session_key: owner.as_str().to_owned(),
        change: Some(change::Change::ListChanged(ListChanged { list })),
        ..Change::default()
    }
}
