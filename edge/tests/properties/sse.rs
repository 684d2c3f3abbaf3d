use bytes::Bytes;
use everything_edge::sse::{Frame, KEEP_ALIVE};
use futures::{FutureExt, StreamExt, stream};
use proptest::{collection::vec, option, prelude::*};
use sse_stream::SseStream;

use crate::{
    json::text,
    reader::{Event, read},
};

/// A frame, owned.
#[derive(Clone, Debug)]
struct Sent {
    id: Option<String>,
    event: Option<String>,
    retry: Option<u64>,
    data: Option<String>,
    keep_alive_after: bool,
}

fn sent() -> impl Strategy<Value = Sent> {
    let parts = (
        option::of(text()),
        option::of(text()),
        option::of(any::<u64>()),
        option::of(text()),
        any::<bool>(),
    );
    parts.prop_map(|(id, event, retry, data, keep_alive_after)| Sent {
        id,
        event,
        retry,
        data,
        keep_alive_after,
    })
}

impl Sent {
    fn encode(&self) -> Bytes {
        let frame = Frame {
            id: self.id.as_deref(),
            event: self.event.as_deref(),
            retry: self.retry,
            data: self.data.as_deref().map(str::as_bytes),
        };
        let keep_alive = if self.keep_alive_after {
            KEEP_ALIVE
        } else {
            Bytes::new()
        };
        [frame.encode(), keep_alive].concat().into()
    }
}

/// In one line: what cannot be in it is left out.
fn line(text: &str) -> String {
    text.replace(['\r', '\n', '\0'], "")
}

/// Ends of lines arrive as LF.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// What must arrive.
fn meant(sent: &[Sent]) -> (Vec<Event>, Option<u64>) {
    let (mut events, mut retry, mut last) = (Vec::new(), None, String::new());
    for Sent {
        id,
        event,
        retry: wait,
        data,
        ..
    } in sent
    {
        if let Some(id) = id {
            last = line(id);
        }
        retry = wait.or(retry);
        if let Some(data) = data {
            let kind = event.as_deref().map(line).filter(|kind| !kind.is_empty());
            events.push(Event {
                kind: kind.unwrap_or_else(|| "message".to_owned()),
                data: lines(data),
                id: last.clone(),
            });
        }
    }
    (events, retry)
}

fn written(sent: &[Sent]) -> Vec<u8> {
    sent.iter().flat_map(Sent::encode).collect()
}

proptest! {
    #[test]
    fn whatever_is_sent_arrives(sent in vec(sent(), 0..6)) {
        let stream = String::from_utf8(written(&sent)).unwrap();
        prop_assert_eq!(read(&stream), meant(&sent));
    }

    /// The parser of the Rust SDK, with the bytes cut up at random.
    #[test]
    fn another_parser_reads_the_same(sent in vec(sent(), 1..5), cuts in vec(any::<prop::sample::Index>(), 0..6)) {
        let bytes = written(&sent);
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let chunks: Vec<_> = places
            .windows(2)
            .map(|ends| Ok::<_, std::io::Error>(Bytes::copy_from_slice(&bytes[ends[0]..ends[1]])))
            .collect();
        let reading = SseStream::from_bytes_stream(stream::iter(chunks)).collect::<Vec<_>>();
        let events = reading.now_or_never().unwrap();
        let mut read = Vec::new();
        for event in events {
            let event = event.unwrap();
            if let Some(data) = event.data {
                read.push((event.event.filter(|kind| !kind.is_empty()), data));
            }
        }
        let meant: Vec<_> = meant(&sent)
            .0
            .into_iter()
            .map(|event| (Some(event.kind).filter(|kind| kind != "message"), event.data))
            .collect();
        let read: Vec<_> = read
            .into_iter()
            .map(|(kind, data)| (kind.filter(|kind| kind != "message"), data))
            .collect();
        prop_assert_eq!(read, meant);
    }

    /// JSON holds no ends of lines but white space, so it arrives as the same JSON.
    #[test]
    fn messages_arrive_as_they_were(value in crate::json::value(), id in "[a-z0-9._-]{1,20}", pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let stream = String::from_utf8(Frame::message(Some(&id), text.as_bytes()).encode().into()).unwrap();
        let (events, _) = read(&stream);
        prop_assert_eq!(events.len(), 1);
        prop_assert_eq!(&events[0].id, &id);
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&events[0].data).unwrap(), value);
    }
}
