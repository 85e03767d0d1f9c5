//! Encoding of `text/event-stream` (WHATWG HTML, section 9.2). Bytes only; reconnection is the
//! client's job.

/// A comment, which readers ignore: a heartbeat.
pub const HEARTBEAT: &str = ":\n\n";

/// Reconnection time sent before a stream ends because of its age, in milliseconds. The next stream
/// restores the usual time.
pub const PLANNED_RETRY_MS: u64 = 100;

/// Appends `retry:`, the browser's reconnection time in milliseconds, as a block without data: it
/// dispatches no event. With `id` the block also sets the reader's last event id, which it sends
/// when it reconnects (WHATWG HTML 9.2.6). It must be one block, because some parsers emit an empty
/// event for each.
pub fn encode_retry(out: &mut String, retry_ms: u64, id: Option<&str>) {
    out.push_str("retry:");
    out.push_str(&retry_ms.to_string());
    if let Some(id) = id {
        out.push_str("\nid:");
        out.push_str(id);
    }
    out.push_str("\n\n");
}

/// Appends one event. `id` comes before `event`, because Durable Streams' readers expect nothing
/// between `event` and `data`.
///
/// CR, LF and CRLF in `data` each become a new `data:` line, so that no content can end the event
/// or begin a field. A line that begins with a space gets one more, which the reader removes. `id`
/// and `event` are ours and never from a publisher: an [`Offset`](crate::Offset), a constant.
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(
            encoded(None, None, "a\r\n\r\nevent: x\rb\n"),
            "data:a\ndata:\ndata:event: x\ndata:b\ndata:\n\n"
        );
    }

    #[test]
    fn keeps_a_leading_space() {
        assert_eq!(encoded(None, None, " a"), "data:  a\n\n");
        assert_eq!(encoded(None, None, ""), "data:\n\n");
    }
}
