use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use everything_proto::feature::v1::{CacheHint, DescribeRequest, DescribeResponse, cache_hint::Scope};
use moka::future::Cache;

use crate::{error::Fault, mcp::Mcp, revisions::Stateless};

/// How long the edge, and its clients, go by what the feature service last said of itself.
const AGE: Duration = Duration::from_secs(30);

/// What the feature service says of itself.
pub struct Described {
    pub server: DescribeResponse,
    /// Its `Implementation` object, which goes with every result.
    pub info: Bytes,
    pub cache: CacheHint,
}

pub type DescribedCache = Cache<&'static str, Arc<Described>>;

pub fn cache() -> DescribedCache {
    Cache::builder().max_capacity(8).time_to_live(AGE).build()
}

impl Described {
    /// Whether some tools can run as tasks.
    pub fn serves_tasks(&self) -> bool {
        let capabilities = self.server.capabilities.as_ref();
        capabilities.is_some_and(|capabilities| capabilities.tasks)
    }
}

impl Mcp {
    /// Asks the feature service what it is, at most every half minute.
    pub async fn described(&self, revision: &'static dyn Stateless) -> Result<Arc<Described>, Fault> {
        let load = async {
            let described = self.clients.feature.clone().describe(DescribeRequest {}).await;
            let described = described
                .map_err(|status| Fault::from_status(&status))?
                .into_inner();
            let info = revision.server_info(&described);
            let ttl_ms = u64::try_from(AGE.as_millis()).unwrap_or(u64::MAX);
            let cache = CacheHint {
                ttl_ms,
                scope: Scope::Public.into(),
            };
            Ok::<_, Fault>(Arc::new(Described {
                server: described,
                info,
                cache,
            }))
        };
        self.described
            .try_get_with(revision.version(), load)
            .await
            .map_err(|fault| *fault)
    }
}
