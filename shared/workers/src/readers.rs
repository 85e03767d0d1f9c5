//! The readers of one channel: hibernating WebSockets, each a client's or a Worker's that holds a stream for one.

use std::collections::HashMap;

use js_sys::Set;
use serde::{Deserialize, Serialize};
use tidewire_core::Framing;
use wasm_bindgen::prelude::*;
use worker::{Result, State, WebSocket};

/// What survives sleep with a socket. Written on connect and on a change of phase, never per event; far below the platform's 16,384 bytes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Reader {
    pub(crate) framing: Framing,
    /// Position after which it is catching up; `None` once it is live.
    pub(crate) after: Option<u64>,
}

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
    fn close_all(sockets: &Set, code: u16, reason: &str);
}

/// Live readers by framing. The sets stay on the JavaScript side: a fan-out crosses once for each framing, not once for each socket.
pub(crate) struct Readers {
    live: HashMap<Framing, Set>,
    catching_up: Set,
}

impl Readers {
    /// Most readers of a channel. The platform takes 32,768 and panics at one more; the rest is left to requests that are under way.
    pub(crate) const MAX: u32 = 32_000;

    /// Rebuilds the sets from the sockets that survived sleep, and returns those that were in mid-catch-up.
    pub(crate) fn restore(state: &State) -> (Readers, Vec<(WebSocket, Framing)>) {
        let readers = Readers { live: Framing::ALL.map(|framing| (framing, Set::default())).into_iter().collect(), catching_up: Set::default() };
        let mut behind = Vec::new();
        for socket in state.get_websockets() {
            match Readers::get(&socket) {
                Some(Reader { framing, after: None }) => readers.insert_live(framing, &socket),
                Some(Reader { framing, .. }) => {
                    readers.catching_up.add(socket.as_ref());
                    behind.push((socket, framing));
                }
                // Without an attachment it was never one of ours.
                None => {}
            }
        }
        (readers, behind)
    }

    /// What is known of a socket.
    pub(crate) fn get(socket: &WebSocket) -> Option<Reader> {
        socket.deserialize_attachment().ok().flatten()
    }

    /// Notes a reader's phase, in its attachment and in the sets.
    pub(crate) fn set(&self, socket: &WebSocket, reader: Reader) -> Result<()> {
        socket.serialize_attachment(reader)?;
        if reader.after.is_some() {
            self.catching_up.add(socket.as_ref());
        } else {
            self.catching_up.delete(socket.as_ref());
            self.insert_live(reader.framing, socket);
        }
        Ok(())
    }

    /// Forgets a socket.
    pub(crate) fn remove(&self, socket: &WebSocket) {
        self.catching_up.delete(socket.as_ref());
        for sockets in self.live.values() {
            sockets.delete(socket.as_ref());
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.catching_up.size() + self.live.values().map(Set::size).sum::<u32>()
    }

    /// Live readers of one framing; `None` when there are none, so that nothing is encoded for them.
    pub(crate) fn live(&self, framing: Framing) -> Option<&Set> {
        self.live.get(&framing).filter(|sockets| sockets.size() > 0)
    }

    pub(crate) fn send(sockets: &Set, text: &str) {
        send_to_all(sockets, text);
    }

    pub(crate) fn close(sockets: &Set, code: u16, reason: &str) {
        close_all(sockets, code, reason);
    }

    /// Ends every reader.
    pub(crate) fn close_everyone(&self, code: u16, reason: &str) {
        for sockets in self.live.values().chain([&self.catching_up]) {
            close_all(sockets, code, reason);
        }
    }

    fn insert_live(&self, framing: Framing, socket: &WebSocket) {
        if let Some(sockets) = self.live.get(&framing) {
            sockets.add(socket.as_ref());
        }
    }
}
