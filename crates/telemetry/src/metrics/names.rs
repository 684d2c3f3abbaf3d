//! Every metric there is: name, unit (UCUM) and description, and the buckets.
//!
//! Those of the conventions are from open-telemetry/semantic-conventions 1.44.0 and semantic-conventions-genai
//! (docs/gen-ai/mcp.md at 0393513c). The others begin with `everything.`.

/// A metric's name, unit and description.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    pub name: &'static str,
    pub unit: &'static str,
    pub description: &'static str,
}

const fn metric(name: &'static str, unit: &'static str, description: &'static str) -> Name {
    Name {
        name,
        unit,
        description,
    }
}

/// docs/gen-ai/mcp.md
pub const MCP_BUCKETS: &[f64] = &[
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];
/// docs/http/http-metrics.md, docs/rpc/rpc-metrics.md
pub const REQUEST_BUCKETS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// docs/db/database-metrics.md
pub const DB_BUCKETS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// The conventions advise none: powers of four, bytes, up to the largest body that is taken by default.
pub const SIZE_BUCKETS: &[f64] = &[
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
];

pub const MCP_OPERATION_DURATION: Name = metric(
    "mcp.server.operation.duration",
    "s",
    "MCP request or notification duration as observed on the receiver from the time it was received until the result or ack is sent.",
);
pub const MCP_SESSION_DURATION: Name = metric(
    "mcp.server.session.duration",
    "s",
    "The duration of the MCP session as observed on the MCP server.",
);

pub const HTTP_DURATION: Name = metric(
    "http.server.request.duration",
    "s",
    "Duration of HTTP server requests.",
);
pub const HTTP_ACTIVE: Name = metric(
    "http.server.active_requests",
    "{request}",
    "Number of active HTTP server requests.",
);
pub const HTTP_REQUEST_SIZE: Name = metric(
    "http.server.request.body.size",
    "By",
    "Size of HTTP server request bodies.",
);
pub const HTTP_RESPONSE_SIZE: Name = metric(
    "http.server.response.body.size",
    "By",
    "Size of HTTP server response bodies.",
);

pub const RPC_SERVER_DURATION: Name = metric(
    "rpc.server.call.duration",
    "s",
    "Measures the duration of an incoming Remote Procedure Call (RPC).",
);
pub const RPC_CLIENT_DURATION: Name = metric(
    "rpc.client.call.duration",
    "s",
    "Measures the duration of an outgoing Remote Procedure Call (RPC).",
);

pub const DB_DURATION: Name = metric(
    "db.client.operation.duration",
    "s",
    "Duration of database client operations.",
);
pub const REDIS_CONNECTIONS: Name = metric(
    "everything.redis.connections",
    "{connection}",
    "Open connections to Redis, for commands and for pub/sub.",
);
pub const REDIS_RECONNECTS: Name = metric(
    "everything.redis.reconnects",
    "{reconnect}",
    "Connections that were opened in place of lost ones.",
);
pub const REDIS_IN_FLIGHT: Name = metric(
    "everything.redis.commands.in_flight",
    "{command}",
    "Commands that await Redis' answer.",
);
pub const REDIS_READY: Name = metric(
    "everything.redis.ready",
    "{server}",
    "1 while Redis can do its work, else 0.",
);

pub const PROCESS_CPU_TIME: Name = metric(
    "process.cpu.time",
    "s",
    "Total CPU seconds broken down by different CPU modes.",
);
pub const PROCESS_MEMORY: Name = metric(
    "process.memory.usage",
    "By",
    "The amount of physical memory in use.",
);
pub const PROCESS_VIRTUAL_MEMORY: Name = metric(
    "process.memory.virtual",
    "By",
    "The amount of committed virtual memory.",
);
pub const PROCESS_THREADS: Name = metric("process.thread.count", "{thread}", "Process threads count.");
pub const PROCESS_DESCRIPTORS: Name = metric(
    "process.unix.file_descriptor.count",
    "{file_descriptor}",
    "Number of UNIX file descriptors in use by the process.",
);
pub const PROCESS_UPTIME: Name = metric("process.uptime", "s", "The time the process has been running.");
pub const RUNTIME_TASKS: Name = metric(
    "everything.runtime.tasks",
    "{task}",
    "Tasks of the asynchronous runtime that have not ended.",
);
pub const RUNTIME_WORKERS: Name = metric(
    "everything.runtime.workers",
    "{thread}",
    "Threads that the asynchronous runtime works with.",
);
pub const RUNTIME_QUEUE: Name = metric(
    "everything.runtime.queue",
    "{task}",
    "Tasks that wait in the runtime's global queue.",
);

pub const SESSIONS_LIVE: Name = metric(
    "everything.sessions.live",
    "{session}",
    "Sessions that this replica made and that have not ended.",
);
pub const STREAMS_OPEN: Name = metric(
    "everything.streams.open",
    "{stream}",
    "Event streams that clients have open.",
);
pub const CALLS_RUNNING: Name = metric(
    "everything.calls.running",
    "{request}",
    "MCP requests and notifications that are being worked on.",
);
pub const QUEUE_DEPTH: Name = metric(
    "everything.queue.depth",
    "{item}",
    "What waits, or holds a slot, in a bounded place.",
);
pub const QUEUE_LIMIT: Name = metric(
    "everything.queue.limit",
    "{item}",
    "How much a bounded place takes.",
);
pub const REJECTIONS: Name = metric(
    "everything.rejections",
    "{request}",
    "What was turned away because a bounded place was full, or because it was not allowed.",
);
pub const CACHE_REQUESTS: Name = metric(
    "everything.cache.requests",
    "{request}",
    "How often a cache was asked, by whether it knew.",
);
pub const CACHE_ENTRIES: Name = metric("everything.cache.entries", "{entry}", "Entries in a cache.");

/// All of them.
pub const ALL: &[Name] = &[
    MCP_OPERATION_DURATION,
    MCP_SESSION_DURATION,
    HTTP_DURATION,
    HTTP_ACTIVE,
    HTTP_REQUEST_SIZE,
    HTTP_RESPONSE_SIZE,
    RPC_SERVER_DURATION,
    RPC_CLIENT_DURATION,
    DB_DURATION,
    REDIS_CONNECTIONS,
    REDIS_RECONNECTS,
    REDIS_IN_FLIGHT,
    REDIS_READY,
    PROCESS_CPU_TIME,
    PROCESS_MEMORY,
    PROCESS_VIRTUAL_MEMORY,
    PROCESS_THREADS,
    PROCESS_DESCRIPTORS,
    PROCESS_UPTIME,
    RUNTIME_TASKS,
    RUNTIME_WORKERS,
    RUNTIME_QUEUE,
    SESSIONS_LIVE,
    STREAMS_OPEN,
    CALLS_RUNNING,
    QUEUE_DEPTH,
    QUEUE_LIMIT,
    REJECTIONS,
    CACHE_REQUESTS,
    CACHE_ENTRIES,
];
