//! The readers of one channel: hibernating WebSockets, each of a client or of a Worker that holds a
//! stream for a client.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};

use js_sys::{Date, Object};
use serde::{Deserialize, Serialize};
use tidewire_core::{CloseCode, Framing, Grant, Lease, Member, Offset, Trace, is_renewal};
use wasm_bindgen::prelude::*;
use worker::{Result, State, WebSocket};

use crate::sockets::Sockets;
use crate::window::{self, Window};

/// The state that survives sleep with a socket. Written on connect and on a change of phase, never
/// per event; far below the platform's 16,384 bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reader {
    pub(crate) framing: Framing,
    /// Position after which it is catching up; `None` if it is live.
    pub(crate) after: Option<u64>,
    /// The rights of its client, and when they end.
    pub(crate) grant: Grant,
    /// The member of this socket.
    pub(crate) member: Option<Held>,
    /// Whether it acknowledges.
    pub(crate) is_windowed: bool,
    /// Whether its next page waits for an acknowledgement.
    pub(crate) is_waiting: bool,
    /// For the log line at its end, with its start position.
    pub(crate) trace: Option<(Trace, Offset)>,
}

/// A member, and when it last renewed its lease, in milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    id: String,
    state: String,
    at_ms: u64,
    /// Whether it renews its lease by saying its state again; until it has done so it lasts as long as
    /// its socket, if it is a client of y-websocket.
    #[serde(default)]
    renews: bool,
}

impl Held {
    fn member(&self) -> Member {
        Member { id: self.id.clone(), state: Some(self.state.clone()) }
    }
}

// The SDK looks at the value in four calls, and makes a text to keep in two.
#[wasm_bindgen(inline_js = "
export function attachment(socket) {
    try {
        const value = socket.deserializeAttachment();
        return typeof value === 'string' ? value : undefined;
    } catch {}
}
export function attach(socket, text) {
    socket.serializeAttachment(text);
}")]
extern "C" {
    fn attachment(socket: &web_sys::WebSocket) -> Option<String>;
    #[wasm_bindgen(catch)]
    fn attach(socket: &web_sys::WebSocket, text: &str) -> Result<(), JsValue>;
}

#[wasm_bindgen]
extern "C" {
    type AutoResponses;
    #[wasm_bindgen(method, catch, js_name = getWebSocketAutoResponseTimestamp)]
    fn timestamp(this: &AutoResponses, socket: &JsValue) -> Result<Option<Date>, JsValue>;
}

/// When the platform last answered a ping of this socket, in milliseconds since 1970; the `worker`
/// crate does not bind it.
fn last_ping_ms(state: &State, socket: &WebSocket) -> Option<u64> {
    let state: &JsValue = state.as_raw().as_ref();
    let at = state.unchecked_ref::<AutoResponses>().timestamp(socket.as_ref()).ok().flatten()?;
    Some(at.get_time() as u64)
}

/// Live readers by framing.
pub(crate) struct Readers {
    live: HashMap<Framing, Sockets>,
    catching_up: Sockets,
    /// The member of each socket.
    members: RefCell<BTreeMap<String, WebSocket>>,
    /// When the right of a client's socket ends next, in milliseconds since 1970; `u64::MAX`
    /// without any. May be early: a socket may have closed before.
    next_end_ms: Cell<u64>,
    pub(crate) window: Window,
}

impl Readers {
    /// Most readers of a channel. The platform accepts 32,768 and panics at one more; the rest is
    /// reserved for requests in progress.
    pub(crate) const MAX: u32 = 32_000;

