//! Several events as one body.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::channel::Event;
use crate::http::ContentType;

/// Events as one body: a JSON array, or their bytes one after another.
pub(crate) fn joined(events: &[Event], content_type: &ContentType) -> Vec<u8> {
    let size: usize = events.iter().map(|event| event.data.len() + 1).sum();
    let mut body = Vec::with_capacity(size + 2);
    if !content_type.is_json() {
        events.iter().for_each(|event| body.extend_from_slice(&event.data));
        return body;
    }
    body.push(b'[');
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&event.data);
    }
    body.push(b']');
    body
}

/// The same as text: bytes of channels that do not hold text become base64.
pub(crate) fn joined_text(events: &[Event], content_type: &ContentType) -> String {
    let bytes = joined(events, content_type);
    if content_type.is_text() {
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        BASE64_STANDARD.encode(bytes)
    }
}
