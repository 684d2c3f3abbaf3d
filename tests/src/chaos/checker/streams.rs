//! Each stream: no event id twice, nothing foreign, and the same again when it is read again.

use std::collections::{HashMap, HashSet};

use super::{Broken, Counts};
use crate::chaos::history::{Content, NO_ID, STANDALONE, What};

/// The streams of one session.
#[derive(Default)]
pub(super) struct Streams {
    seen: HashMap<u32, Seen>,
    /// A change is owed to the standalone stream.
    change_owed: bool,
}

#[derive(Default)]
struct Seen {
    ids: HashSet<u64>,
    /// Everything with an id and a message, in order.
    events: Vec<(u64, Content)>,
    replayed: Vec<(u64, Content)>,
}

impl Streams {
    pub(super) fn event(
        &mut self,
        stream: u32,
        id: u64,
        content: &Content,
        counts: &mut Counts,
        broken: &mut Vec<Broken>,
    ) {
        counts.events += 1;
        let seen = self.seen.entry(stream).or_default();
        match *content {
            // Tells where the stream stands, as often as it is opened.
            Content::Priming => return,
            Content::Foreign { session } => broken.push(Broken::ForeignSight { of: session }),
            Content::Change if stream == STANDALONE => self.change_owed = false,
            _ => {}
        }
        if id != NO_ID && !seen.ids.insert(id) {
            let (call, n) = match *content {
                Content::Numbered { call, n, .. } => (call, n),
                Content::Answer { call } | Content::Progress { call, .. } => (call, 0),
                _ => (stream, 0),
            };
            broken.push(Broken::Duplicated { stream, call, n });
        }
        if stream != STANDALONE {
            seen.events.push((id, *content));
        }
    }

    pub(super) fn take(&mut self, what: &What, counts: &mut Counts, broken: &mut Vec<Broken>) {
        match *what {
            What::Resumed { .. } => counts.resumed += 1,
            What::Replayed { stream, id, content } if content != Content::Priming => {
                self.seen.entry(stream).or_default().replayed.push((id, content));
            }
            What::ReplayOver { stream, after } => {
                counts.replayed += 1;
                let seen = self.seen.entry(stream).or_default();
                // Where the stream is not primed, it can only be read again from after its first message.
                let first = seen.events.iter().position(|(id, _)| *id == after);
                let owed = &seen.events[first.map_or(0, |first| first + 1)..];
                if seen.replayed != owed {
                    broken.push(Broken::ReplayDiffers { stream });
                }
                seen.replayed.clear();
            }
            _ => {}
        }
    }

    /// A change happens now, with everything well.
    pub(super) fn expect_change(&mut self) {
        self.change_owed = self.seen.contains_key(&STANDALONE);
    }

    pub(super) fn end(self, left: bool, broken: &mut Vec<Broken>) {
        if self.change_owed && !left {
            broken.push(Broken::Deaf);
        }
    }
}
