//! The presence of the channel.
//!
//! The member of a socket is in the socket's attachment and survives sleep with it; pings renew its
//! lease without waking the object. A member that joined over HTTP is a row. The next request finds
//! expired leases: a timer would keep the object awake.

use tidewire_core::{
    Awareness, Channel, Framing, Member, Presence, Reply, awareness_message, decide_awareness,
    members_at,
};
use worker::WebSocket;

use super::{Answer, Inner};
use crate::clock::now_ms;
use crate::readers::Readers;
use crate::respond::internal;

impl Inner {
    /// The members. Expired members are removed and announced.
    pub(super) fn members(&self, presence: Presence) -> Answer<Vec<Member>> {
        let now_ms = now_ms();
        let mut leases = self.readers.leases(&self.state, presence.lease_ms);
        leases.extend(self.store.leases().map_err(|cause| internal(&cause))?);
        let over: Vec<_> = leases
            .iter()
            .filter(|lease| lease.until_ms <= now_ms)
            .map(|lease| self.policy.farewell(&lease.member))
            .collect();
        for member in &over {
            self.forget(&member.id)?;
        }
        self.tell(&over);
        Ok(members_at(&leases, now_ms))
    }

    /// Applies a client's update, over its socket or by HTTP, and returns the members. The latest
    /// connection that sends an id owns it: a page may reconnect before its old socket ends.
    pub(super) fn announce(
        &self,
        presence: Presence,
        said: Member,
        socket: Option<&WebSocket>,
    ) -> Answer<Vec<Member>> {
        if let Some(before) = socket.and_then(Readers::member).filter(|before| before.id != said.id)
        {
            // A socket is one member: a new id replaces its member.
            self.announce(presence, before.gone(), None)?;
        }
        let mut members = self.members(presence)?;
        let is_news = presence.update(&mut members, &said)?;
        let now_ms = now_ms();
        match (said.state.as_deref(), socket) {
            (None, _) => self.forget(&said.id)?,
            (Some(_), Some(socket)) => {
                self.store.remove_member(&said.id).map_err(|cause| internal(&cause))?;
                self.readers.set_member(socket, &said, now_ms).map_err(|cause| internal(&cause))?;
            }
            (Some(state), None) => {
                self.readers.release(&said.id);
                self.store
                    .put_member(&said.id, state, now_ms + presence.lease_ms)
                    .map_err(|cause| internal(&cause))?;
            }
        }
        if is_news {
            self.tell(&[said]);
        }
        Ok(members)
    }

    /// Carries out a request for the awareness of a document.
    pub(super) fn awareness(
        &self,
        asked: &Awareness,
        body: &[u8],
        channel: Option<&Channel>,
    ) -> Answer<Reply> {
        let presence = self.policy.presence()?;
        let members = self.members(presence)?;
        let (said, reply) = decide_awareness(asked, body, channel, &members, &self.policy)?;
        for member in said {
            self.announce(presence, member, None)?;
        }
        Ok(reply)
    }

    /// The member of a closed socket leaves, unless it reconnected on another one.
    pub(super) fn leave(&self, socket: &WebSocket) {
        if let Some(member) = Readers::member(socket)
            && self.readers.is_held_by(&member.id, socket)
        {
            self.readers.release(&member.id);
            self.tell(&[self.policy.farewell(&member)]);
        }
    }

    fn forget(&self, id: &str) -> Answer<()> {
        self.readers.release(id);
        self.store.remove_member(id).map_err(|cause| internal(&cause))
    }

    fn tell(&self, changes: &[Member]) {
        if changes.is_empty() {
            return;
        }
        self.flush();
        for framing in Framing::ALL {
            if let Some(text) = framing.presence(changes, false) {
                self.readers.send_to_everyone(framing, &text);
            }
        }
        if let Some(sockets) = self.readers.live(Framing::Yjs)
            && let Some(message) = awareness_message(changes)
        {
            sockets.send_bytes(&message);
        }
    }
}
