//! An SSE stream that the Worker holds, fed by a hibernating WebSocket to the channel's object.
//!
//! If the object wrote the stream itself, it would stay awake, and billed, as long as anyone
//! listens. The object encodes; the Worker passes text through without reading it, adds heartbeats,
//! and lets back-pressure reach the object while the reader catches up.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use futures_util::stream::unfold;
use js_sys::{Function, JsString, Uint8Array};
use tidewire_core::{CloseCode, Framing, Grant, Settings, StreamLife, Turn, event_stream_head};
use wasm_bindgen::prelude::*;
use wasm_streams::ReadableStream;
use web_sys::{EventTarget, MessageEvent};
use worker::{Response, ResponseBody, Result, WebSocket};

use crate::clock::now_ms;
use crate::handover::{MORE, NEXT_PAGE, Subscribed};
use crate::respond::respond;

#[wasm_bindgen]
extern "C" {
    type TextEncoder;
    #[wasm_bindgen(constructor)]
    fn new() -> TextEncoder;
    #[wasm_bindgen(method)]
    fn encode(this: &TextEncoder, text: &JsString) -> Uint8Array;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(handler: &Function, for_ms: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: &JsValue);
}

/// Answers with a stream of the object's frames, for as long as the grant allows.
pub(crate) fn stream(
    socket: WebSocket,
    framing: Framing,
    subscribed: &Subscribed,
    grant: &Grant,
    settings: &Settings,
) -> Result<Response> {
    let head = respond(event_stream_head(framing, &subscribed.content_type))?;
    let bridge = Bridge::open(socket, framing, grant.clone(), settings)?;
    let chunks = unfold(bridge, async |mut bridge| {
        let chunk = bridge.next().await?;
        Some((Ok(chunk), bridge))
    });
    let body = ReadableStream::from_stream(chunks).into_raw();
    Ok(Response::from_body(ResponseBody::Stream(body.unchecked_into()))?
        .with_headers(head.headers().clone()))
}

/// Longest chunk that several texts are joined to, in UTF-16 units. A chunk costs the same for a
/// few bytes as for these; joining longer texts would copy them once more for nothing.
const MAX_JOINED: u32 = 16 * 1024;

/// What arrived for a stream that waits.
enum Arrival {
    Text(JsString),
    /// The timer.
    Moment,
    End,
}

/// Text that arrived and is not yet written.
#[derive(Default)]
struct Queue {
    texts: VecDeque<JsString>,
    /// In UTF-16 units, as JavaScript counts.
    length: u64,
    has_ended: bool,
    has_overflowed: bool,
    is_due: bool,
    waker: Option<Waker>,
}

struct Bridge {
    socket: WebSocket,
    life: StreamLife,
    queue: Rc<RefCell<Queue>>,
    encoder: TextEncoder,
    /// The timer that runs, and when it is due, in milliseconds since 1970.
    timer: Option<(JsValue, u64)>,
    on_timer: Closure<dyn FnMut()>,
    on_message: Closure<dyn FnMut(MessageEvent)>,
    on_end: Closure<dyn FnMut()>,
}

impl Bridge {
    fn open(
        socket: WebSocket,
        framing: Framing,
        grant: Grant,
        settings: &Settings,
    ) -> Result<Bridge> {
        let queue = Rc::new(RefCell::new(Queue::default()));
        let limit = settings.stream_max_queued_bytes;
        let on_message = Closure::new({
            let queue = Rc::clone(&queue);
            move |event: MessageEvent| {
                let Ok(text) = event.data().dyn_into::<JsString>() else { return };
                let mut queue = queue.borrow_mut();
                queue.length += u64::from(text.length());
                queue.texts.push_back(text);
                // One text always fits: it is a requested page. Text above the limit is live, and
                // the reader is too slow for it.
                if queue.length > limit && queue.texts.len() > 1 {
                    queue.texts.clear();
                    queue.has_ended = true;
                    queue.has_overflowed = true;
                }
                queue.wake();
            }
        });
        let on_end = Closure::new({
            let queue = Rc::clone(&queue);
            move || {
                let mut queue = queue.borrow_mut();
                queue.has_ended = true;
                queue.wake();
            }
        });
        let on_timer = Closure::new({
            let queue = Rc::clone(&queue);
            move || {
                let mut queue = queue.borrow_mut();
                queue.is_due = true;
                queue.wake();
            }
        });
        let target: &EventTarget = socket.as_ref().as_ref();
        target.add_event_listener_with_callback("message", on_message.as_ref().unchecked_ref())?;
        target.add_event_listener_with_callback("close", on_end.as_ref().unchecked_ref())?;
        target.add_event_listener_with_callback("error", on_end.as_ref().unchecked_ref())?;
        // Listeners first: accepting starts the delivery of messages.
        socket.accept()?;
        Ok(Bridge {
            socket,
            queue,
            encoder: TextEncoder::new(),
            life: StreamLife::new(framing, grant, settings, now_ms()),
            timer: None,
            on_timer,
            on_message,
            on_end,
        })
    }

