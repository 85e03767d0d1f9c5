//! What a client's frame does: the core decides, the object is the channel that it decides on.

use std::rc::Rc;

use tidewire_core::{
    Channel, Commit, Connection, FrameOutcome, Member, Moment, Offset, Presence, Result, Tally,
    client_frame, fault,
};
use worker::WebSocket;

use super::Inner;
use crate::readers::Reader;

/// One client's socket.
pub(super) struct Client<'a> {
    pub(super) inner: &'a Rc<Inner>,
    pub(super) socket: &'a WebSocket,
    pub(super) reader: &'a Reader,
}

impl Connection for Client<'_> {
    fn access(&mut self) -> Result<()> {
        self.inner.check_access(&self.reader.grant)
    }

    fn channel(&mut self) -> Result<Option<Channel>> {
        self.inner.touched()
    }

    fn known(&mut self, tallies: Vec<Tally>) -> Result<Vec<Tally>> {
        self.inner.known(tallies)
    }

    fn moment(&mut self) -> Moment {
        self.inner.moment()
    }

    fn commit(&mut self, commit: Commit) -> Result<()> {
        let is_new = commit.is_new;
        let channel = self.inner.commit(commit)?;
        if is_new && channel.expiry.is_some() {
            self.inner.set_end_later();
        }
        Ok(())
    }

    fn announce(&mut self, presence: Presence, said: Member) -> Result<()> {
        self.inner.announce(presence, said, Some(self.socket)).map(|_| ())
    }
}

impl Inner {
    /// Carries out a text frame.
    pub(super) fn client_frame(self: &Rc<Self>, socket: &WebSocket, reader: &Reader, text: &str) {
        let mut client = Client { inner: self, socket, reader };
        let outcome = client_frame(
            text,
            &reader.grant,
            self.settings.max_body_bytes,
            &self.policy,
            &mut client,
        );
        self.follow(socket, reader, outcome);
    }

    /// Does what follows a frame. The client may have left in the meantime: it finds its event in
    /// the log.
    pub(super) fn follow(
        self: &Rc<Self>,
        socket: &WebSocket,
        reader: &Reader,
        outcome: FrameOutcome,
    ) {
        self.activity.borrow_mut().refusals += u64::from(outcome.is_refusal);
        if let Some(offset) = outcome.acknowledged {
            self.acknowledge(socket, reader, offset);
        }
        for frame in outcome.frames {
            let _ = socket.send_with_str(frame);
        }
        if let Some((code, reason)) = outcome.end {
            self.readers.remove(socket);
            let _ = socket.close(Some(code.number()), Some(reason));
        }
    }

    /// The end of a channel that a frame makes is set in the same turn, which has no time to wait
    /// for it.
    fn set_end_later(self: &Rc<Self>) {
        let inner = Rc::clone(self);
        self.state.wait_until(async move {
            if let Err(error) = inner.set_alarm().await {
                // The next request for the expired channel sets it again.
                worker::console_error!(
                    "{}",
                    fault(
                        None,
                        &format!("the alarm for the end of a channel was not set: {error}")
                    )
                );
            }
        });
    }

    /// The reader has everything up to an offset, or claims so: the window is its own.
    fn acknowledge(self: &Rc<Self>, socket: &WebSocket, reader: &Reader, offset: Offset) {
        // A reader that found no channel has read nothing, so it has acknowledged none of its
        // events.
        let seq = if offset == Offset::ABSENT { 0 } else { offset.seq };
        let pending = self.readers.window.acknowledge(socket.as_ref(), seq as f64);
        if reader.is_waiting && pending < self.settings.ack_bytes() as f64 {
            self.catch_up(socket);
        }
    }
}
