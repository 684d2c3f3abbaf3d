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
            // Room first: what is taken goes out at once.
            let Some(room) = attachment.link.room().await else {
                return Ok(());
            };
            let Some(page) = self.next_page(attachment).await? else {
                return Ok(());
            };
            // Detached meanwhile: what was taken goes back with `give_up`.
            if attachment.has_ended() {
                return Ok(());
            }
            let (more, reached) = (page.more, page.reached);
            for entry in page.entries {
                let (position, is_final) = (entry.position, entry.is_final);
                send_entry(attachment, entry, &room);
                lock(&attachment.progress).sent = position;
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
        attachment.silent.store(false, Ordering::Release);
        let after = lock(&attachment.progress).taken;
        let page = self
            .store
            .take(&attachment.session, &attachment.name, after)
            .await?;
        match &page {
            None => attachment.silent.store(true, Ordering::Release),
            Some(page) => {
                if let Some(last) = page.entries.last() {
                    lock(&attachment.progress).taken = Some(last.position);
                }
            }
        }
        Ok(page)
    }

    /// Lets another attachment go on with the standalone stream.
    async fn give_up(&self, attachment: &Attachment) {
        let progress = *lock(&attachment.progress);
        if !attachment.stream.is_standalone() || !progress.attached {
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