    /// The next chunk, polled only when the reader has read the last one; `None` ends the stream,
    /// between two frames.
    async fn next(&mut self) -> Option<JsValue> {
        loop {
            // The object knows the revocations, and closes the socket.
            let for_ms = match self.life.next(&[], now_ms()) {
                Turn::Listen { for_ms } => for_ms,
                Turn::Last(text) => return Some(self.encode(&text.into())),
                Turn::Over => return None,
            };
            self.look_again_at(now_ms().saturating_add(for_ms));
            let mut text = match self.arrival().await {
                Arrival::Text(text) => text,
                Arrival::Moment => {
                    self.timer = None;
                    match self.life.heartbeat(now_ms()) {
                        // It also reveals a reader that left: the write fails and drops this
                        // stream.
                        Some(heartbeat) => return Some(self.encode(&heartbeat.into())),
                        None => continue,
                    }
                }
                Arrival::End => return None,
            };
            if is_more(&text) {
                // Everything before it is written.
                self.socket.send_with_str(NEXT_PAGE).ok()?;
                continue;
            }
            self.life.sent(now_ms());
            // What came in the meantime leaves in the same chunk.
            while let Some(next) = self
                .queue
                .borrow_mut()
                .pop_if(|next| text.length() + next.length() <= MAX_JOINED && !is_more(next))
            {
                self.life.sent(now_ms());
                text = text.concat(&next);
            }
            return Some(self.encode(&text));
        }
    }

    /// Sees to it that [`next`](Bridge::next) looks at the time by this moment. An earlier timer
    /// stays, since each frame moves the moment: it is set once for each heartbeat and not for each
    /// frame.
    fn look_again_at(&mut self, at_ms: u64) {
        if self.timer.as_ref().is_some_and(|(_, due_ms)| *due_ms <= at_ms) {
            return;
        }
        self.stop_timer();
        let for_ms = at_ms.saturating_sub(now_ms()) as f64;
        let id = set_timeout(self.on_timer.as_ref().unchecked_ref(), for_ms);
        self.timer = Some((id, at_ms));
    }

    fn stop_timer(&mut self) {
        if let Some((id, _)) = self.timer.take() {
            clear_timeout(&id);
            self.queue.borrow_mut().is_due = false;
        }
    }

    fn encode(&self, text: &JsString) -> JsValue {
        self.encoder.encode(text).into()
    }

    fn arrival(&self) -> impl Future<Output = Arrival> + use<> {
        let queue = Rc::clone(&self.queue);
        poll_fn(move |context| {
            let mut queue = queue.borrow_mut();
            if let Some(text) = queue.pop_if(|_| true) {
                return Poll::Ready(Arrival::Text(text));
            }
            if queue.has_ended {
                return Poll::Ready(Arrival::End);
            }
            if std::mem::take(&mut queue.is_due) {
                return Poll::Ready(Arrival::Moment);
            }
            queue.waker = Some(context.waker().clone());
            Poll::Pending
        })
    }
}

impl Queue {
    fn pop_if(&mut self, is_wanted: impl Fn(&JsString) -> bool) -> Option<JsString> {
        let text = self.texts.pop_front_if(|text| is_wanted(text))?;
        self.length -= u64::from(text.length());
        Some(text)
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Compares the lengths first: comparing texts copies them into the memory of the module.
fn is_more(text: &JsString) -> bool {
    text.length() as usize == MORE.len() && *text == MORE
}

impl Drop for Bridge {
    /// The reader left, or the stream ended: the object forgets the socket. A socket that is closed
    /// already refuses, which is fine.
    fn drop(&mut self) {
        self.stop_timer();
        let target: &EventTarget = self.socket.as_ref().as_ref();
        let _ = target.remove_event_listener_with_callback(
            "message",
            self.on_message.as_ref().unchecked_ref(),
        );
        let _ = target
            .remove_event_listener_with_callback("close", self.on_end.as_ref().unchecked_ref());
        let _ = target
            .remove_event_listener_with_callback("error", self.on_end.as_ref().unchecked_ref());
        let code =
            if self.queue.borrow().has_overflowed { CloseCode::Slow } else { self.life.end_code() };
        let _ = self.socket.close(Some(code.number()), None::<&str>);
    }
}
