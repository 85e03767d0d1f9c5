//! A change of a channel: an append, its making, its end, the erasure of an event. And what members
//! say of themselves.

use std::cell::RefCell;
use std::collections::HashSet;

use tidewire_core::{
    Change, ChangeDecision, Commit, Error, Grant, Member, Moment, Policy, Presence, Reply, Write,
    decide_change, presence_reply,
};

use crate::access::{check_access, slide};
use crate::activity::count;
use crate::clock::{entropy, now_ms};
use crate::complain::complain;
use crate::database::shared;
use crate::respond::internal;
use crate::store::{Look, Store, Stored};
use crate::sweep::sweep;

/// Channels of which an instance remembers that their last publish was refused.
const MOST_REFUSED: usize = 1_000;

thread_local! {
    static REFUSED: RefCell<HashSet<String>> = RefCell::default();
}

pub(crate) fn moment(look: &Look) -> Moment {
    Moment { now_ms: now_ms(), entropy: entropy(), last_epoch: look.last_epoch }
}

/// Carries out a change, and counts the publishes that are refused.
pub(crate) async fn carry_out(
    store: &Store,
    change: &Change,
    grant: &Grant,
    body: &[u8],
    policy: &Policy,
) -> Result<Reply, Error> {
    // A publish with tallies writes them in any case: it is decided once, under the lock. But a
    // publisher that continues after a refusal must not hold the lock that all channels share.
    let is_refused_lately = REFUSED.with_borrow(|refused| refused.contains(store.name()));
    let changed = if is_refused_lately || change.tallies(grant, policy).is_empty() {
        write_or_lock(store, change, grant, body, policy).await
    } else {
        write_locked(store, change, grant, body, policy).await
    };
    if let Err(error) = &changed {
        count(store, |activity| activity.count_refused(Some(change), error));
    }
    REFUSED.with_borrow_mut(|refused| {
        if changed.is_ok() {
            refused.remove(store.name());
        } else if refused.len() < MOST_REFUSED {
            refused.insert(store.name().into());
        }
    });
    changed
}

/// Decides on the channel as it is, writes if it still is so, and decides again under the lock if
/// it is not.
async fn write_or_lock(
    store: &Store,
    change: &Change,
    grant: &Grant,
    body: &[u8],
    policy: &Policy,
) -> Result<Reply, Error> {
    let mut look = store.load().await.map_err(internal)?;
    let connection = shared().await.map_err(internal)?;
    check_access(&connection, store, &look, grant).await?;
    if matches!(change, Change::Append(_)) {
        slide(&connection, store, &mut look, None).await?;
    }
    let tallies =
        store.known(&connection, &look, change.tallies(grant, policy)).await.map_err(internal)?;
    match decide_change(change, grant, body, look.channel(), &tallies, policy, moment(&look))? {
        ChangeDecision::Write(Write::Nothing(reply)) => return Ok(reply),
        ChangeDecision::Write(Write::Commit(commit, reply)) => {
            if let Some(before) = &look.stored
                && !commit.is_channel_changed
                && commit.tallies.is_empty()
                && store.append(before, &commit).await.map_err(internal)?
            {
                retain(store, &commit, before.id, policy).await;
                sweep();
                return Ok(reply);
            }
        }
        ChangeDecision::Write(Write::Delete(_)) | ChangeDecision::Erase(_) => {}
    }
    write_locked(store, change, grant, body, policy).await
}

/// Takes the write lock, decides and writes.
async fn write_locked(
    store: &Store,
    change: &Change,
    grant: &Grant,
    body: &[u8],
    policy: &Policy,
) -> Result<Reply, Error> {
    let (transaction, mut look) = store.lock().await.map_err(internal)?;
    let connection = transaction.connection();
    let mut has_slid = false;
    let decided = async {
        check_access(connection, store, &look, grant).await?;
        if matches!(change, Change::Append(_)) {
            has_slid = slide(connection, store, &mut look, None).await?;
        }
        let tallies = store
            .known(connection, &look, change.tallies(grant, policy))
            .await
            .map_err(internal)?;
        match decide_change(change, grant, body, look.channel(), &tallies, policy, moment(&look))? {
            ChangeDecision::Write(write) => Ok(write),
            ChangeDecision::Erase(plan) => {
                let event = store.event(&transaction, &look, plan.seq).await.map_err(internal)?;
                let channel =
                    look.channel().ok_or_else(|| internal("an erasure without a channel"))?;
                plan.decide(channel, event, moment(&look))
            }
        }
    };
    let write = match decided.await {
        Ok(write) => write,
        Err(error) => {
            // A sliding TTL begins again whatever is decided, as without the lock.
            let ended =
                if has_slid { transaction.commit().await } else { transaction.roll_back().await };
            ended.map_err(internal)?;
            return Err(error);
        }
    };
    let (reply, commit) = match write {
        Write::Nothing(reply) => (reply, None),
        Write::Commit(commit, reply) => {
            if let Some(expired) = &look.expired {
                store.delete(&transaction, expired).await.map_err(internal)?;
            }
            store.write(&transaction, look.stored.as_ref(), &commit).await.map_err(internal)?;
            (reply, Some(commit))
        }
        Write::Delete(reply) => {
            if let Some(stored) = &look.stored {
                store.delete(&transaction, stored).await.map_err(internal)?;
            }
            (reply, None)
        }
    };
    transaction.commit().await.map_err(internal)?;
    if let (Some(commit), Some(before)) = (commit, &look.stored) {
        retain(store, &commit, before.id, policy).await;
    }
    sweep();
    Ok(reply)
}

/// Takes what a member says of itself, if it says anything, and answers with those present. Two
/// that join at the same moment may pass the limit by one.
pub(crate) async fn members(
    store: &Store,
    presence: Presence,
    said: Option<Member>,
) -> Result<Reply, Error> {
    let now_ms = now_ms();
    let mut members = tidewire_core::members_at(&store.leases().await.map_err(internal)?, now_ms);
    if let Some(said) = said {
        let is_news = presence.update(&mut members, &said)?;
        if is_news || said.state.is_some() {
            store
                .put_member(&said, is_news, now_ms + presence.lease_ms, now_ms)
                .await
                .map_err(internal)?;
        }
    }
    Ok(presence_reply(&members))
}

/// Now and then, since each cut is a write of its own. A failure keeps more than it should, which
/// the next cut mends.
async fn retain(store: &Store, commit: &Commit, id: u64, policy: &Policy) {
    let channel = &commit.channel;
    if channel.is_due(commit.rows.len() as u64) && policy.retention.is_exceeded(channel, now_ms()) {
        let stored = Stored { id, channel: channel.clone() };
        if let Err(cause) = store.retain(&stored, &policy.retention, now_ms()).await {
            complain(Some(&store.hash()), format!("retention failed: {cause}"));
        }
    }
}
