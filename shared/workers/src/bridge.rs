//! An SSE stream that the Worker holds, fed by a hibernating WebSocket to the channel's object.
//!
//! If the object wrote the stream itself, it would stay awake, and billed, as long as anyone
//! listens. The object encodes; the Worker passes text through without reading it, adds heartbeats,
//! and lets back-pressure reach the object while the reader catches up.

use js_sys::Array;
use tidewire_core::{CloseCode, Framing, Grant, Settings, StreamLife, Turn, event_stream_head};
use wasm_bindgen::prelude::*;
use worker::{Response, ResponseBody, Result, WebSocket};

use crate::clock::now_ms;
use crate::handover::{MORE, NEXT_PAGE, Subscribed};
use crate::respond::respond;

// A frame does not cross to this module: the loop asks it what to do at the first chunk, after as
// many frames as the stream may have, and when the time comes for a heartbeat or for the end.
#[wasm_bindgen(inline_js = "
const encoder = new TextEncoder();

export function open_stream(socket, life, more, next_page, max_queued, max_joined, reader_left, too_slow) {
    // Text that arrived and is not yet written; its length in UTF-16 units.
    const texts = [];
    let queued = 0;
    let has_ended = false;
    let is_over = false;
    let code = reader_left;
    // What the life of the stream does not know yet.
    let frames = 0;
    let sent_ms = 0;
    // When to ask it again.
    let frames_left = 0;
    let due_ms = 0;
    // An earlier timer stays, since each frame moves the moment: it is set once for each heartbeat
    // and not for each frame.
    let timer;
    // The reader has read the last chunk, and waits.
    let controller;
    let resolve;

    function look_again() {
        timer = undefined;
        due_ms = 0;
        write();
    }

    function enqueue(text) {
        const [to, done] = [controller, resolve];
        controller = resolve = undefined;
        // A stream that broke accepts nothing.
        try { to.enqueue(encoder.encode(text)); } catch { release(); }
        done?.();
    }

    // The reader left, or the stream ended: the object forgets the socket.
    function release() {
        if (is_over) return;
        is_over = true;
        clearTimeout(timer);
        life.free();
        texts.length = 0;
        // A socket that is closed already refuses, which is fine.
        try { socket.close(code); } catch {}
    }

    function end() {
        const [to, done] = [controller, resolve];
        controller = resolve = undefined;
        release();
        // A stream that broke is closed.
        try { to.close(); } catch {}
        done?.();
    }

    function write() {
        while (controller) {
            const now = Date.now();
            if (now >= due_ms || frames_left <= 0) {
                const [text, end_code, for_ms, most] = life.turn(frames, sent_ms, texts.length === 0 && !has_ended);
                frames = 0;
                frames_left = most;
                due_ms = now + for_ms;
                if (end_code !== undefined) {
                    code = end_code;
                    // Between two frames.
                    if (text !== undefined) try { controller.enqueue(encoder.encode(text)); } catch {}
                    return end();
                }
                // It also reveals a reader that left: the write fails and drops this stream.
                if (text !== undefined) return enqueue(text);
            }
            let text = texts.shift();
            if (text === undefined) {
                if (has_ended) return end();
                timer ??= setTimeout(look_again, due_ms - now);
                return;
            }
            queued -= text.length;
            if (text === more) {
                // Everything before it is written.
                try { socket.send(next_page); } catch { return end(); }
                continue;
            }
            let count = 1;
            // What came in the meantime leaves in the same chunk.
            while (texts.length > 0 && text.length + texts[0].length <= max_joined && texts[0] !== more) {
                queued -= texts[0].length;
                text += texts.shift();
                count += 1;
            }
            frames += count;
            frames_left -= count;
            sent_ms = now;
            enqueue(text);
        }
    }

    socket.addEventListener('message', ({ data }) => {
        if (typeof data !== 'string' || has_ended || is_over) return;
        queued += data.length;
        texts.push(data);
        // One text always fits: it is a requested page. Text above the limit is live, and the
        // reader is too slow for it.
        if (queued > max_queued && texts.length > 1) {
            texts.length = 0;
            has_ended = true;
            code = too_slow;
        }
        write();
    });
    const on_end = () => {
        has_ended = true;
        write();
    };
    socket.addEventListener('close', on_end);
    socket.addEventListener('error', on_end);
    // Listeners first: accepting starts the delivery of messages.
    socket.accept();
    return new ReadableStream({
        pull(by) {
            controller = by;
            write();
            if (controller) return new Promise((done) => { resolve = done; });
        },
        cancel() {
            controller = resolve = undefined;
            release();
        },
    }, { highWaterMark: 0 });
}")]
extern "C" {
    /// The bytes of the stream.
    #[wasm_bindgen(catch)]
    fn open_stream(
        socket: &web_sys::WebSocket,
        life: Life,
        more: &str,
        next_page: &str,
        max_queued: f64,
        max_joined: u32,
        reader_left: u16,
        too_slow: u16,
    ) -> Result<web_sys::ReadableStream, JsValue>;
}

/// Longest chunk that several texts are joined to, in UTF-16 units. A chunk costs the same for a
/// few bytes as for these; joining longer texts would copy them once more for nothing.
const MAX_JOINED: u32 = 16 * 1024;

/// Answers with a stream of the object's frames, for as long as the grant allows.
pub(crate) fn stream(
    socket: WebSocket,
    framing: Framing,
    subscribed: &Subscribed,
    grant: &Grant,
    settings: &Settings,
) -> Result<Response> {
    let life = Life(StreamLife::new(framing, grant.clone(), settings, now_ms()));
    let body = open_stream(
        socket.as_ref(),
        life,
        MORE,
        NEXT_PAGE,
        settings.stream_max_queued_bytes as f64,
        MAX_JOINED,
        CloseCode::ReaderLeft.number(),
        CloseCode::Slow.number(),
    )?;
    let head = respond(event_stream_head(framing, &subscribed.content_type))?;
    let (head, _) = head.into_parts();
    Ok(head.body(ResponseBody::Stream(body)))
}

/// The life of a stream, which the loop owns.
#[wasm_bindgen(private)]
pub(crate) struct Life(StreamLife);

#[expect(unreachable_pub, reason = "JavaScript calls it")]
#[wasm_bindgen]
impl Life {
    /// What to do now. Gets the frames since the last call, when the last of them was sent, and
    /// whether nothing waits; returns the text to send, the code of the end, the longest wait in
    /// milliseconds, and the frames until the next call. The object knows the revocations, and
    /// closes the socket.
    pub fn turn(&mut self, frames: u32, sent_ms: f64, is_idle: bool) -> Array {
        let Life(life) = self;
        let now_ms = now_ms();
        for _ in 0..frames {
            life.sent(sent_ms as u64);
        }
        let mut turn = life.next(&[], now_ms);
        let mut heartbeat = None;
        if is_idle && matches!(turn, Turn::Listen { .. }) {
            heartbeat = life.heartbeat(now_ms);
            if heartbeat.is_some() {
                turn = life.next(&[], now_ms);
            }
        }
        let (text, for_ms) = match turn {
            Turn::Listen { for_ms } => (heartbeat.map(str::to_owned), Some(for_ms)),
            Turn::Last(text) => (Some(text), None),
            Turn::Over => (None, None),
        };
        let code = for_ms.is_none().then(|| life.end_code().number());
        Array::of4(
            &text.map_or(JsValue::UNDEFINED, JsValue::from),
            &code.map_or(JsValue::UNDEFINED, JsValue::from),
            &(for_ms.unwrap_or_default() as f64).into(),
            &(life.frames_left() as f64).into(),
        )
    }
}