    /// Rebuilds the sets from the sockets that survived sleep, and returns those that were catching
    /// up.
    pub(crate) fn restore(state: &State) -> (Readers, Vec<(WebSocket, Reader)>) {
        let live = Framing::ALL.map(|framing| (framing, Sockets::default())).into_iter().collect();
        let next_end_ms = Cell::new(u64::MAX);
        let readers = Readers {
            live,
            catching_up: Sockets::default(),
            members: RefCell::default(),
            next_end_ms,
            window: Window::new(),
        };
        let mut behind = Vec::new();
        for socket in state.get_websockets() {
            // A socket without an attachment was never a reader.
            let Some(reader) = Readers::get(&socket) else { continue };
            readers.note_end(&reader);
            if let Some(member) = &reader.member {
                readers.members.borrow_mut().insert(member.id.clone(), socket.clone());
            }
            if reader.is_windowed {
                readers.window.open(socket.as_ref(), reader.after.is_none());
            }
            if reader.after.is_none() {
                readers.insert_live(reader.framing, &socket);
            } else {
                readers.catching_up.insert(&socket);
                behind.push((socket, reader));
            }
        }
        (readers, behind)
    }

    /// Records when the reader's right ends. A Worker that holds a stream for a client ends it by
    /// itself.
    pub(crate) fn note_end(&self, reader: &Reader) {
        if let (true, Some(until_ms)) = (reader.framing.is_socket(), reader.grant.until_ms) {
            self.next_end_ms.set(self.next_end_ms.get().min(until_ms));
        }
    }

    /// When to look for sockets whose right has ended.
    pub(crate) fn next_end_ms(&self) -> u64 {
        self.next_end_ms.get()
    }

    /// Clients' sockets whose right has ended at this time. Checks every socket: for the alarm, not
    /// for an event.
    pub(crate) fn ended(&self, state: &State, by_ms: u64) -> Vec<WebSocket> {
        self.next_end_ms.set(u64::MAX);
        let sockets = state.get_websockets().into_iter();
        sockets
            .filter(|socket| {
                let Some(reader) = Readers::get(socket) else { return false };
                let has_ended = reader.framing.is_socket()
                    && reader.grant.until_ms.is_some_and(|until_ms| until_ms <= by_ms);
                if !has_ended {
                    self.note_end(&reader);
                }
                has_ended
            })
            .collect()
    }

    /// The attachment of a socket.
    pub(crate) fn get(socket: &WebSocket) -> Option<Reader> {
        serde_json::from_str(&attachment(socket.as_ref())?).ok()
    }

    /// Stores the attachment of a socket: as one text, which crosses to JavaScript at once.
    pub(crate) fn attach(socket: &WebSocket, reader: &Reader) -> Result<()> {
        Ok(attach(socket.as_ref(), &serde_json::to_string(reader)?)?)
    }

    /// Records a reader's phase, in its attachment and in the sets.
    pub(crate) fn set(&self, socket: &WebSocket, reader: &Reader) -> Result<()> {
        Readers::attach(socket, reader)?;
        if reader.after.is_some() {
            self.catching_up.insert(socket);
        } else {
            self.catching_up.remove(socket);
            if reader.is_windowed {
                self.window.join(socket.as_ref());
            }
            self.insert_live(reader.framing, socket);
        }
        Ok(())
    }

