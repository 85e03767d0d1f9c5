//! The compaction of the channel, in the turn of the append that makes it due. Nothing comes between
//! its reads and its write.

use tidewire_core::{Channel, CompactPlan, Error, ErrorKind, fault};

use super::{Answer, Inner};
use crate::clock::now_ms;
use crate::respond::internal;

impl Inner {
    /// Makes the next snapshot. The append is stored whatever becomes of it: a failure is logged and
    /// changes nothing.
    pub(super) fn compact(&self, plan: CompactPlan) {
        match self.compacted(plan) {
            Ok(Some(channel)) => self.memory.borrow_mut().channel = Some(channel),
            Ok(None) => {}
            Err(error) => worker::console_error!("{}", fault(None, &error)),
        }
    }

    fn compacted(&self, plan: CompactPlan) -> Answer<Option<Channel>> {
        let Some(channel) = self.memory.borrow().channel.clone() else { return Ok(None) };
        let last = plan.last.map(|seq| self.snapshot(seq)).transpose()?;
        let page = self.store.page(plan.after, plan.limit).map_err(|cause| internal(&cause))?;
        let Some(snapshot) = plan.compact(&channel, last.as_deref(), &page, now_ms())? else {
            return Ok(None);
        };
        self.store.put_snapshot(&snapshot).map_err(|cause| internal(&cause))?;
        Ok(Some(Channel { snapshot: Some(snapshot.head), ..channel }))
    }

    /// The data of a snapshot that the channel has.
    pub(super) fn snapshot(&self, seq: u64) -> Answer<Vec<u8>> {
        let data = self.store.snapshot(seq).map_err(|cause| internal(&cause))?;
        data.ok_or_else(|| Error::new(ErrorKind::Internal, "the store has no such snapshot"))
    }
}
