//! The snapshots of a channel. It is compacted in the request whose append makes it due.

use tidewire_core::{
    Commit, CompactPlan, Error, LocalFuture, Offset, Page, Policy, Reply, Version,
    decide_compaction, decide_version,
};

use crate::clock::now_ms;
use crate::complain::complain;
use crate::respond::internal;
use crate::store::{ChannelStore, Look, Store, Stored};

/// Makes the next snapshot after a commit that makes it due. The append is stored in any case: a
/// failure of the snapshot is logged and changes nothing.
pub(crate) async fn compact(store: &ChannelStore, commit: &Commit, policy: &Policy) {
    let Some(plan) = decide_compaction(commit, policy) else { return };
    if let Err(error) = compacted(store, plan, commit.channel.epoch).await {
        complain(Some(&store.hash()), error);
    }
}

/// Reads and folds without a lock: other writers continue in the meantime. Where one of them made a
/// snapshot or erased an event, its result stays.
fn compacted(
    store: &ChannelStore,
    plan: CompactPlan,
    epoch: u64,
) -> LocalFuture<'_, Result<(), Error>> {
    Box::pin(async move {
        let (look, page) = store.look(plan.after, plan.limit).await?;
        let is_as_it_was = |stored: &Stored| {
            stored.channel.epoch == epoch
                && stored.channel.snapshot.map(|last| last.seq) == plan.last
        };
        let Some(stored) = look.stored.filter(is_as_it_was) else { return Ok(()) };
        let last = match plan.last {
            Some(seq) => Some(snapshot(store, &stored, seq).await?),
            None => None,
        };
        let made = plan.compact(&stored.channel, last.as_deref(), &page, now_ms())?;
        if let Some(made) = made {
            store.put_snapshot(&stored, &made).await?;
        }
        Ok(())
    })
}

/// The data of a snapshot that the channel had at a look.
fn snapshot<'a>(
    store: &'a ChannelStore,
    stored: &'a Stored,
    seq: u64,
) -> LocalFuture<'a, Result<Vec<u8>, Error>> {
    Box::pin(async move {
        let data = store.snapshot(stored, seq).await?;
        data.ok_or_else(|| internal("a snapshot was removed during a read"))
    })
}

/// The snapshots kept of the channel of a look.
pub(crate) async fn versions(store: &ChannelStore, look: &Look) -> Result<Vec<Version>, Error> {
    match &look.stored {
        Some(stored) => Ok(store.versions(stored).await?),
        None => Ok(Vec::new()),
    }
}

/// The state of the channel of a look at an offset.
pub(crate) async fn version(
    store: &ChannelStore,
    look: &Look,
    at: Option<Offset>,
    policy: &Policy,
) -> Result<Reply, Error> {
    let versions = versions(store, look).await?;
    let plan = decide_version(at, look.channel(), policy, &versions)?;
    let Some(stored) = &look.stored else { return Err(internal("a version of no channel")) };
    let base = match plan.base {
        Some(seq) => Some(snapshot(store, stored, seq).await?),
        None => None,
    };
    let page = if plan.needs_events() {
        store.look(plan.after, plan.limit).await?.1
    } else {
        Page { after: plan.after, events: Vec::new() }
    };
    plan.reply(&stored.channel, base, &page)
}
