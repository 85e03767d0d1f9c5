//! What is under way to readers that acknowledge: the platform shows no back-pressure on a socket, so they tell what they have.

use js_sys::{Array, Set};
use wasm_bindgen::prelude::*;
use worker::WebSocket;

#[wasm_bindgen(inline_js = "
export class Window {
    // Characters sent to every live reader, and how many they were up to which event. Shared, so that an event costs a reader no memory.
    #sent = 0;
    #marks = [];
    // Of each reader: how much of `#sent` it has acknowledged, below 0 by the pages that it has not. Those that acknowledge nothing are not here.
    #readers = new WeakMap();

    open(socket, isLive) {
        this.#readers.set(socket, { acked: 0, pages: [], isLive });
    }

    // From here on it gets what all get.
    join(socket) {
        const reader = this.#readers.get(socket);
        if (!reader || reader.isLive) return;
        reader.acked += this.#sent;
        reader.isLive = true;
    }

    send_page(socket, text, seq) {
        socket.send(text);
        const reader = this.#readers.get(socket);
        if (!reader) return 0;
        reader.acked -= text.length;
        reader.pages.push({ seq, length: text.length });
        return this.#pending(reader);
    }

    // Returns those that are too far behind and got nothing.
    send(sockets, text, seq, limit) {
        let slow;
        for (const socket of sockets) {
            const reader = this.#readers.get(socket);
            if (reader && this.#sent - reader.acked > limit) (slow ??= []).push(socket);
            // A socket that is gone throws; its close event follows.
            else try { socket.send(text); } catch {}
        }
        this.#sent += text.length;
        this.#marks.push({ seq, sent: this.#sent });
        // Nobody is left who has these still to acknowledge.
        while (this.#marks[0].sent <= this.#sent - text.length - limit) this.#marks.shift();
        return slow;
    }

    acknowledge(socket, seq) {
        const reader = this.#readers.get(socket);
        if (!reader) return 0;
        while (reader.pages.length > 0 && reader.pages[0].seq <= seq) reader.acked += reader.pages.shift().length;
        if (reader.isLive && reader.pages.length === 0) {
            const mark = this.#marks.findLast((mark) => mark.seq <= seq);
            if (mark && mark.sent > reader.acked) reader.acked = mark.sent;
        }
        return this.#pending(reader);
    }

    #pending(reader) {
        return (reader.isLive ? this.#sent : 0) - reader.acked;
    }
}")]
extern "C" {
    /// The readers that acknowledge, with what each has not acknowledged yet, in UTF-16 units. Kept on the JavaScript side, where a fan-out
    /// loops; lost in sleep, after which each begins at nothing.
    pub(crate) type Window;

    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> Window;

    /// Begins to count for a reader.
    #[wasm_bindgen(method)]
    pub(crate) fn open(this: &Window, socket: &web_sys::WebSocket, is_live: bool);

    /// Counts what all live readers are sent for it too.
    #[wasm_bindgen(method)]
    pub(crate) fn join(this: &Window, socket: &web_sys::WebSocket);

    /// Sends a page that ends with event `seq` to one reader that is catching up; returns what it has not acknowledged.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn send_page(this: &Window, socket: &web_sys::WebSocket, text: &str, seq: f64) -> Result<f64, JsValue>;

    /// Sends a batch that ends with event `seq` to all but the readers that have more than `limit` under way, which are returned.
    #[wasm_bindgen(method)]
    pub(crate) fn send(this: &Window, sockets: &Set, text: &str, seq: f64, limit: f64) -> Option<Array>;

    /// Notes that a reader has everything up to event `seq`; returns what it has not acknowledged.
    #[wasm_bindgen(method)]
    pub(crate) fn acknowledge(this: &Window, socket: &web_sys::WebSocket, seq: f64) -> f64;
}

/// The sockets of an array that [`Window::send`] returned.
pub(crate) fn sockets(array: Array) -> impl Iterator<Item = WebSocket> {
    array.into_iter().map(|socket| WebSocket::from(socket.unchecked_into::<web_sys::WebSocket>()))
}
