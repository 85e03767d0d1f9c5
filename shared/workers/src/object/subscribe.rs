//! A reader: how it is let in, comes to the tail page by page, and is ended.

use std::rc::Rc;
use std::time::Duration;

use tidewire_core::{
    Channel, CloseCode, Delivery, Error, Framing, Grant, Page, Start, Subscribe, Then, Trace,
    opening,
};
use worker::{Delay, Headers, Response, Result, WebSocket, WebSocketPair};

use super::{Answer, Inner};
use crate::clock::entropy;
use crate::handover::{MORE, Subscribed};
use crate::readers::{Reader, Readers};
use crate::refusal::upgraded;
use crate::respond::internal;

/// How long a reader that catches up may take to acknowledge. The object stays awake for it only
/// during this time.
const ACK_WAIT: Duration = Duration::from_secs(10);

impl Inner {
    pub(super) fn subscribe(
        self: &Rc<Self>,
        subscribe: Subscribe,
        grant: Grant,
        trace: Option<Trace>,
        offers_subprotocol: bool,
    ) -> Answer<Response> {
        if u64::from(self.readers.count()) >= self.policy.max_readers {
            return Err(Error::too_many_readers(self.policy.max_readers));
        }
        if subscribe.framing == Framing::Yjs {
            let code = self.document_code.ok_or_else(Error::no_documents)?;
            return (code.open)(self, grant, trace);
        }
        let channel = self.existing()?;
        let members = match self.policy.presence {
            Some(presence) if subscribe.framing.carries_presence() => Some(self.members(presence)?),
            _ => None,
        };
        let is_windowed = subscribe.framing == Framing::TidewireV1 && offers_subprotocol;
        let ack_bytes = is_windowed.then_some(self.settings.ack_bytes());
        let opening = opening(
            &subscribe,
            &channel,
            members.as_deref(),
            self.settings.retry_ms,
            entropy(),
            ack_bytes,
        );
        // A long poll is a request: its answer is its end.
        let trace = trace
            .filter(|_| subscribe.framing != Framing::News)
            .map(|trace| (trace, channel.offset(subscribe.after)));
        let after = Some(subscribe.after);
        let reader = Reader {
            framing: subscribe.framing,
            after,
            grant,
            member: None,
            is_windowed,
            is_waiting: false,
            trace,
        };
        self.keep(&channel, subscribe, opening, reader, offers_subprotocol)
            .map_err(|cause| internal(&cause))
    }

    fn keep(
        self: &Rc<Self>,
        channel: &Channel,
        subscribe: Subscribe,
        opening: Vec<String>,
        reader: Reader,
        offers_subprotocol: bool,
    ) -> Result<Response> {
        let Subscribe { framing, gap, snapshot, cursor, .. } = subscribe;
        let pair = WebSocketPair::new()?;
        self.state.accept_web_socket(&pair.server);
        if reader.is_windowed {
            self.readers.window.open(pair.server.as_ref(), false);
        }
        self.activity.borrow_mut().gaps += u64::from(gap.is_some());
        for frame in opening {
            pair.server.send_with_str(frame)?;
        }
        self.readers.note_end(&reader);
        self.send_page(&pair.server, reader, snapshot, cursor)?;
        let headers = match framing {
            // This answer goes to the client unchanged.
            Framing::TidewireV1 => Headers::new(),
            _ => Subscribed {
                content_type: channel.content_type.clone(),
                offset: channel.offset(subscribe.begins_after()),
                cursor,
            }
            .write(),
        };
        upgraded(pair.client, offers_subprotocol, headers)
    }

    /// The next page for a reader that catches up, wherever it is.
    pub(super) fn catch_up(self: &Rc<Self>, socket: &WebSocket) {
        let Some(reader) = Readers::get(socket).filter(|reader| reader.after.is_some()) else {
            return;
        };
        if self.send_page(socket, reader, None, self.cursor()).is_err() {
            // It left while it caught up.
            self.readers.remove(socket);
        }
    }

