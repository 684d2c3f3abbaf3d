//! The one stream between this replica and one edge, seen from here: a bounded queue towards the edge.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use everything_proto::session::v1::{ConnectResponse, connect_response::Message};
use futures::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use crate::{Error, store::PAGE_BYTES};

/// Pages of events that wait for an edge to read them.
const QUEUED_PAGES: usize = 128;
/// An edge that makes no room for this long is taken for dead.
const STALLED_AFTER: Duration = Duration::from_secs(15);
/// Messages besides events that wait for an edge to read them. Beyond, it is taken for dead.
const QUEUED_CONTROL: usize = 16 * 1024;
/// Attaches and follows of one edge that are worked on at a time; the others wait.
const CONCURRENT_STARTS: usize = 128;

/// Towards one edge.
pub(crate) struct Link {
    pub(crate) id: u64,
    pub(crate) edge: String,
    pub(crate) closed: CancellationToken,
    pub(crate) starts: Arc<Semaphore>,
    /// The edge shuts down.
    pub(crate) draining: AtomicBool,
    queue: mpsc::UnboundedSender<Queued>,
    pages: Arc<Semaphore>,
    control: Arc<AtomicUsize>,
}

/// Room for one page in the link's queue; free again when the edge has read all of it.
#[derive(Clone)]
pub(crate) struct Room(#[expect(dead_code, reason = "held for its drop")] Arc<OwnedSemaphorePermit>);

/// What the edge reads. Dropping it closes the link.
pub struct Outbound {
    queue: mpsc::UnboundedReceiver<Queued>,
    control: Arc<AtomicUsize>,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    _closes: DropGuard,
}

struct Queued {
    message: Result<ConnectResponse, Error>,
    room: Option<Room>,
}

impl Link {
    pub(crate) fn open(id: u64, edge: String, outbound: LinkQueue) -> Self {
        Self {
            id,
            edge,
            closed: outbound.closed,
            starts: Arc::new(Semaphore::new(CONCURRENT_STARTS)),
            draining: AtomicBool::new(false),
            queue: outbound.sender,
            pages: Arc::new(Semaphore::new(QUEUED_PAGES)),
            control: outbound.control,
        }
    }

    /// Room for about [`PAGE_BYTES`] of events. Closes the link if the edge does not read.
    pub(crate) async fn room(&self) -> Option<Room> {
        const {
            assert!(
                PAGE_BYTES * QUEUED_PAGES <= 64 * 1024 * 1024,
                "one edge holds this much memory"
            )
        };
        let permit = tokio::select! {
            permit = self.pages.clone().acquire_owned() => permit.ok()?,
            () = self.closed.cancelled() => return None,
            () = tokio::time::sleep(STALLED_AFTER) => {
                tracing::warn!(edge = self.edge, "the edge does not read its link");
                self.closed.cancel();
                return None;
            }
        };
        Some(Room(Arc::new(permit)))
    }

    /// Queues a part of what `room` was made for.
    pub(crate) fn send_event(&self, message: Message, room: &Room) {
        let message = Ok(ConnectResponse {
            message: Some(message),
        });
        _ = self.queue.send(Queued {
            message,
            room: Some(room.clone()),
        });
    }

    /// Queues a small message. Never waits: an edge that left too many unread loses its link.
    pub(crate) fn send(&self, message: Message) {
        if self.control.fetch_add(1, Ordering::Relaxed) >= QUEUED_CONTROL {
            tracing::warn!(edge = self.edge, "too many unread messages on the link");
            self.closed.cancel();
            return;
        }
        _ = self.queue.send(Queued {
            message: Ok(ConnectResponse {
                message: Some(message),
            }),
            room: None,
        });
    }
}

/// The sending half, before it is known which edge is at the other end.
pub(crate) struct LinkQueue {
    sender: mpsc::UnboundedSender<Queued>,
    control: Arc<AtomicUsize>,
    pub(crate) closed: CancellationToken,
}

impl LinkQueue {
    pub(crate) fn new() -> (Self, Outbound) {
        let (sender, queue) = mpsc::unbounded_channel();
        let control = Arc::<AtomicUsize>::default();
        let closed = CancellationToken::new();
        let outbound = Outbound {
            queue,
            control: control.clone(),
            closed: Box::pin(closed.clone().cancelled_owned()),
            _closes: closed.clone().drop_guard(),
        };
        (
            Self {
                sender,
                control,
                closed,
            },
            outbound,
        )
    }

    pub(crate) fn refuse(self, error: Error) {
        self.control.fetch_add(1, Ordering::Relaxed);
        _ = self.sender.send(Queued {
            message: Err(error),
            room: None,
        });
    }
}

impl Stream for Outbound {
    type Item = Result<ConnectResponse, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        self.queue.poll_recv(cx).map(|queued| {
            queued.map(|Queued { message, room }| {
                if room.is_none() {
                    self.control.fetch_sub(1, Ordering::Relaxed);
                }
                message
            })
        })
    }
}
