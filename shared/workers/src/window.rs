//! The unacknowledged data of readers that acknowledge: the platform shows no back-pressure on a
//! socket, so they report what they have received.

use js_sys::{Array, Set};
use wasm_bindgen::prelude::*;
use worker::WebSocket;

#[wasm_bindgen(inline_js = "
export class Window {
    // Characters sent to every live reader, and how many they were up to which event. Shared, so
    // that an event costs a reader no memory.
    #sent = 0;
    #marks = [];
    // Of each reader: how much of `#sent` it has acknowledged, minus its unacknowledged pages, so
    // it may be below 0. Readers that acknowledge nothing are not here.
    #readers = new WeakMap();

    open(socket, isLive) {
        this.#readers.set(socket, { acked: 0, pages: [], isLive });
    }

    // From here on it gets the shared batches.
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

    // Returns the readers that are too far behind and got nothing.
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
        // No reader has these left to acknowledge.
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
    /// The readers that acknowledge, with the unacknowledged characters of each, in UTF-16 units.
    /// Kept on the JavaScript side, where a fan-out loops; lost in sleep, after which each count
    /// starts at zero.
    pub(crate) type Window;

    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> Window;

    /// Starts to count for a reader.
    #[wasm_bindgen(method)]
    pub(crate) fn open(this: &Window, socket: &web_sys::WebSocket, is_live: bool);

    /// Counts the batches for all live readers for it too.
    #[wasm_bindgen(method)]
    pub(crate) fn join(this: &Window, socket: &web_sys::WebSocket);

    /// Sends a page that ends with event `seq` to one reader that is catching up; returns its
    /// unacknowledged characters.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn send_page(
        this: &Window,
        socket: &web_sys::WebSocket,
        text: &str,
        seq: f64,
    ) -> Result<f64, JsValue>;

    /// Sends a batch that ends with event `seq` to all readers except those with more than `limit`
    /// unacknowledged characters, which are returned.
    #[wasm_bindgen(method)]
    pub(crate) fn send(
        this: &Window,
        sockets: &Set,
        text: &str,
        seq: f64,
        limit: f64,
    ) -> Option<Array>;

    /// Records that a reader has everything up to event `seq`; returns its unacknowledged
    /// characters.
    #[wasm_bindgen(method)]
    pub(crate) fn acknowledge(this: &Window, socket: &web_sys::WebSocket, seq: f64) -> f64;
}

/// The sockets of an array that [`Window::send`] returned.
pub(crate) fn sockets(array: Array) -> impl Iterator<Item = WebSocket> {
    array.into_iter().map(|socket| WebSocket::from(socket.unchecked_into::<web_sys::WebSocket>()))
}
