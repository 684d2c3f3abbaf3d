use std::sync::Arc;

use serving::CancellationToken;
use tokio::sync::Semaphore;

use crate::{
    Authenticator, Clients, EdgeMetrics, Settings, mcp::Mcp, oauth::metadata::Metadata,
    readiness::Dependencies,
};

/// What handlers share. Cheap to clone.
#[derive(Clone)]
pub struct State {
    pub config: Arc<Settings>,
    pub clients: Clients,
    pub authenticator: Authenticator,
    pub metadata: Metadata,
    /// The MCP transports.
    pub mcp: Mcp,
    /// The services behind the edge, for readiness.
    pub dependencies: Dependencies,
    pub metrics: EdgeMetrics,
    /// Cancelled when the edge begins to shut down: streams end, so that their clients resume elsewhere.
    pub shutdown: CancellationToken,
    /// One permit per request that is being worked on.
    pub(crate) requests: Arc<Semaphore>,
}
