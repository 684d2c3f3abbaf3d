//! Server-sent events, the text framing of every stream (WHATWG HTML §9.2).

use bytes::Bytes;

/// One event. `data` may hold several lines; what would break out of a field is neutralised.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame<'a> {
    /// Becomes the client's `Last-Event-ID`.
    pub id: Option<&'a str>,
    /// Event name. Absent: `message`.
    pub event: Option<&'a str>,
    /// How long the client waits before it reconnects, milliseconds.
    pub retry: Option<u64>,
    /// Absent: no `data` line, and the client dispatches no event. Empty: an event whose data is empty.
    pub data: Option<&'a [u8]>,
}

/// A comment: clients ignore it, proxies see that the connection lives.
pub const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

impl<'a> Frame<'a> {
    /// An event that carries a message.
    pub fn message(id: Option<&'a str>, data: &'a [u8]) -> Self {
        Self {
            id,
            data: Some(data),
            ..Self::default()
        }
    }

    /// The event that gives the client a cursor before there is anything to say (SEP-1699): an id and empty data.
    pub fn priming(id: &'a str, retry: Option<u64>) -> Self {
        Self {
            id: Some(id),
            retry,
            data: Some(b""),
            ..Self::default()
        }
    }

    /// No event: only how long the client waits before it reconnects, milliseconds.
    pub fn retry(retry: u64) -> Self {
        Self {
            retry: Some(retry),
            ..Self::default()
        }
    }

    /// The first event of the 2024-11-05 transport: where to POST.
    pub fn endpoint(uri: &'a str) -> Self {
        Self {
            event: Some("endpoint"),
            data: Some(uri.as_bytes()),
            ..Self::default()
        }
    }

    /// The event as text, ended by its empty line.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.data.map_or(0, <[u8]>::len) + 64);
        if let Some(event) = self.event {
            field(&mut out, b"event: ", event);
        }
        if let Some(id) = self.id {
            field(&mut out, b"id: ", id);
        }
        if let Some(retry) = self.retry {
            field(&mut out, b"retry: ", &retry.to_string());
        }
        if let Some(data) = self.data {
            write_data(&mut out, data);
        }
        out.push(b'\n');
        out.into()
    }
}

/// A one-line field. Line ends, and NUL (which voids an id), are left out: nothing can begin another field.
fn field(out: &mut Vec<u8>, name: &[u8], value: &str) {
    out.extend_from_slice(name);
    out.extend(value.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)));
    out.push(b'\n');
}

/// One `data` line per line of `data`. The client joins them by `\n`, so CR and CRLF arrive as LF; in JSON both are only
/// white space.
fn write_data(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(b"data: ");
    let mut bytes = data.iter().copied().peekable();
    if !data.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        out.extend_from_slice(data);
    } else {
        while let Some(byte) = bytes.next() {
            match byte {
                b'\r' | b'\n' => {
                    if byte == b'\r' {
                        bytes.next_if_eq(&b'\n');
                    }
                    out.extend_from_slice(b"\ndata: ");
                }
                byte => out.push(byte),
            }
        }
    }
    out.push(b'\n');
}
