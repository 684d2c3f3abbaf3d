//! Calls: opened, answered, taken over, ended; and what they ask the client.

use bytes::Bytes;
use everything_proto::{events::v1::TraceContext, session::v1::OpenCall};

use super::{Awaited, Open, Record, log::Entry};
use crate::{
    Error, NewEntries, NewEntry, NewPayload, Payload, Position, StreamName,
    store::{AnsweredRequest, Fate, MAX_TAKEOVERS, NOBODY, StoreSettings, TakenOver},
};

/// Calls that ended last and are remembered.
const MAX_ENDED: usize = 100;

impl Record {
    /// Where the entries are, if this very append was made before.
    pub(in crate::store::memory) fn made(&self, new: &NewEntries) -> Result<Option<Vec<Position>>, Error> {
        let open = self.calls.get(&new.call);
        if open.is_some_and(|open| open.edge != new.edge) {
            return Err(Error::StreamNotOpen);
        }
        let places = || {
            let entries = self.log.iter().filter(|entry| entry.key == new.key);
            entries.map(|entry| entry.position).collect::<Vec<_>>()
        };
        if let Some(open) = open.filter(|open| new.number > 0 && new.number <= open.number) {
            let first = new.entries.first();
            let opens = first.is_some_and(|entry| matches!(entry.payload, NewPayload::Open(_)));
            let mut places = places();
            if opens && new.call.of_messages() != new.call && open.key == new.key {
                places.insert(0, Position::ZERO);
            }
            return Ok(Some(places));
        }
        if open.is_none() && self.ended.contains(&new.call) {
            // By this very append, or by whoever had the call after this edge.
            let ends = new.entries.last().is_some_and(|entry| entry.is_final);
            let places = if ends && !new.key.is_empty() {
                places()
            } else {
                Vec::new()
            };
            return if places.is_empty() {
                Err(Error::StreamNotOpen)
            } else {
                Ok(Some(places))
            };
        }
        Ok(None)
    }

    /// Whether all entries can be appended in this order.
    pub(in crate::store::memory) fn admit(
        &mut self,
        new: &NewEntries,
        settings: &StoreSettings,
    ) -> Result<(), Error> {
        let mut open = new.call.is_standalone() || self.calls.contains_key(&new.call);
        // Opened by an append that its edge took for failed.
        let reopened = open && new.number > 0;
        for entry in &new.entries {
            match entry.payload {
                NewPayload::Open(_) if reopened => {}
                NewPayload::Open(_) if open => return Err(Error::StreamOpen),
                NewPayload::Open(_) if self.calls.len() >= settings.max_open_calls => {
                    return Err(Error::Limit {
                        what: "open calls of this session",
                        limit: settings.max_open_calls,
                    });
                }
                NewPayload::Open(_) => open = true,
                NewPayload::Message(_) | NewPayload::End if !open => {
                    // What ends before it began must not begin any more.
                    if entry.is_final && new.number > 0 {
                        self.remember_ended(&new.call);
                    }
                    return Err(Error::StreamNotOpen);
                }
                NewPayload::Message(_) | NewPayload::End => open = !entry.is_final,
            }
        }
        Ok(())
    }

    pub(in crate::store::memory) fn append(
        &mut self,
        new: &NewEntries,
        now_ms: u64,
        settings: &StoreSettings,
    ) -> Vec<Position> {
        new.entries
            .iter()
            .map(|entry| self.append_one(new, entry, now_ms, settings))
            .collect()
    }

    fn append_one(
        &mut self,
        new: &NewEntries,
        entry: &NewEntry,
        now_ms: u64,
        settings: &StoreSettings,
    ) -> Position {
        let stream = new.call.of_messages();
        let own = stream == new.call;
        let payload = match &entry.payload {
            NewPayload::Open(_) if self.calls.contains_key(&new.call) => return Position::ZERO,
            NewPayload::Open(call) => {
                let open = Open {
                    takeovers: takeovers(call),
                    call: call.clone(),
                    edge: new.edge.clone(),
                    taken: false,
                    key: new.key.clone(),
                    number: new.number,
                    progress: None,
                };
                self.calls.insert(new.call.clone(), open);
                None
            }
            NewPayload::Message(json) => Some(Payload::Message(json.clone())),
            NewPayload::End => Some(Payload::End),
        };
        if let Some(open) = self.calls.get_mut(&new.call) {
            if let Some(call) = &entry.still_open {
                open.takeovers = takeovers(call);
                open.call = call.clone();
            }
            open.progress = entry.progress.or(open.progress);
            open.number = open.number.max(new.number);
        }
        // A call without a stream of its own neither begins nor ends one.
        let position = if own || matches!(payload, Some(Payload::Message(_))) {
            let entry = Entry {
                stream,
                payload,
                is_final: own && entry.is_final,
                trace: new.trace.clone(),
                key: new.key.clone(),
            };
            self.log(entry, now_ms, settings)
        } else {
            Position::ZERO
        };
        if let Some(request_id) = &entry.awaits_answer {
            self.expect_answer(request_id, &new.call, position, settings.max_awaited);
        }
        if entry.is_final {
            self.close(&new.call);
        }
        position
    }

