//! What a call sends to its client while both are there: a bounded queue that says when it was too short.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::sse::Frame;

/// Frames that may wait for the client. A client that falls further behind gets the rest from the log.
const CLIENT_QUEUE: usize = 256;
/// The same in bytes; one frame always may.
const CLIENT_QUEUE_BYTES: usize = 1024 * 1024;

/// What a call sends to its client.
pub struct Live {
    frames: mpsc::Receiver<(Option<String>, Bytes)>,
    waiting_bytes: Arc<AtomicUsize>,
    fell_behind: Arc<AtomicBool>,
}

/// What [`Live`] brings.
pub enum LiveFrame {
    Frame {
        /// None: it could not be logged.
        event_id: Option<String>,
        frame: Bytes,
    },
    /// Whatever follows the last frame is to be had from the log only. Always the last.
    FellBehind,
}

/// The call's end.
pub(super) struct LiveSender {
    frames: mpsc::Sender<(Option<String>, Bytes)>,
    waiting_bytes: Arc<AtomicUsize>,
    fell_behind: Arc<AtomicBool>,
}

pub(super) fn live() -> (LiveSender, Live) {
    let (sender, frames) = mpsc::channel(CLIENT_QUEUE);
    let waiting_bytes = Arc::<AtomicUsize>::default();
    let fell_behind = Arc::<AtomicBool>::default();
    let sender = LiveSender {
        frames: sender,
        waiting_bytes: waiting_bytes.clone(),
        fell_behind: fell_behind.clone(),
    };
    let live = Live {
        frames,
        waiting_bytes,
        fell_behind,
    };
    (sender, live)
}

impl LiveSender {
    /// False: the client is gone, or fell behind.
    pub(super) fn send(&self, frame: Frame<'_>) -> bool {
        let encoded = frame.encode();
        let size = encoded.len();
        let waiting = self.waiting_bytes.fetch_add(size, Ordering::AcqRel);
        if waiting > 0 && waiting + size > CLIENT_QUEUE_BYTES {
            self.fall_behind();
            return false;
        }
        let sent = self.frames.try_send((frame.id.map(str::to_owned), encoded));
        if matches!(sent, Err(TrySendError::Full(_))) {
            self.fall_behind();
        }
        sent.is_ok()
    }

    /// What follows is in the log.
    pub(super) fn fall_behind(&self) {
        self.fell_behind.store(true, Ordering::Release);
    }
}

impl Live {
    /// None: the stream has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<LiveFrame> {
        match self.frames.recv().await {
            Some((event_id, frame)) => {
                self.waiting_bytes.fetch_sub(frame.len(), Ordering::AcqRel);
                Some(LiveFrame::Frame { event_id, frame })
            }
            None => self
                .fell_behind
                .swap(false, Ordering::Acquire)
                .then_some(LiveFrame::FellBehind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_falls_behind_is_told_to_read_the_log() {
        let (sender, mut live) = live();
        let mut sent = 0;
        while sender.send(Frame::message(Some(&sent.to_string()), b"{}")) {
            sent += 1;
        }
        assert_eq!(sent, CLIENT_QUEUE);
        drop(sender);
        for number in 0..sent {
            let Some(LiveFrame::Frame { event_id, .. }) = live.next().await else {
                panic!("frame {number} got lost")
            };
            assert_eq!(event_id, Some(number.to_string()));
        }
        assert!(matches!(live.next().await, Some(LiveFrame::FellBehind)));
        assert!(live.next().await.is_none());
    }

    #[tokio::test]
    async fn large_frames_make_a_client_fall_behind_sooner() {
        let (sender, mut live) = live();
        let large = vec![b'x'; CLIENT_QUEUE_BYTES];
        assert!(sender.send(Frame::message(Some("1"), &large)), "one always waits");
        assert!(!sender.send(Frame::message(Some("2"), b"{}")));
        drop(sender);
        assert!(matches!(live.next().await, Some(LiveFrame::Frame { .. })));
        assert!(matches!(live.next().await, Some(LiveFrame::FellBehind)));
    }

    #[tokio::test]
    async fn a_stream_that_is_whole_just_ends() {
        let (sender, mut live) = live();
        assert!(sender.send(Frame::message(None, b"{}")));
        drop(sender);
        assert!(matches!(
            live.next().await,
            Some(LiveFrame::Frame { event_id: None, .. })
        ));
        assert!(live.next().await.is_none());
    }
}