    /// Sends one page, which begins with the snapshot of this number. The page that reaches the tail and the switch to live are one turn, so no
    /// event can fall between them.
    fn send_page(
        self: &Rc<Self>,
        socket: &WebSocket,
        mut reader: Reader,
        snapshot: Option<u64>,
        cursor: u64,
    ) -> Result<()> {
        let framing = reader.framing;
        reader.is_waiting = false;
        // It reads from the store what waits for the others.
        self.flush();
        let Some(after) = reader.after.take().filter(|_| framing != Framing::News) else {
            return self.readers.set(socket, &reader);
        };
        let mut limit = self.policy.page;
        if reader.is_windowed {
            // Together with the unacknowledged frames and the overhead of framing it fits the
            // window.
            limit.max_bytes = limit.max_bytes.min(self.settings.socket_window_bytes / 2);
        }
        let read = self.existing().and_then(|channel| {
            // Retention may have passed the reader since its last page.
            let position = channel.position(Start::After(channel.offset(after)));
            let snapshot = snapshot.or(position.snapshot);
            let log = self.read(&channel, snapshot.unwrap_or(position.after), limit)?;
            let page = match snapshot {
                Some(seq) => Page::with_past(seq, self.snapshot(seq)?, log, limit),
                None => log,
            };
            Ok((channel, position.gap, page))
        });
        let (channel, gap, page) = match read {
            Ok(read) => read,
            Err(error) => {
                self.readers.remove(socket);
                return socket.close(Some(error.close_code().number()), Some(error.close_reason()));
            }
        };
        let Delivery { gap, batch, then } = Delivery::new(framing, &channel, gap, &page, cursor);
        if let Some(frame) = gap {
            self.activity.borrow_mut().gaps += 1;
            socket.send_with_str(frame)?;
        }
        let mut pending = 0.0;
        if !batch.is_empty() {
            pending = self.readers.window.send_page(socket.as_ref(), &batch, page.end() as f64)?;
        }
        // A long snapshot alone may exceed the window: the next event would count as the last straw.
        let is_beyond = reader.is_windowed && pending >= self.settings.socket_window_bytes as f64;
        match then {
            Then::Live if is_beyond => {
                reader.after = Some(page.end());
                reader.is_waiting = true;
                self.readers.set(socket, &reader)?;
                self.go_on(socket, reader)
            }
            Then::NextPage => {
                reader.after = Some(page.end());
                reader.is_waiting = pending >= self.settings.ack_bytes() as f64;
                self.readers.set(socket, &reader)?;
                self.go_on(socket, reader)
            }
            Then::Live => self.readers.set(socket, &reader),
            Then::End(end) => {
                if !end.frame.is_empty() {
                    socket.send_with_str(end.frame)?;
                }
                self.readers.remove(socket);
                socket.close(Some(end.code.number()), Some(end.reason))
            }
        }
    }

    /// How a reader that is behind gets its next page: a Worker asks for it when it has written
    /// this one; a client, which cannot be asked, gets it in a later turn, so that other readers
    /// get theirs in between, or once it has acknowledged.
    pub(super) fn go_on(self: &Rc<Self>, socket: &WebSocket, reader: Reader) -> Result<()> {
        if reader.framing != Framing::TidewireV1 {
            return socket.send_with_str(MORE);
        }
        let (inner, socket) = (Rc::clone(self), socket.clone());
        self.state.wait_until(async move {
            if !reader.is_waiting {
                Delay::from(Duration::ZERO).await;
                return inner.catch_up(&socket);
            }
            // A reader that never acknowledges also makes progress: it has received these frames,
            // and resumes.
            Delay::from(ACK_WAIT).await;
            if Readers::get(&socket).is_some_and(|now| now.is_waiting && now.after == reader.after)
            {
                inner.close_slow(&socket);
            }
        });
        Ok(())
    }

    /// Closes a reader that is slower than its channel. Frames already sent still reach it; it
    /// resumes from there.
    pub(super) fn close_slow(&self, socket: &WebSocket) {
        self.activity.borrow_mut().drops += 1;
        self.end(socket, Framing::TidewireV1, CloseCode::Slow, "slow");
    }

    /// Ends one reader, and sends it the reason if its framing can.
    pub(super) fn end(
        &self,
        socket: &WebSocket,
        framing: Framing,
        code: CloseCode,
        reason: &'static str,
    ) {
        self.readers.remove(socket);
        // It may have left already.
        let _ = framing
            .close(code, reason)
            .map_or(Ok(()), |frame| socket.send_with_str(frame))
            .and_then(|()| socket.close(Some(framing.close_number(code)), Some(reason)));
    }
}
