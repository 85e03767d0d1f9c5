//! The object's one alarm: it ends everything that is due, and removes an ended channel from the
//! store.
//!
//! Set to the earliest end. A channel that is read or written in the meantime ends later: moving
//! the alarm with each of them would cost a write each.

use tidewire_core::{CloseCode, ErrorKind, Framing};
use worker::Result;

use super::{Answer, Inner};
use crate::clock::now_ms;
use crate::readers::Readers;
use crate::respond::internal;

/// Rights that end this soon after an alarm end with it: one alarm for many rights, and no client
/// stays longer than allowed.
const ENDS_TOGETHER_MS: u64 = 5_000;

impl Inner {
    /// The alarm removes an expired channel from the store. Any request that finds the expired
    /// channel sets the alarm again: the platform stops retrying one that keeps failing.
    pub(super) async fn set_alarm_for_expired(&self) -> Result<()> {
        // The next read of an unreadable store reports it.
        let is_there =
            self.channel().is_ok() && std::mem::take(&mut self.memory.borrow_mut().has_expired);
        if is_there { self.set_alarm_at(0).await } else { Ok(()) }
    }

    /// Like [`set_alarm`](Inner::set_alarm), but only if the client's right ends at all: other
    /// rights cost no alarm.
    pub(super) async fn set_alarm_for_readers(&self) -> Answer<()> {
        if self.readers.next_end_ms() == u64::MAX { Ok(()) } else { self.set_alarm().await }
    }

    /// Sets the alarm for the next thing that ends. The object has one alarm; a later reader whose
    /// right ends later costs nothing.
    pub(super) async fn set_alarm(&self) -> Answer<()> {
        let at_ms = {
            let memory = self.memory.borrow();
            let channel_ms = memory
                .channel
                .as_ref()
                .and_then(|channel| channel.expiry)
                .map(|expiry| expiry.ends_at_ms());
            let revocations_ms =
                memory.revocations.iter().map(|revocation| revocation.until_ms).max();
            channel_ms.into_iter().chain(revocations_ms).fold(self.readers.next_end_ms(), u64::min)
        };
        if at_ms >= self.alarm_ms.get() {
            return Ok(());
        }
        self.set_alarm_at(at_ms).await.map_err(|cause| internal(&cause))
    }

    async fn set_alarm_at(&self, at_ms: u64) -> Result<()> {
        self.alarm_ms.set(at_ms);
        self.store.set_alarm_at(at_ms).await
    }

    pub(super) async fn on_alarm(&self) -> Answer<()> {
        let now_ms = now_ms();
        for socket in self.readers.ended(&self.state, now_ms + ENDS_TOGETHER_MS) {
            let framing =
                Readers::get(&socket).map_or(Framing::TidewireV1, |reader| reader.framing);
            self.end(
                &socket,
                framing,
                CloseCode::CredentialExpired,
                ErrorKind::CredentialExpired.code(),
            );
        }
        let channel = self.channel()?;
        self.prune_revocations(now_ms)?;
        if channel.is_none() && self.store.is_over().map_err(|cause| internal(&cause))? {
            self.clear().await?;
        }
        self.set_alarm().await
    }

    pub(super) fn prune_revocations(&self, now_ms: u64) -> Answer<()> {
        self.memory.borrow_mut().revocations.retain(|revocation| revocation.until_ms > now_ms);
        self.store.prune_revocations(now_ms).map_err(|cause| internal(&cause))
    }

    /// Removes the whole store. Revocations stay in force: creating a channel again does not
    /// restore access.
    pub(super) async fn clear(&self) -> Answer<()> {
        let keeps_revocations = !self.memory.borrow().revocations.is_empty();
        if !keeps_revocations {
            // It is removed with the rest.
            self.alarm_ms.set(u64::MAX);
        }
        self.store.delete(keeps_revocations).await.map_err(|cause| {
            self.memory.borrow_mut().is_loaded = false;
            internal(&cause)
        })
    }
}
