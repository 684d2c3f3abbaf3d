//! The work of an attachment: read what is new, hand it to the link, rest.

use std::sync::{Arc, atomic::Ordering};

use everything_proto::events::v1::{Superseded, control::Action};

use tracing::Instrument;

use super::{Attachment, Hub, attach::send_entry};
use crate::{Error, Page, SessionId, StreamName, sync::lock};

impl Hub {
    /// There may be something new.
    pub(crate) fn wake(self: &Arc<Self>, attachment: &Arc<Attachment>) {
        if attachment.must_start() {
            self.tasks
                .spawn(self.clone().serve(attachment.clone()).in_current_span());
        }
    }

    pub(super) fn wake_stream(self: &Arc<Self>, id: &SessionId, stream: &StreamName) {
        let attachments = lock(&self.table).attachments(id, stream);
        for attachment in attachments.iter().filter(|attachment| !attachment.is_silent()) {
            self.wake(attachment);
        }
    }

    /// Runs at most once at a time for each attachment.
    pub(super) async fn serve(self: Arc<Self>, attachment: Arc<Attachment>) {
        loop {
            match self.send_new(&attachment).await {
                Ok(()) => {}
                Err(Error::SessionNotFound) => self.end_session(&attachment.session),
                Err(error) => {
                    tracing::debug!(%error, "a stream could not be read");
                    self.retry(attachment.clone());
                }
            }
            if attachment.has_ended() {
                self.give_up(&attachment).await;
            }
            if attachment.may_rest() {
                return;
            }
        }
    }

    async fn send_new(self: &Arc<Self>, attachment: &Arc<Attachment>) -> Result<(), Error> {
        loop {
            if attachment.has_ended() || !lock(&attachment.progress).attached {
                return Ok(());
            }
            if attachment.stream.is_standalone() && !self.has_standalone(attachment).await? {
                return Ok(());
            }
            // Room first: what is taken goes out at once.
            let Some(room) = attachment.link.room().await else {
                return Ok(());
            };
            let Some(page) = self.next_page(attachment).await? else {
                continue;
            };
            let (more, reached) = (page.more, page.reached);
            for entry in page.entries {
                let is_final = entry.is_final;
                {
                    let mut progress = lock(&attachment.progress);
                    // Detached meanwhile, and told what was delivered: the rest goes back with `give_up`.
                    if attachment.has_ended() {
                        return Ok(());
                    }
                    progress.sent = entry.position;
                }
                send_entry(attachment, entry, &room);
                if is_final {
                    self.remove_attachment(attachment);
                    attachment.end();
                    lock(&attachment.topic).take();
                    return Ok(());
                }
            }
            lock(&attachment.progress).reached = reached;
            if !more {
                return Ok(());
            }
        }
    }

    /// Whether the standalone stream goes here, perhaps from now on, as nobody else has it.
    async fn has_standalone(&self, attachment: &Attachment) -> Result<bool, Error> {
        let progress = *lock(&attachment.progress);
        if progress.taken.is_some() {
            return Ok(true);
        }
        if !attachment.vacant.swap(false, Ordering::AcqRel) {
            return Ok(false);
        }
        // A holder that was silent for several sweeps died with its replica.
        let stale = self.sweep_interval() * 3;
        let claimed = self
            .store
            .claim(&attachment.session, &attachment.name, stale, progress.sent)
            .await
            .inspect_err(|_| attachment.vacant.store(true, Ordering::Release))?;
        if let Some(cursor) = claimed {
            let mut progress = lock(&attachment.progress);
            progress.taken = Some(cursor);
            progress.sent = progress.sent.max(cursor);
        }
        Ok(claimed.is_some())
    }

    /// `None`: the standalone stream goes elsewhere.
    async fn next_page(&self, attachment: &Attachment) -> Result<Option<Page>, Error> {
        if !attachment.stream.is_standalone() {
            let reached = lock(&attachment.progress).reached;
            return self
                .store
                .read(&attachment.session, &attachment.stream, reached)
                .await
                .map(Some);
        }
        let after = lock(&attachment.progress).taken;
        let page = self
            .store
            .take(&attachment.session, &attachment.name, after)
            .await?;
        lock(&attachment.progress).taken = match &page {
            Some(page) => page.entries.last().map(|last| last.position).or(after),
            None => None,
        };
        Ok(page)
    }

    /// Lets another attachment go on with the standalone stream.
    async fn give_up(&self, attachment: &Attachment) {
        let progress = *lock(&attachment.progress);
        if progress.taken.is_none() {
            return;
        }
        match self
            .store
            .release(&attachment.session, &attachment.name, progress.sent)
            .await
        {
            Ok(true) => {
                let nobody = Superseded {
                    stream: attachment.stream.as_str().to_owned(),
                    attachment: String::new(),
                };
                self.control(&attachment.session, Action::Superseded(nobody))
                    .await;
            }
            Ok(false) | Err(Error::SessionNotFound) => {}
            // It is held by somebody who shows no life: others claim it after a while.
            Err(error) => tracing::debug!(%error, "the standalone stream could not be given up"),
        }
    }
}
