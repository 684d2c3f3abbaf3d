//! The tables of the conventions, and what there is beside them.

/// What a metric is.
pub enum Kind {
    Histogram(&'static [f64]),
    Counter,
    UpDownCounter,
    Gauge,
}

/// A row of the conventions' tables, and where to find it here.
pub struct Row {
    pub name: &'static str,
    pub unit: &'static str,
    pub kind: Kind,
    /// Attributes that every point has.
    pub required: &'static [&'static str],
    /// All other attributes that a point may have.
    pub allowed: &'static [&'static str],
    /// A process that must report it.
    pub part: &'static str,
    /// Its name as Prometheus text.
    pub prometheus: &'static str,
}

// Copied from the conventions, not from the server: open-telemetry/semantic-conventions 1.44.0 and
// semantic-conventions-genai docs/gen-ai/mcp.md.
const MCP: Kind = Kind::Histogram(&[
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
]);
const REQUEST: Kind = Kind::Histogram(&[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
]);
const SIZE: Kind = Kind::Histogram(&[
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
]);
const HTTP_ALLOWED: &[&str] = &[
    "error.type",
    "http.response.status_code",
    "http.route",
    "network.protocol.version",
];

pub const TABLE: &[Row] = &[
    // docs/gen-ai/mcp.md
    Row {
        name: "mcp.server.operation.duration",
        unit: "s",
        kind: MCP,
        required: &["mcp.method.name"],
        allowed: &[
            "error.type",
            "gen_ai.prompt.name",
            "gen_ai.tool.name",
            "rpc.response.status_code",
            "gen_ai.operation.name",
            "mcp.protocol.version",
            "network.protocol.name",
            "network.transport",
        ],
        part: "edge-0",
        prometheus: "mcp_server_operation_duration_seconds",
    },
    Row {
        name: "mcp.server.session.duration",
        unit: "s",
        kind: MCP,
        required: &[
            "mcp.protocol.version",
            "network.protocol.name",
            "network.transport",
        ],
        allowed: &["error.type"],
        part: "session-0",
        prometheus: "mcp_server_session_duration_seconds",
    },
    // docs/http/http-metrics.md
    Row {
        name: "http.server.request.duration",
        unit: "s",
        kind: REQUEST,
        required: &["http.request.method", "url.scheme"],
        allowed: HTTP_ALLOWED,
        part: "edge-0",
        prometheus: "http_server_request_duration_seconds",
    },
    Row {
        name: "http.server.active_requests",
        unit: "{request}",
        kind: Kind::UpDownCounter,
        required: &["http.request.method", "url.scheme"],
        allowed: &[],
        part: "edge-0",
        prometheus: "http_server_active_requests",
    },
    Row {
        name: "http.server.request.body.size",
        unit: "By",
        kind: SIZE,
        required: &["http.request.method", "url.scheme"],
        allowed: HTTP_ALLOWED,
        part: "edge-0",
        prometheus: "http_server_request_body_size_bytes",
    },
    Row {
        name: "http.server.response.body.size",
        unit: "By",
        kind: SIZE,
        required: &["http.request.method", "url.scheme"],
        allowed: HTTP_ALLOWED,
        part: "edge-0",
        prometheus: "http_server_response_body_size_bytes",
    },
    // docs/rpc/rpc-metrics.md
    Row {
        name: "rpc.client.call.duration",
        unit: "s",
        kind: REQUEST,
        required: &["rpc.system.name", "rpc.method", "rpc.response.status_code"],
        allowed: &["error.type"],
        part: "edge-0",
        prometheus: "rpc_client_call_duration_seconds",
    },
    Row {
        name: "rpc.server.call.duration",
        unit: "s",
        kind: REQUEST,
        required: &["rpc.system.name", "rpc.method", "rpc.response.status_code"],
        allowed: &["error.type"],
        part: "auth-0",
        prometheus: "rpc_server_call_duration_seconds",
    },
    // docs/db/database-metrics.md
    Row {
        name: "db.client.operation.duration",
        unit: "s",
        kind: Kind::Histogram(&[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0]),
        required: &["db.system.name", "db.operation.name"],
        allowed: &["error.type", "db.stored_procedure.name"],
        part: "session-0",
        prometheus: "db_client_operation_duration_seconds",
    },
    // docs/system/process-metrics.md
    Row {
        name: "process.cpu.time",
        unit: "s",
        kind: Kind::Counter,
        required: &["cpu.mode"],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_cpu_time_seconds_total",
    },
    Row {
        name: "process.memory.usage",
        unit: "By",
        kind: Kind::UpDownCounter,
        required: &[],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_memory_usage_bytes",
    },
    Row {
        name: "process.memory.virtual",
        unit: "By",
        kind: Kind::UpDownCounter,
        required: &[],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_memory_virtual_bytes",
    },
    Row {
        name: "process.thread.count",
        unit: "{thread}",
        kind: Kind::UpDownCounter,
        required: &[],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_thread_count",
    },
    Row {
        name: "process.unix.file_descriptor.count",
        unit: "{file_descriptor}",
        kind: Kind::UpDownCounter,
        required: &[],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_unix_file_descriptor_count",
    },
    Row {
        name: "process.uptime",
        unit: "s",
        kind: Kind::Gauge,
        required: &[],
        allowed: &[],
        part: "feature-0",
        prometheus: "process_uptime_seconds",
    },
];

/// Those that no convention has; their names say so.
pub const OWN: &[(&str, &str, &str)] = &[
    ("everything.streams.open", "{stream}", "edge-0"),
    ("everything.calls.running", "{request}", "edge-0"),
    ("everything.queue.depth", "{item}", "edge-0"),
    ("everything.queue.limit", "{item}", "edge-0"),
    ("everything.cache.requests", "{request}", "edge-0"),
    ("everything.cache.entries", "{entry}", "edge-0"),
    ("everything.sessions.live", "{session}", "session-0"),
    ("everything.redis.ready", "{server}", "session-0"),
    ("everything.redis.connections", "{connection}", "session-0"),
    ("everything.redis.reconnects", "{reconnect}", "session-0"),
    ("everything.redis.commands.in_flight", "{command}", "session-0"),
    ("everything.runtime.tasks", "{task}", "feature-0"),
    ("everything.runtime.workers", "{thread}", "feature-0"),
    ("everything.runtime.queue", "{task}", "feature-0"),
];
