//! Encoding and decoding of `text/event-stream`.
//!
//! Follows WHATWG HTML, section 9.2. Encodes and decodes bytes only; reconnection is the client's job.

/// A comment, which readers ignore: a heartbeat.
pub const HEARTBEAT: &str = ":\n\n";

/// Reconnection time given before a stream ends because it is old, in milliseconds. The next stream gives the usual one again.
pub const PLANNED_RETRY_MS: u64 = 100;

/// Appends `retry:`, the browser's reconnection time in milliseconds, as a block without data: it dispatches no event. With `id` the block also sets the
/// reader's last event id, which it sends when it comes back (WHATWG HTML 9.2.6). One block, since some parsers hand out an empty event for each.
pub fn encode_retry(out: &mut String, retry_ms: u64, id: Option<&str>) {
    out.push_str("retry:");
    out.push_str(&retry_ms.to_string());
    if let Some(id) = id {
        out.push_str("\nid:");
        out.push_str(id);
    }
    out.push_str("\n\n");
}

/// Appends one event. `id` stands before `event`, since Durable Streams' readers want nothing between `event` and `data`.
///
/// CR, LF and CRLF in `data` each become a new `data:` line, so that no content can end the event or begin a field. A line that
/// begins with a space gets one more, which the reader takes off again. `id` and `event` are ours and never from a publisher:
/// an [`Offset`](crate::Offset), a constant.
pub fn encode_event(out: &mut String, id: Option<&str>, event: Option<&'static str>, data: &str) {
    if let Some(id) = id {
        out.push_str("id:");
        out.push_str(id);
        out.push('\n');
    }
    if let Some(event) = event {
        out.push_str("event: ");
        out.push_str(event);
        out.push('\n');
    }
    let mut rest = data;
    loop {
        let end = rest.find(['\r', '\n']);
        let (line, after) = match end {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        out.push_str("data:");
        if line.starts_with(' ') {
            out.push(' ');
        }
        out.push_str(line);
        out.push('\n');
        if end.is_none() {
            break;
        }
        rest = after.strip_prefix("\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    out.push('\n');
}

/// What a [`Decoder`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// `message` unless the stream named another.
    pub event: String,
    /// Data lines, joined by LF.
    pub data: String,
    /// Last event id at this event; empty before the first.
    pub last_event_id: String,
}

/// An incremental decoder, for tests and Rust readers.
///
/// Takes chunks cut anywhere, even within a character. Invalid UTF-8 becomes U+FFFD, as the standard says. Holds one unfinished line
/// and one unfinished event, whose size only the sender bounds: read from servers that you trust.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    after_cr: bool,
    begun: bool,
    event: String,
    data: String,
    last_event_id: String,
    retry_ms: Option<u64>,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Last reconnection time that the stream gave, in milliseconds.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Takes the next bytes and returns the events that they complete.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Decoded> {
        let mut found = Vec::new();
        for &byte in chunk {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    found.extend(self.end_line(&line));
                }
                _ => self.line.push(byte),
            }
        }
        found
    }

    fn end_line(&mut self, line: &[u8]) -> Option<Decoded> {
        let line = String::from_utf8_lossy(line);
        let mut line = line.as_ref();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event = value.into(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.last_event_id = value.into(),
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => self.retry_ms = value.parse().ok().or(self.retry_ms),
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Decoded> {
        let event = std::mem::take(&mut self.event);
        let mut data = std::mem::take(&mut self.data);
        // An event without data is dropped; its id was taken above all the same.
        data.pop()?;
        let event = if event.is_empty() { "message".into() } else { event };
        Some(Decoded { event, data, last_event_id: self.last_event_id.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(id: Option<&str>, event: Option<&'static str>, data: &str) -> String {
        let mut out = String::new();
        encode_event(&mut out, id, event, data);
        out
    }

    #[test]
    fn puts_the_id_before_the_event_name() {
        assert_eq!(encoded(Some("7"), Some("data"), "x"), "id:7\nevent: data\ndata:x\n\n");
    }

    #[test]
    fn keeps_content_from_ending_the_event() {
        assert_eq!(encoded(None, None, "a\r\n\r\nevent: x\rb\n"), "data:a\ndata:\ndata:event: x\ndata:b\ndata:\n\n");
    }

    #[test]
    fn keeps_a_leading_space() {
        assert_eq!(encoded(None, None, " a"), "data:  a\n\n");
        assert_eq!(encoded(None, None, ""), "data:\n\n");
    }

    proptest! {
        #[test]
        fn decodes_what_it_encodes_however_it_is_cut(texts in proptest::collection::vec("[ a:é\r\n\u{feff}💧]{0,12}", 1..5), cuts in proptest::collection::vec(1usize..7, 1..40)) {
            let stream: String = texts.iter().enumerate().map(|(n, text)| encoded(Some(&n.to_string()), None, text) + HEARTBEAT).collect();
            let mut decoder = Decoder::new();
            let (mut found, mut rest, mut cuts) = (Vec::new(), stream.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                found.extend(decoder.push(chunk));
                rest = after;
            }
            let expected: Vec<_> = texts.iter().enumerate().map(|(n, text)| Decoded {
                event: "message".into(),
                data: text.replace("\r\n", "\n").replace('\r', "\n"),
                last_event_id: n.to_string(),
            }).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
