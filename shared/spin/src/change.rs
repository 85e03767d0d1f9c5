//! A change of a channel: an append, its creation, its end, the erasure of an event. Also the
//! updates of members.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use spin_sdk::time::sleep;
use tidewire_core::{
    Awareness, Change, ChangeDecision, Channel, Commit, Error, Grant, Member, Moment, Policy,
    Presence, Reply, Write, decide_awareness, decide_change, members_at, presence_reply,
};

use crate::access::{Attempt, check_access, slide};
use crate::activity::count;
use crate::clock::{entropy, now_ms};
use crate::compact::compact;
use crate::complain::complain;
use crate::pulse::stir;
use crate::respond::internal;
use crate::store::{ChannelStore, Fault, Look, Placed, Store, Stored};
use crate::sweep::sweep;

/// Channels of which an instance remembers that their last publish was refused.
const MOST_REFUSED: usize = 1_000;

/// Most attempts of one change, where other writers are faster.
const ATTEMPTS: usize = 16;

thread_local! {
    static REFUSED: RefCell<HashSet<String>> = RefCell::default();
}

pub(crate) fn moment(look: &Look) -> Moment {
    Moment { now_ms: now_ms(), entropy: entropy(), last_epoch: look.last_epoch }
}

/// Carries out a change, and counts the publishes that are refused.
pub(crate) async fn carry_out(
    store: &ChannelStore,
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
    stir();
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
    store: &ChannelStore,
    change: &Change,
    grant: &Grant,
    body: &[u8],
    policy: &Policy,
) -> Result<Reply, Error> {
    let mut look = store.load().await?;
    match decide(store, None, &mut look, change, grant, body, policy).await? {
        ChangeDecision::Write(Write::Nothing(reply)) => return Ok(reply),
        ChangeDecision::Write(Write::Commit(mut commit, mut reply)) => {
            if let Some(before) = &look.stored
                && commit.adds_only_events()
                && let Some(placed) = store.append(before, &commit).await?
            {
                commit.place_after(placed.tail, placed.total, &mut reply);
                tidy(store, &commit, Some(before.id), policy).await;
                sweep();
                return Ok(reply);
            }
        }
        ChangeDecision::Write(Write::Delete(_)) | ChangeDecision::Erase(_) => {}
    }
    write_locked(store, change, grant, body, policy).await
}

/// Decides and writes in one attempt. Only an engine without a lock needs a second attempt.
async fn write_locked(
    store: &ChannelStore,
    change: &Change,
    grant: &Grant,
    body: &[u8],
    policy: &Policy,
) -> Result<Reply, Error> {
    for round in 0..ATTEMPTS {
        let (attempt, mut look) = store.begin().await?;
        let decided = async {
            match decide(store, Some(&attempt), &mut look, change, grant, body, policy).await? {
                ChangeDecision::Write(write) => Ok(write),
                ChangeDecision::Erase(plan) => {
                    let stored = look
                        .stored
                        .as_ref()
                        .ok_or_else(|| internal("an erasure without a channel"))?;
                    let event = store.event(&attempt, stored, plan.seq).await?;
                    plan.decide(&stored.channel, event, moment(&look))
                }
            }
        };
        let mut decided = decided.await;
        let is_written = match (&mut decided, &look.stored) {
            (Ok(Write::Commit(commit, reply)), _) => {
                let placed = store.commit(attempt, &look, commit).await?;
                if let Some(Placed { tail, total }) = placed {
                    commit.place_after(tail, total, reply);
                }
                placed.is_some()
            }
            (Ok(Write::Delete(_)), Some(stored)) => store.delete(attempt, stored).await?,
            // A sliding TTL begins again whatever is decided.
            _ => store.end(attempt).await.map(|()| true)?,
        };
        if !is_written {
            // Writers that lost at the same moment must not meet again.
            let most_ms = 1 << round.min(6);
            sleep(Duration::from_millis(u64::from(entropy()) % most_ms)).await;
            continue;
        }
        let write = decided?;
        if let Write::Commit(commit, _) = &write {
            let before = look.stored.as_ref().map(|before| before.id);
            tidy(store, commit, before, policy).await;
        }
        sweep();
        let (Write::Nothing(reply) | Write::Commit(_, reply) | Write::Delete(reply)) = write;
        return Ok(reply);
    }
    Err(Fault::unavailable(format!("other writers were faster in each of {ATTEMPTS} attempts"))
        .into())
}

/// Decides on a channel as it was looked at, for a client that still has access to it.
async fn decide(
    store: &ChannelStore,
    attempt: Option<&Attempt>,
    look: &mut Look,
    change: &Change,
    grant: &Grant,
    body: &[u8],
    policy: &Policy,
) -> Result<ChangeDecision, Error> {
    check_access(store, attempt, look, grant).await?;
    if matches!(change, Change::Append(_)) {
        slide(store, attempt, look, None).await?;
    }
    let mut tallies = change.tallies(grant, policy);
    if let Some(stored) = look.stored.as_ref().filter(|_| !tallies.is_empty()) {
        tallies = store.known(attempt, stored, tallies).await?;
    }
    decide_change(change, grant, body, look.channel(), &tallies, policy, moment(look))
}

/// Applies the update of a member, if there is one, and answers with the members. Two members that
/// join at the same moment may pass the limit by one.
pub(crate) async fn members(
    store: &ChannelStore,
    presence: Presence,
    said: Option<Member>,
) -> Result<Reply, Error> {
    let mut members = members_at(&store.leases().await?, now_ms());
    if let Some(said) = said {
        announce(store, presence, &mut members, &said).await?;
    }
    Ok(presence_reply(&members))
}

/// The work that follows a commit now and then. The id of a channel that the commit has created is
/// not known here, and the channel has nothing to drop.
async fn tidy(store: &ChannelStore, commit: &Commit, id: Option<u64>, policy: &Policy) {
    compact(store, commit, policy).await;
    if let Some(id) = id {
        retain(store, commit, id, policy).await;
    }
}

/// Carries out a request for the awareness of a document.
pub(crate) async fn awareness(
    store: &ChannelStore,
    asked: &Awareness,
    body: &[u8],
    channel: Option<&Channel>,
    policy: &Policy,
) -> Result<Reply, Error> {
    let presence = policy.presence()?;
    let mut members = members_at(&store.leases().await?, now_ms());
    let (said, reply) = decide_awareness(asked, body, channel, &members, policy)?;
    for said in said {
        announce(store, presence, &mut members, &said).await?;
    }
    Ok(reply)
}

async fn announce(
    store: &ChannelStore,
    presence: Presence,
    members: &mut Vec<Member>,
    said: &Member,
) -> Result<(), Error> {
    let is_news = presence.update(members, said)?;
    if is_news || said.state.is_some() {
        let now_ms = now_ms();
        store.put_member(said, is_news, now_ms + presence.lease_ms, now_ms).await?;
    }
    Ok(())
}

/// Now and then, since each cut is a write of its own. A failure keeps more than it should, which
/// the next cut mends.
async fn retain(store: &ChannelStore, commit: &Commit, id: u64, policy: &Policy) {
    let channel = &commit.channel;
    if channel.is_due(commit.rows.len() as u64) && policy.retention.is_exceeded(channel, now_ms()) {
        let stored = Stored { id, channel: channel.clone() };
        if let Err(cause) = store.retain(&stored, &policy.retention, now_ms()).await {
            complain(Some(&store.hash()), format!("retention failed: {cause}"));
        }
    }
}
