//! How far an exchange has come.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Opening, append::Append, live::LiveSender};
use crate::{
    jsonrpc::{self, RequestId},
    sse::Frame,
};

pub(super) struct Progress {
    /// Requests that are still to be answered, or given up.
    pub(super) outstanding: usize,
    pub(super) answered: Vec<RequestId>,
    /// Answers held back while the exchange may still be one JSON body.
    pub(super) answers: Vec<Bytes>,
    pub(super) opening: Option<oneshot::Sender<Opening>>,
    /// The client's connection, once the exchange is a stream and while the client keeps up.
    pub(super) live: Option<LiveSender>,
    /// The call is logged.
    pub(super) open: bool,
    /// How often something was logged, or tried to be.
    pub(super) appends: u32,
    /// What was logged last.
    pub(super) last_append: Option<Append>,
    /// The session service was away for too long before.
    pub(super) has_failed: bool,
}

impl Progress {
    /// Of an exchange of which nothing was sent yet.
    pub(super) fn of(requests: usize) -> Self {
        Self {
            outstanding: requests,
            answered: Vec::new(),
            answers: Vec::new(),
            opening: None,
            live: None,
            open: false,
            appends: 0,
            last_append: None,
            has_failed: false,
        }
    }

    /// The whole answer, where nothing was sent before it.
    pub(super) fn body(&mut self, batch: bool) -> Opening {
        let mut answers = std::mem::take(&mut self.answers);
        match answers.pop() {
            None => Opening::Nothing,
            Some(answer) if !batch => Opening::Json(answer),
            Some(answer) => {
                answers.push(answer);
                Opening::Json(jsonrpc::batch(&answers))
            }
        }
    }

    /// Sends to the client that is connected, while it keeps up.
    pub(super) fn push(&mut self, frame: Frame<'_>) {
        if let Some(live) = &self.live
            && !live.send(frame)
        {
            self.live = None;
        }
    }
}
