//! The object's one alarm: what ends by itself ends at it, and what is stored of it goes.
//!
//! Set to what ends first. A channel that is read or written meanwhile has another end: an alarm that followed each of them would be a write each.

use tidewire_core::{CloseCode, ErrorKind, Framing};
use worker::Result;

use super::{Answer, Inner};
use crate::clock::now_ms;
use crate::respond::internal;

/// Rights that end so soon after an alarm end with it: one alarm for many, and nobody stays longer than allowed.
const ENDS_TOGETHER_MS: u64 = 5_000;

impl Inner {
    /// The alarm removes what is stored of an expired channel. Set anew by whoever meets it, since the platform gives an alarm up that has failed often enough.
    pub(super) async fn ring_for_expired(&self) -> Result<()> {
        // A store that cannot be read is told of where it is read next.
        let is_there = self.channel().is_ok() && std::mem::take(&mut self.memory.borrow_mut().has_expired);
        if is_there { self.wake_at(0).await } else { Ok(()) }
    }

    /// As [`wake_in_time`](Inner::wake_in_time), where a client's right ends at all: others cost no alarm.
    pub(super) async fn wake_for_readers(&self) -> Answer<()> {
        if self.readers.next_end_ms() == u64::MAX { Ok(()) } else { self.wake_in_time().await }
    }

    /// Has the object woken when something ends. It has one alarm, which is set to what ends first; whoever comes later and ends later costs nothing.
    pub(super) async fn wake_in_time(&self) -> Answer<()> {
        let at_ms = {
            let memory = self.memory.borrow();
            let channel_ms = memory.channel.as_ref().and_then(|channel| channel.expiry).map(|expiry| expiry.ends_at_ms());
            let revocations_ms = memory.revocations.iter().map(|revocation| revocation.until_ms).max();
            channel_ms.into_iter().chain(revocations_ms).fold(self.readers.next_end_ms(), u64::min)
        };
        if at_ms >= self.alarm_ms.get() {
            return Ok(());
        }
        self.wake_at(at_ms).await.map_err(|cause| internal(&cause))
    }

    async fn wake_at(&self, at_ms: u64) -> Result<()> {
        self.alarm_ms.set(at_ms);
        self.store.wake_at(at_ms).await
    }

    pub(super) async fn ring(&self) -> Answer<()> {
        let now_ms = now_ms();
        for socket in self.readers.ended(&self.state, now_ms + ENDS_TOGETHER_MS) {
            self.end(&socket, Framing::TidewireV1, CloseCode::CredentialExpired, ErrorKind::CredentialExpired.code());
        }
        let channel = self.channel()?;
        self.prune_revocations(now_ms)?;
        if channel.is_none() && self.store.is_over().map_err(|cause| internal(&cause))? {
            self.clear().await?;
        }
        self.wake_in_time().await
    }

    pub(super) fn prune_revocations(&self, now_ms: u64) -> Answer<()> {
        self.memory.borrow_mut().revocations.retain(|revocation| revocation.until_ms > now_ms);
        self.store.prune_revocations(now_ms).map_err(|cause| internal(&cause))
    }

    /// Removes all that is stored. Revocations stay in force: a channel that is made anew is no way back.
    pub(super) async fn clear(&self) -> Answer<()> {
        let keeps_revocations = !self.memory.borrow().revocations.is_empty();
        if !keeps_revocations {
            // It goes with the rest.
            self.alarm_ms.set(u64::MAX);
        }
        self.store.delete(keeps_revocations).await.map_err(|cause| {
            self.memory.borrow_mut().is_loaded = false;
            internal(&cause)
        })
    }
}
