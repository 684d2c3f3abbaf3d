//! Logging what an exchange says: once, whatever becomes of the replica that was asked.

use std::time::Duration;

use everything_proto::session::v1::{AppendRequest, Entry};
use serving::retry::backoff;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{Exchange, NotSent, Progress};

/// How long a message is tried again while no replica of the session service logs it. The call stands still meanwhile.
/// Longer than processes and networks that hang, one after the other, and go on.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for an answer, which is worth sending also where it cannot be logged.
const PATIENCE_OF_ANSWER: Duration = Duration::from_secs(8);
/// How long one try may take: a replica that hangs is asked in vain, and the next one is there.
const TRY: Duration = Duration::from_secs(2);
/// The same after it was tried in vain: every message would wait again.
const LITTLE_PATIENCE: Duration = Duration::from_millis(250);
/// How long the end of a call may wait to be logged.
const LATE_PATIENCE: Duration = Duration::from_secs(60);
/// A timer that is this late was not late because of load.
const STOOD_STILL: Duration = Duration::from_millis(500);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Entries on their way into the log. Made once, however often they are tried.
#[derive(Clone)]
pub(super) struct Append {
    request: AppendRequest,
}

impl Exchange {
    pub(super) fn new_append(&self, progress: &mut Progress, entries: Vec<Entry>) -> Append {
        progress.appends = progress.appends.saturating_add(1);
        let request = AppendRequest {
            session_id: self.session.session_id.to_string(),
            user_id: self.session.user_id.to_string(),
            stream: self.call.clone(),
            entries,
            edge_id: self.description.mcp.link.edge_id().to_owned(),
            key: uuid::Uuid::new_v4().simple().to_string(),
            number: progress.appends,
        };
        Append { request }
    }

    /// `has_failed` remembers whether the session service was away for too long before.
    pub(super) async fn append(
        &self,
        append: &Append,
        has_failed: &mut bool,
    ) -> Result<Vec<String>, NotSent> {
        let is_answer = append.request.entries.last().is_some_and(|entry| entry.r#final);
        let patience = match (*has_failed, is_answer) {
            (true, _) => LITTLE_PATIENCE,
            (false, true) => PATIENCE_OF_ANSWER,
            (false, false) => PATIENCE,
        };
        let made = self.try_until(append, Instant::now() + patience).await;
        *has_failed = made == Err(NotSent::Unavailable);
        made
    }

    /// Whether the call, where it is logged, is this edge's still: `StreamOver` if it was taken away. Another try of the last
    /// append logs nothing, and is refused then.
    pub async fn check(&self) -> Result<(), NotSent> {
        let progress = self.progress.lock().await;
        match &progress.last_append {
            Some(append) if progress.outstanding > 0 => {
                self.try_until(append, Instant::now() + TRY).await.map(drop)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// In the background, when the session service is back.
    pub(super) async fn append_late(&self, append: &Append) {
        if self.try_until(append, Instant::now() + LATE_PATIENCE).await == Err(NotSent::Unavailable) {
            tracing::error!("the end of a call was lost: the session service was away for too long");
        }
    }

    async fn try_until(&self, append: &Append, mut deadline: Instant) -> Result<Vec<String>, NotSent> {
        let mut client = self.description.mcp.clients.session.clone();
        let mut attempt = 1;
        loop {
            let until = deadline.min(Instant::now() + TRY);
            let tried = tokio::time::timeout_at(until, client.append(append.request.clone())).await;
            match tried {
                Ok(Ok(response)) => return Ok(response.into_inner().event_ids),
                Ok(Err(status)) => {
                    let error = NotSent::from_status(&status);
                    let pause = backoff(attempt).min(LONGEST_PAUSE);
                    if error != NotSent::Unavailable || Instant::now() + pause >= deadline {
                        return Err(error);
                    }
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
                Err(_) => {
                    let now = Instant::now();
                    if until + STOOD_STILL < now {
                        // This process itself stood still, and nobody was asked meanwhile.
                        deadline = deadline.max(now + TRY);
                    }
                    if now >= deadline {
                        return Err(NotSent::Unavailable);
                    }
                    attempt += 1;
                }
            }
        }
    }
}

impl NotSent {
    fn from_status(status: &Status) -> Self {
        match status.code() {
            Code::NotFound => Self::SessionEnded,
            Code::FailedPrecondition => Self::StreamOver,
            Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented | Code::PermissionDenied => {
                tracing::error!(code = ?status.code(), message = status.message(), "a message cannot be logged");
                Self::Refused
            }
            code => {
                tracing::debug!(?code, message = status.message(), "a message could not be logged");
                Self::Unavailable
            }
        }
    }
}
