//! Decoding of `text/event-stream` (WHATWG HTML, section 9.2).

#![allow(dead_code, reason = "each test uses a part of it")]

/// An event that a [`Decoder`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// `message` unless the stream named another type.
    pub(crate) event: String,
    /// Data lines, joined by LF.
    pub(crate) data: String,
    /// Last event id at this event; empty before the first.
    pub(crate) last_event_id: String,
}

/// An incremental decoder.
///
/// Takes chunks cut anywhere, even within a character. Invalid UTF-8 becomes U+FFFD, as the
/// standard says.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
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
    pub(crate) fn new() -> Decoder {
        Decoder::default()
    }

    /// Last reconnection time that the stream gave, in milliseconds.
    pub(crate) fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Reads the next bytes and returns the events that they complete.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<Decoded> {
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
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                self.retry_ms = value.parse().ok().or(self.retry_ms)
            }
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Decoded> {
        let event = std::mem::take(&mut self.event);
        let mut data = std::mem::take(&mut self.data);
        // An event without data is dropped; its id still counts.
        data.pop()?;
        let event = if event.is_empty() { "message".into() } else { event };
        Some(Decoded { event, data, last_event_id: self.last_event_id.clone() })
    }
}
