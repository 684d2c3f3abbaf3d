//! What an edge measures.

use telemetry::{
    Metrics,
    metrics::{
        http::HttpServerMetrics,
        mcp::McpServerMetrics,
        server::{Level, Rejections},
    },
};

/// Instruments that handlers and layers share. Cheap to clone.
#[derive(Clone)]
pub struct EdgeMetrics {
    pub http: HttpServerMetrics,
    pub mcp: McpServerMetrics,
    pub streams: Streams,
    pub rejections: Rejections,
}

/// Event streams that are open, by what the client asked for.
#[derive(Clone)]
pub struct Streams {
    /// GET /mcp
    standalone: Level,
    /// POST /mcp
    call: Level,
    /// GET /sse
    legacy: Level,
}

impl EdgeMetrics {
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            http: HttpServerMetrics::new(metrics),
            mcp: McpServerMetrics::new(metrics),
            streams: Streams {
                standalone: Level::streams(metrics, "standalone"),
                call: Level::streams(metrics, "call"),
                legacy: Level::streams(metrics, "legacy"),
            },
            rejections: Rejections::new(metrics),
        }
    }
}

impl Streams {
    pub fn of(&self, method: &http::Method, route: &str) -> &Level {
        match (route, method) {
            ("/sse", _) => &self.legacy,
            (_, &http::Method::POST) => &self.call,
            _ => &self.standalone,
        }
    }
}
