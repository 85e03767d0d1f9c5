//! The snapshots of the channel. It is compacted in the turn of the append that makes it due: nothing
//! comes between the reads of a compaction and its write.

use tidewire_core::{
    Channel, CompactPlan, Error, ErrorKind, Offset, Page, Reply, SnapshotDecision, SnapshotRead,
    decide_snapshot, decide_version, decide_versions, fault,
};

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

    /// The list of versions.
    pub(super) fn versions(&self, channel: Option<&Channel>) -> Answer<Reply> {
        let versions = self.store.versions().map_err(|cause| internal(&cause))?;
        let sizes = match channel {
            Some(_) => self.store.sizes().map_err(|cause| internal(&cause))?,
            None => Vec::new(),
        };
        decide_versions(channel, &self.policy, &versions, &sizes)
    }

    /// The snapshot of a document.
    pub(super) fn snapshot_of_document(
        &self,
        asked: &SnapshotRead,
        channel: Option<&Channel>,
    ) -> Answer<Reply> {
        match decide_snapshot(asked, channel, &self.policy)? {
            SnapshotDecision::Reply(reply) => Ok(reply),
            SnapshotDecision::Version(at) => self.version(Some(at), channel),
        }
    }

    /// The state at an offset.
    pub(super) fn version(&self, at: Option<Offset>, channel: Option<&Channel>) -> Answer<Reply> {
        let versions = self.store.versions().map_err(|cause| internal(&cause))?;
        let plan = decide_version(at, channel, &self.policy, &versions)?;
        let base = plan.base.map(|seq| self.snapshot(seq)).transpose()?;
        let channel = self.existing()?;
        let page = if plan.needs_events() {
            self.store.page(plan.after, plan.limit).map_err(|cause| internal(&cause))?
        } else {
            Page { after: plan.after, events: Vec::new() }
        };
        plan.reply(&channel, base, &page)
    }

    /// The data of a snapshot that the channel has.
    pub(super) fn snapshot(&self, seq: u64) -> Answer<Vec<u8>> {
        let data = self.store.snapshot(seq).map_err(|cause| internal(&cause))?;
        data.ok_or_else(|| Error::new(ErrorKind::Internal, "the store has no such snapshot"))
    }
}
