//! Resources: a hundred static ones, the user interfaces of tools, and what tools made for a session.

mod cursor;
pub mod session_resources;
pub mod static_resources;
pub mod ui;

use std::{sync::Arc, time::Duration};

use change_feed::ChangeFeed;
use serde_json::Value;

pub use cursor::refuse_cursor;
use session_resources::NewResource;
use static_resources::StaticResource;

use crate::{
    call::Caller,
    content::{Body, ReadResult, ResourceContents},
    error::{Error, McpError},
    store::{Refusal, Store, Stored},
};

/// Resources a page.
const PAGE_SIZE: usize = 10;

pub struct Resources {
    store: Arc<dyn Store>,
    feed: Arc<dyn ChangeFeed>,
}

/// What a list says of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub uri: String,
    pub name: String,
    pub title: String,
    pub description: String,
    pub mime_type: String,
    pub size: u64,
    pub meta: Option<Value>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub resources: Vec<Listed>,
    pub next_cursor: Option<String>,
    pub cache: CacheHint,
}

/// What is to be known of a template.
#[derive(Clone, Debug)]
pub struct Template {
    pub uri_template: &'static str,
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
}

/// How long and for whom something may be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheHint {
    pub ttl: Duration,
    pub scope: CacheScope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheScope {
    /// The same for everybody.
    Public,
    /// For one user.
    Private,
}

impl CacheHint {
    /// For what changes only with the program.
    pub const FIXED: Self = Self {
        ttl: Duration::from_secs(300),
        scope: CacheScope::Public,
    };
    /// For what a caller's own calls can change at any time.
    pub const OWN: Self = Self {
        ttl: Duration::from_secs(5),
        scope: CacheScope::Private,
    };
}

impl Resources {
    pub fn new(store: Arc<dyn Store>, feed: Arc<dyn ChangeFeed>) -> Self {
        Self { store, feed }
    }

    /// Static ones first, then user interfaces, then the caller's own, oldest first.
    pub async fn list(&self, caller: &Caller, cursor: Option<&str>) -> Result<Page, Error> {
        let fixed = static_resources::COUNT as usize + 1;
        let start = match cursor {
            None => 0,
            Some(cursor) => cursor::decode(cursor, fixed + self.store.limits().count)?,
        };
        let end = start + PAGE_SIZE;
        let mut resources: Vec<Listed> = (1..=static_resources::COUNT)
            .skip(start)
            .take(PAGE_SIZE)
            .filter_map(StaticResource::by_id)
            .map(|resource| resource.listed())
            .collect();
        let mut more = end < fixed;
        if !more {
            // The last pages are the only ones that need the store.
            let own = self.store.list(&caller.owner()).await?;
            more = end < fixed + own.len();
            let rest = [ui::listed()].into_iter().chain(own.iter().map(Stored::listed));
            let skipped = start.saturating_sub(static_resources::COUNT as usize);
            resources.extend(rest.skip(skipped).take(PAGE_SIZE - resources.len()));
        }
        Ok(Page {
            resources,
            next_cursor: more.then(|| cursor::encode(end)),
            cache: CacheHint::OWN,
        })
    }

    pub fn templates(&self) -> [Template; 1] {
        [static_resources::TEMPLATE]
    }

    pub async fn read(&self, caller: &Caller, uri: &str) -> Result<(ReadResult, CacheHint), Error> {
        let (contents, cache) = if let Some(resource) = StaticResource::by_uri(uri) {
            // They are said to change every 10 s.
            let cache = CacheHint {
                ttl: Duration::from_secs(10),
                scope: CacheScope::Public,
            };
            (resource.contents(), cache)
        } else if uri == ui::HELLO_WORLD_URI {
            (ui::contents(), CacheHint::FIXED)
        } else if let Some((stored, bytes)) = self.own(caller, uri).await? {
            let contents = ResourceContents {
                uri: uri.to_owned(),
                mime_type: stored.meta.mime_type,
                body: Body::blob(&bytes),
                meta: None,
            };
            (
                contents,
                CacheHint {
                    ttl: Duration::from_secs(60),
                    scope: CacheScope::Private,
                },
            )
        } else {
            return Err(McpError::resource_not_found(uri).into());
        };
        Ok((
            ReadResult {
                contents: vec![contents],
            },
            cache,
        ))
    }

    /// Whether the caller may subscribe to a resource: to any that it can read.
    pub async fn check(&self, caller: &Caller, uri: &str) -> Result<(), Error> {
        let known = StaticResource::by_uri(uri).is_some()
            || uri == ui::HELLO_WORLD_URI
            || self.own(caller, uri).await?.is_some();
        if known {
            Ok(())
        } else {
            Err(McpError::resource_not_found(uri).into())
        }
    }

    /// Keeps a resource for the caller's session and tells its client that the list has grown.
    pub async fn add(&self, caller: &Caller, new: NewResource) -> Result<Result<Stored, Refusal>, Error> {
        let (stored, bytes) = new.into_stored();
        let owner = caller.owner();
        if let Err(refusal) = self.store.put(&owner, &stored, bytes).await? {
            return Ok(Err(refusal));
        }
        if let Err(error) = self.feed.publish(session_resources::list_changed(&owner)).await {
            // The resource is there, and the caller is told of it by the result.
            tracing::warn!(%error, "a list change was not announced");
        }
        Ok(Ok(stored))
    }

    async fn own(&self, caller: &Caller, uri: &str) -> Result<Option<(Stored, bytes::Bytes)>, Error> {
        let Some(id) = session_resources::id_of(uri) else {
            return Ok(None);
        };
        let found = self.store.get(&caller.owner(), id).await?;
        Ok(found.filter(|(stored, _)| stored.uri() == uri))
    }
}
