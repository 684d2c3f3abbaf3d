use telemetry::{
    conventions::messaging::MESSAGING_BATCH_MESSAGE_COUNT,
    messaging::{self, CHANGES},
    propagation, spans,
};
use tracing::Span;

use crate::{Change, ChangeId, Error};

/// A change on its way into the feed: its PRODUCER span, and the change with that span's context.
pub(crate) struct Publishing {
    pub(crate) span: Span,
    pub(crate) change: Change,
}

impl Publishing {
    pub(crate) fn of(change: Change) -> Self {
        let span = messaging::publish(CHANGES);
        let trace = propagation::of(&span).into();
        Self {
            span,
            change: Change { trace, ..change },
        }
    }

    /// How it went. `None`: another replica was first.
    pub(crate) fn end(self, outcome: Result<Option<ChangeId>, Error>) -> Result<Option<ChangeId>, Error> {
        match &outcome {
            Ok(Some(id)) => messaging::set_message_id(&self.span, &id.to_string()),
            Ok(None) => spans::set(&self.span, MESSAGING_BATCH_MESSAGE_COUNT, 0_i64),
            Err(_) => spans::fail(&self.span, "unavailable", ""),
        }
        outcome
    }
}
