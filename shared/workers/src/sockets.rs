//! Sockets that get the same text.

use std::cell::Cell;

use js_sys::{Set, Uint8Array};
use wasm_bindgen::prelude::*;
use worker::WebSocket;

#[wasm_bindgen(inline_js = "
export function send_to_all(sockets, text) {
    // A socket that is gone throws; its close event follows.
    for (const socket of sockets) { try { socket.send(text); } catch {} }
}
export function close_all(sockets, code, reason) {
    for (const socket of sockets) { try { socket.close(code, reason); } catch {} }
    sockets.clear();
}")]
extern "C" {
    fn send_to_all(sockets: &Set, text: &str);
    #[wasm_bindgen(js_name = send_to_all)]
    fn send_bytes_to_all(sockets: &Set, bytes: &Uint8Array);
    fn close_all(sockets: &Set, code: u16, reason: &str);
}

/// A set that stays on the JavaScript side: a fan-out crosses once, not once for each socket. The
/// number of its sockets is kept on this side, because each append asks for it.
#[derive(Default)]
pub(crate) struct Sockets {
    set: Set,
    count: Cell<u32>,
}

impl Sockets {
    pub(crate) fn insert(&self, socket: &WebSocket) {
        self.set.add(socket.as_ref());
        self.count.set(self.set.size());
    }

    pub(crate) fn remove(&self, socket: &WebSocket) {
        if !self.is_empty() && self.set.delete(socket.as_ref()) {
            self.count.set(self.count.get() - 1);
        }
    }

    pub(crate) fn clear(&self) {
        self.set.clear();
        self.count.set(0);
    }

    pub(crate) fn count(&self) -> u32 {
        self.count.get()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// For what loops over the sockets, and neither adds nor removes any.
    pub(crate) fn as_set(&self) -> &Set {
        &self.set
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = WebSocket> + use<> {
        let sockets = (!self.is_empty()).then(|| self.set.values().into_iter());
        sockets
            .into_iter()
            .flatten()
            .flatten()
            .map(|socket| WebSocket::from(socket.unchecked_into::<web_sys::WebSocket>()))
    }

    pub(crate) fn send(&self, text: &str) {
        if !self.is_empty() {
            send_to_all(&self.set, text);
        }
    }

    /// Sends bytes, each socket a copy of its own.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) {
        if !self.is_empty() {
            // Out of the memory of wasm, which changes while the platform holds the bytes back.
            send_bytes_to_all(&self.set, &Uint8Array::from(bytes));
        }
    }

    /// Closes every socket and forgets it.
    pub(crate) fn close(&self, code: u16, reason: &str) {
        if !self.is_empty() {
            close_all(&self.set, code, reason);
            self.count.set(0);
        }
    }
}
