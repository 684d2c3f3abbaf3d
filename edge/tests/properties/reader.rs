//! A reader of event streams that follows the words of the standard (WHATWG HTML §9.2.6), and nothing of ours.

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub kind: String,
    pub data: String,
    /// The last event id when the event was dispatched.
    pub id: String,
}

/// The events of a stream, and the last reconnection time that it set.
pub fn read(stream: &str) -> (Vec<Event>, Option<u64>) {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let (mut events, mut retry, mut id) = (Vec::new(), None, String::new());
    let (mut kind, mut data) = (String::new(), String::new());
    // CRLF, LF and CR each end a line, so CRLF must not count twice.
    for line in stream.replace("\r\n", "\n").split(['\r', '\n']) {
        if line.is_empty() {
            let (kind, mut data) = (std::mem::take(&mut kind), std::mem::take(&mut data));
            if data.pop().is_some() {
                let kind = if kind.is_empty() {
                    "message".to_owned()
                } else {
                    kind
                };
                let id = id.clone();
                events.push(Event { kind, data, id });
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut kind),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut id),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                retry = value.parse().ok();
            }
            _ => {}
        }
    }
    (events, retry)
}
