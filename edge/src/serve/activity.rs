//! What a connection is doing, as far as its deadlines are concerned.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// How an HTTP/2 connection with prior knowledge begins (RFC 9113 section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Shared by a connection's stream, its requests and its supervisor.
#[derive(Clone)]
pub struct Activity(Arc<Mutex<Doing>>);

struct Doing {
    in_flight: usize,
    /// When the last request ended, or the connection began.
    idle_since: Instant,
    /// When the first byte of a request's head came, until the head is whole.
    head_since: Option<Instant>,
    protocol: Protocol,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Unknown,
    Http1,
    Http2,
}

/// A request in flight, until its response has ended.
pub struct Guard(Activity);

/// A stream that notes when bytes come.
pub struct Watched<S> {
    stream: S,
    activity: Activity,
}

impl Activity {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Doing {
            in_flight: 0,
            idle_since: Instant::now(),
            head_since: None,
            protocol: Protocol::Unknown,
        })))
    }

    /// A request's head is whole.
    pub fn request(&self) -> Guard {
        let mut doing = self.doing();
        doing.in_flight += 1;
        doing.head_since = None;
        Guard(self.clone())
    }

    /// When the connection is to be closed if nothing more happens. None: a request is in flight.
    pub fn deadline(&self, header_timeout: Duration, idle_timeout: Duration) -> Option<Instant> {
        let doing = self.doing();
        if doing.in_flight > 0 {
            return None;
        }
        let idle = doing.idle_since + idle_timeout;
        Some(
            doing
                .head_since
                .map_or(idle, |since| idle.min(since + header_timeout)),
        )
    }

    fn received(&self, bytes: &[u8]) {
        let mut doing = self.doing();
        if doing.protocol == Protocol::Unknown {
            let known = bytes.len().min(HTTP2_PREFACE.len());
            let http2 = bytes[..known] == HTTP2_PREFACE[..known];
            doing.protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
        }
        // On HTTP/2 bytes may be pings and settings; there the idle time has to do. On HTTP/1, bytes between requests
        // are the next one's head.
        if doing.protocol == Protocol::Http1 && doing.in_flight == 0 && doing.head_since.is_none() {
            doing.head_since = Some(Instant::now());
        }
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut doing = self.0.doing();
        doing.in_flight -= 1;
        doing.idle_since = Instant::now();
    }
}

impl<S> Watched<S> {
    pub fn new(stream: S, activity: Activity) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        if polled.is_ready() && buffer.filled().len() > before {
            this.activity.received(&buffer.filled()[before..]);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