    /// Forgets a socket.
    pub(crate) fn remove(&self, socket: &WebSocket) {
        self.catching_up.remove(socket);
        for sockets in self.live.values() {
            sockets.remove(socket);
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.catching_up.count() + self.count_live()
    }

    /// The number of readers that get an event at once.
    pub(crate) fn count_live(&self) -> u32 {
        self.live.values().map(Sockets::count).sum()
    }

    /// The number of readers of each framing. Checks each reader that is catching up.
    pub(crate) fn by_framing(&self) -> HashMap<Framing, u64> {
        let mut counts: HashMap<_, _> = self
            .live
            .iter()
            .map(|(framing, sockets)| (*framing, u64::from(sockets.count())))
            .collect();
        for reader in self.catching_up.iter().filter_map(|socket| Readers::get(&socket)) {
            *counts.entry(reader.framing).or_default() += 1;
        }
        counts
    }

    /// Live readers of one framing; `None` without any, so that nothing is encoded for them.
    pub(crate) fn live(&self, framing: Framing) -> Option<&Sockets> {
        self.live.get(&framing).filter(|sockets| !sockets.is_empty())
    }

    /// Sends a batch that ends with event `seq`. Readers with more than `limit` unacknowledged
    /// characters do not get it and are returned.
    pub(crate) fn send_in_window(
        &self,
        sockets: &Sockets,
        text: &str,
        seq: u64,
        limit: u64,
    ) -> impl Iterator<Item = WebSocket> + use<> {
        self.window
            .send(sockets.as_set(), text, seq as f64, limit as f64)
            .into_iter()
            .flat_map(window::sockets)
    }

    /// Ends every reader.
    pub(crate) fn close_everyone(&self, code: CloseCode, reason: &str) {
        for (framing, sockets) in &self.live {
            sockets.close(framing.close_number(code), reason);
        }
        self.catching_up.close(code.number(), reason);
        self.members.borrow_mut().clear();
    }

    /// Sends to every reader of a framing, including those that are catching up: a frame without an
    /// offset is not in the log.
    pub(crate) fn send_to_everyone(&self, framing: Framing, text: &str) {
        if let Some(sockets) = self.live(framing) {
            sockets.send(text);
        }
        let behind = Sockets::default();
        for socket in self.catching_up.iter() {
            if Readers::get(&socket).is_some_and(|reader| reader.framing == framing) {
                behind.insert(&socket);
            }
        }
        behind.send(text);
    }

    /// The member of a socket.
    pub(crate) fn member(socket: &WebSocket) -> Option<Member> {
        Some(Readers::get(socket)?.member?.member())
    }

    /// Sets the member of this socket, and removes it from any other.
    pub(crate) fn set_member(
        &self,
        socket: &WebSocket,
        member: &Member,
        now_ms: u64,
    ) -> Result<()> {
        if !self.is_held_by(&member.id, socket) {
            self.release(&member.id);
        }
        let Some(reader) = Readers::get(socket) else { return Ok(()) };
        let renews = reader
            .member
            .as_ref()
            .is_some_and(|before| before.renews || is_renewal(&before.member(), member));
        let held = Held {
            id: member.id.clone(),
            state: member.state.clone().unwrap_or_default(),
            at_ms: now_ms,
            renews,
        };
        Readers::attach(socket, &Reader { member: Some(held), ..reader })?;
        self.members.borrow_mut().insert(member.id.clone(), socket.clone());
        Ok(())
    }

    /// Whether a socket has a member.
    pub(crate) fn is_held_by(&self, id: &str, socket: &WebSocket) -> bool {
        self.members
            .borrow()
            .get(id)
            .is_some_and(|holder| Object::is(holder.as_ref(), socket.as_ref()))
    }

    /// Forgets a member; its socket stays a reader.
    pub(crate) fn release(&self, id: &str) {
        let Some(socket) = self.members.borrow_mut().remove(id) else { return };
        if let Some(reader) = Readers::get(&socket) {
            // A socket that has closed in the meantime keeps its attachment, which nobody reads any
            // more.
            let _ = Readers::attach(&socket, &Reader { member: None, ..reader });
        }
    }

    /// Members by their sockets.
    pub(crate) fn leases(&self, state: &State, lease_ms: u64) -> Vec<Lease> {
        let lease = |socket: &WebSocket| {
            let reader = Readers::get(socket)?;
            let held = reader.member?;
            let until_ms = if reader.framing == Framing::Yjs && !held.renews {
                u64::MAX
            } else {
                held.at_ms.max(last_ping_ms(state, socket).unwrap_or(0)) + lease_ms
            };
            Some(Lease { member: held.member(), until_ms })
        };
        self.members.borrow().values().filter_map(lease).collect()
    }

    fn insert_live(&self, framing: Framing, socket: &WebSocket) {
        if let Some(sockets) = self.live.get(&framing) {
            sockets.insert(socket);
        }
    }
}