    fn close(&mut self, call: &StreamName) {
        self.calls.remove(call);
        self.remember_ended(call);
        self.last.remove(call);
        self.awaited.retain(|_, awaited| awaited.call != *call);
    }

    fn remember_ended(&mut self, call: &StreamName) {
        self.ended.push_front(call.clone());
        self.ended.truncate(MAX_ENDED);
    }

    fn expect_answer(&mut self, request_id: &str, call: &StreamName, asked: Position, limit: usize) {
        if self.awaited.len() >= limit
            && !self.awaited.contains_key(request_id)
            && let Some(oldest) = self
                .awaited
                .iter()
                .min_by_key(|(_, awaited)| awaited.asked)
                .map(|(id, _)| id.clone())
        {
            self.awaited.remove(&oldest);
        }
        let awaited = Awaited {
            call: call.clone(),
            asked,
            answer: None,
            taken: false,
        };
        self.awaited.insert(request_id.to_owned(), awaited);
    }

    pub(in crate::store::memory) fn answer(&mut self, request_id: &str, response: &Bytes) -> bool {
        match self.awaited.get_mut(request_id) {
            Some(awaited) if awaited.answer.is_none() => {
                awaited.answer = Some(response.clone());
                true
            }
            _ => false,
        }
    }

    pub(in crate::store::memory) fn take_answers(
        &mut self,
        edge: &str,
        named: &[String],
        again: bool,
    ) -> Vec<AnsweredRequest> {
        let mut answers = Vec::new();
        for (request_id, awaited) in &mut self.awaited {
            let Some(answer) = &awaited.answer else { continue };
            let is_named = named.contains(request_id);
            let is_own = self
                .calls
                .get(&awaited.call)
                .is_some_and(|open| open.edge == edge);
            if (is_named || is_own) && (!awaited.taken || again) {
                awaited.taken = true;
                answers.push((request_id.clone(), answer.clone()));
            }
        }
        answers.sort();
        answers
    }

    pub(in crate::store::memory) fn bury(
        &mut self,
        name: &StreamName,
        edge: &str,
        to: Option<&str>,
        now_ms: u64,
        settings: &StoreSettings,
    ) -> Fate {
        // Moved by a try whose answer was lost.
        if let Some(taken) = to.and_then(|to| self.taken_over(name, to)) {
            return Fate::TakenOver(taken);
        }
        let Some(open) = self.calls.get_mut(name).filter(|open| open.edge == edge) else {
            return Fate::NotOpen;
        };
        if open.takeovers == 0 {
            let stream = name.of_messages();
            let entry = Entry {
                is_final: stream == *name,
                stream,
                payload: Some(Payload::Interrupted(open.call.clone())),
                trace: TraceContext::default(),
                key: String::new(),
            };
            let position = self.log(entry, now_ms, settings);
            self.close(name);
            return Fate::Interrupted(position);
        }
        let Some(to) = to else { return Fate::Waiting };
        open.takeovers -= 1;
        open.edge = to.to_owned();
        open.taken = true;
        // Its new edge counts from the beginning.
        open.number = 0;
        let mut asked = Vec::new();
        self.awaited.retain(|request_id, awaited| {
            let is_own = awaited.call == *name;
            if is_own && awaited.answer.is_none() {
                asked.push(request_id.clone());
            }
            !is_own
        });
        match self.taken_over(name, to) {
            Some(taken) => Fate::TakenOver(TakenOver { asked, ..taken }),
            None => Fate::NotOpen,
        }
    }

    pub(in crate::store::memory) fn taken_over(&self, name: &StreamName, edge: &str) -> Option<TakenOver> {
        let open = self
            .calls
            .get(name)
            .filter(|open| open.taken && open.edge == edge)?;
        Some(TakenOver {
            user: self.session.user.clone(),
            call: OpenCall {
                edge_id: edge.to_owned(),
                ..open.call.clone()
            },
            progress: open.progress,
            asked: Vec::new(),
        })
    }

    /// False: it is not a repeatable call of this edge.
    pub(in crate::store::memory) fn hand_over(&mut self, name: &StreamName, edge: &str) -> bool {
        let open = self.calls.get_mut(name);
        match open.filter(|open| open.edge == edge && open.takeovers > 0) {
            Some(open) => {
                NOBODY.clone_into(&mut open.edge);
                true
            }
            None => false,
        }
    }
}

/// How often the call may be taken over.
fn takeovers(call: &OpenCall) -> u32 {
    if call.repeatable { MAX_TAKEOVERS } else { 0 }
}
