//! What a session's client must not miss: an ordered log with one place for every event.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use everything_proto::{
    events::v1::{Change, TraceContext},
    session::v1::OpenCall,
};

use crate::Error;

/// More digits would leave the range in which Redis scripts count exactly.
const MAX_NUMBER_DIGITS: usize = 15;
const MAX_STREAM_NAME_CHARS: usize = 64;

/// The stream of the standalone GET.
const STANDALONE: &str = "g";
/// How the names of calls begin that speak on the standalone stream.
const ON_STANDALONE: &str = "g_";

/// One of the session's streams: the standalone one, or a call's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(String);

/// A place in a session's log: milliseconds and a counter, as Redis numbers the entries of its streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub ms: u64,
    pub seq: u64,
}

/// The SSE event id: `<stream>.<ms>-<seq>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventId {
    pub stream: StreamName,
    pub position: Position,
}

/// An entry to log.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEntry {
    pub payload: NewPayload,
    pub is_final: bool,
    /// The entry asks the client something under this id.
    pub awaits_answer: Option<String>,
    /// What of the call is to be answered after this entry, where that changes.
    pub still_open: Option<OpenCall>,
    /// The progress that the entry reports.
    pub progress: Option<f64>,
}

/// Entries that are logged together, or not at all.
#[derive(Clone, Debug)]
pub struct NewEntries {
    /// The call that says them, or the standalone stream.
    pub call: StreamName,
    /// Who runs the call. Empty on the standalone stream.
    pub edge: String,
    pub entries: Vec<NewEntry>,
    /// Tells this append from all others. Empty: it is tried once.
    pub key: String,
    /// Counts the appends of the call at its edge, from 1. 0: it is tried once.
    pub number: u32,
    pub trace: TraceContext,
}

#[derive(Clone, Debug, PartialEq)]
pub enum NewPayload {
    Open(OpenCall),
    Message(Bytes),
    /// The stream ends without a last message.
    End,
}

/// A logged entry, as it is delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    pub position: Position,
    pub payload: Payload,
    pub is_final: bool,
    pub trace: TraceContext,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    Message(Bytes),
    Change(Change),
    Interrupted(OpenCall),
    End,
}

/// A part of one stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub entries: Vec<LogEntry>,
    /// Read on after this one.
    pub reached: Position,
    /// There may be more already.
    pub more: bool,
}

/// What the log says about a cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CursorFacts {
    /// The predecessor of the stream's first entry behind the cursor. Every entry names its predecessor in its stream.
    pub next_follows: Option<Position>,
    /// The stream's last entry, while the stream is open.
    pub last: Option<Position>,
    /// The cursor is the final entry of its stream.
    pub at_final: bool,
    /// The newest entry, of any stream, that the bounds of the log have removed.
    pub trimmed: Position,
}

impl StreamName {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if text.is_empty() || text.len() > MAX_STREAM_NAME_CHARS || !text.bytes().all(good) {
            return Err(Error::Invalid(format!(
                "stream: 1 to {MAX_STREAM_NAME_CHARS} of [A-Za-z0-9_]"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn standalone() -> Self {
        Self(STANDALONE.to_owned())
    }

    pub fn is_standalone(&self) -> bool {
        self.0 == STANDALONE
    }

    /// Where the messages of the call of this name go.
    pub fn of_messages(&self) -> Self {
        if self.0.starts_with(ON_STANDALONE) {
            Self::standalone()
        } else {
            self.clone()
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Position {
    pub const ZERO: Self = Self { ms: 0, seq: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for Position {
    type Err = Error;

    /// Strict: one text for one place.
    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |text: &str| {
            let canonical = text == "0" || !text.starts_with('0');
            let digits = !text.is_empty()
                && text.len() <= MAX_NUMBER_DIGITS
                && text.bytes().all(|byte| byte.is_ascii_digit());
            if canonical && digits {
                text.parse().ok()
            } else {
                None
            }
        };
        let (ms, seq) = text.split_once('-').ok_or(Error::CursorInvalid)?;
        match (number(ms), number(seq)) {
            (Some(ms), Some(seq)) => Ok(Self { ms, seq }),
            _ => Err(Error::CursorInvalid),
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.stream.as_str(), self.position)
    }
}

impl FromStr for EventId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (stream, position) = text.split_once('.').ok_or(Error::CursorInvalid)?;
        Ok(Self {
            stream: StreamName::parse(stream).map_err(|_| Error::CursorInvalid)?,
            position: position.parse()?,
        })
    }
}

impl NewEntry {
    pub fn message(json: impl Into<Bytes>) -> Self {
        Self {
            payload: NewPayload::Message(json.into()),
            is_final: false,
            awaits_answer: None,
            still_open: None,
            progress: None,
        }
    }
}

impl CursorFacts {
    /// Whether everything behind the cursor, and nothing else, can be replayed.
    ///
    /// The chain of predecessors decides: the next entry follows the cursor itself, or something that was removed, or
    /// the cursor was never an entry of this stream.
    pub fn check(&self, stream: &StreamName, cursor: Position) -> Result<(), Error> {
        let last = match self.last {
            None if stream.is_standalone() => Some(Position::ZERO),
            last => last,
        };
        match self.next_follows.or(last) {
            Some(place) if place == cursor => Ok(()),
            Some(place) if place > cursor => Err(Error::CursorExpired),
            Some(_) => Err(Error::CursorInvalid),
            None if self.at_final => Err(Error::StreamFinished),
            None if cursor <= self.trimmed => Err(Error::CursorExpired),
            None => Err(Error::CursorInvalid),
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_names_its_stream_and_reads_back() {
        for text in ["g.0-0", "c_1.1764000000000-3"] {
            assert_eq!(text.parse::<EventId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn garbage_is_no_event_id() {
        let long = format!("{}.1-1", "a".repeat(65));
        for text in [
            "",
            "g",
            "g.",
            "g.1",
            "g.1-",
            "g.-1",
            "g.01-1",
            "g.1-01",
            "g.+1-1",
            "g.1-1-1",
            "g. 1-1",
            ".1-1",
            "g.x-y",
            "g:1-1",
            "g.1-1\n",
            "g.9999999999999999-0",
            "a-b.1-1",
            "é.1-1",
            &long,
        ] {
            assert!(text.parse::<EventId>().is_err(), "{text:?}");
        }
    }
}
