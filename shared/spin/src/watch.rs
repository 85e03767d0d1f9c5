//! One question to the store per instance and tick, and one look at each channel that has changed,
//! shared by every reader of the instance: the watchman does both, and wakes the readers with news. A
//! new request accepts no look that began before it.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, Fuse, FusedFuture, FutureExt, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tidewire_core::{Channel, Lease, LocalFuture, Member, Page, PageLimit, Revocation, members_at};

use crate::batch::Batch;
use crate::bell::{Watchman, ring, ring_due, sleep};
use crate::clock::{Time, elapsed, next_tick, now_ms};
use crate::complain::complain;
use crate::pulse::{ask, is_calm, is_same, stir};
use crate::store::{ChannelStore, Look, Result, Store, Stored};

/// How soon a request checks again whether the look of another has completed.
const LANDING: Duration = Duration::from_millis(3);

/// Most pages of one look. A reader that is further behind reads the store itself.
const PAGES: usize = 4;

/// Bytes of recent events kept for readers that are slightly behind; other readers use the store.
const RECENT_BYTES: usize = 1024 * 1024;

thread_local! {
    static WATCHES: RefCell<HashMap<String, Rc<Watch>>> = RefCell::default();
}

/// This instance's knowledge of a channel. It is a cache: the store is the truth.
pub(crate) struct Watch {
    store: ChannelStore,
    limit: PageLimit,
    /// When the newest completed look began, `None` before the first.
    looked: Cell<Option<Duration>>,
    /// When the newest look began that has completed or failed.
    tried: Cell<Option<Duration>>,
    is_looking: Cell<bool>,
    /// How often a look has found something new.
    turn: Cell<u64>,
    /// The pulse of the channel at the newest completed look.
    pulse: RefCell<Option<String>>,
    known: RefCell<Known>,
    presence: RefCell<KnownPresence>,
    /// Version of the revocations, and the revocations in force.
    revocations: RefCell<(u64, Rc<[Revocation]>)>,
}

/// The members, as far as this instance knows.
#[derive(Default)]
struct KnownPresence {
    /// Version of the leases; `None` before the first look.
    version: Option<u64>,
    leases: Vec<Lease>,
    /// Replaced only if the readers must be notified.
    present: Rc<Vec<Member>>,
}

#[derive(Default)]
struct Known {
    stored: Option<Stored>,
    /// Position up to which events were read.
    seen: u64,
    recent: VecDeque<Rc<Batch>>,
}

impl Watch {
    /// The instance's watch of a channel.
    pub(crate) fn of(store: &ChannelStore, limit: PageLimit) -> Rc<Watch> {
        WATCHES.with_borrow_mut(|watches| {
            // A watch that no reader holds is stale.
            watches.retain(|_, watch| Rc::strong_count(watch) > 1);
            let make = || {
                Rc::new(Watch {
                    store: store.clone(),
                    limit,
                    looked: Cell::default(),
                    tried: Cell::default(),
                    is_looking: Cell::default(),
                    turn: Cell::default(),
                    pulse: RefCell::default(),
                    known: RefCell::default(),
                    presence: RefCell::default(),
                    revocations: RefCell::new((0, Rc::default())),
                })
            };
            Rc::clone(watches.entry(store.name().into()).or_insert_with(make))
        })
    }

    /// Returns once a look that began at this moment or later has completed, no matter which
    /// request made it: it includes everything acknowledged before. Requests that ask at the same
    /// time share one look.
    pub(crate) async fn look_since(&self, moment: Duration) -> Result<()> {
        while self.looked.get().is_none_or(|looked| looked < moment) {
            self.look().await?;
        }
        Ok(())
    }

    /// Where a page of the channel ends.
    pub(crate) fn limit(&self) -> PageLimit {
        self.limit
    }

    /// The channel as it was at the last read.
    pub(crate) fn stored(&self) -> Option<Stored> {
        self.known.borrow().stored.clone()
    }

    /// Records that the life of the channel was extended, so that other readers that share this
    /// look do not write it again.
    pub(crate) fn slid(&self, channel: &Channel) {
        if let Some(stored) = &mut self.known.borrow_mut().stored {
            stored.channel.expiry = channel.expiry;
        }
    }

    /// Position up to which events were read.
    pub(crate) fn seen(&self) -> u64 {
        self.known.borrow().seen
    }

    /// The recent batch that holds the events after a position.
    pub(crate) fn recent(&self, after: u64) -> Option<Rc<Batch>> {
        self.known
            .borrow()
            .recent
            .iter()
            .find(|batch| (batch.page.after..batch.page.end()).contains(&after))
            .map(Rc::clone)
    }

    /// How often a look has found something new: what a reader knows belongs to a turn.
    pub(crate) fn turn(&self) -> u64 {
        self.turn.get()
    }

    /// Returns once a look has found something that was not known at this turn, or at the first tick
    /// after `until`; sometimes earlier. Until then this reader may be the watchman.
    pub(crate) fn wait(&self, turn: u64, interval: Duration, until: Time) -> LocalFuture<'_, ()> {
        Box::pin(async move {
            while self.turn.get() == turn {
                if let Some(_watch) = Watchman::begin() {
                    return self.keep_watch(turn, interval, until).await;
                }
                sleep(self.store.name(), until).await;
                if until.has_come(Time::now()) {
                    return;
                }
            }
        })
    }

    /// Wakes at each tick, for all readers of the instance.
    async fn keep_watch(&self, turn: u64, interval: Duration, until: Time) {
        let mut timer = pin!(next_tick(interval));
        let mut round = pin!(Fuse::terminated());
        loop {
            match select(timer.as_mut(), round.as_mut()).await {
                Either::Left((tick, _)) => {
                    timer.set(next_tick(interval));
                    let now = Time::now();
                    ring_due(now);
                    // A store that takes long must not keep this reader.
                    if self.turn.get() != turn || until.has_come(now) {
                        return;
                    }
                    if round.is_terminated() {
                        round.set(look_around(tick, now).fuse());
                    }
                }
                Either::Right(_) if self.turn.get() != turn => return,
                Either::Right(_) => {}
            }
        }
    }

    /// Looks at the channel as of a tick, unless another request has.
    fn look_at(&self, tick: Duration) -> LocalFuture<'_, ()> {
        Box::pin(async move {
            while self.tried.get().is_none_or(|tried| tried < tick) {
                if let Err(cause) = self.look().await {
                    complain(
                        Some(&self.store.hash()),
                        format!("reading the store failed, the next tick retries: {cause}"),
                    );
                }
            }
        })
    }

    /// Whether a look could find something new.
    fn may_have_changed(&self, now: Time) -> bool {
        self.looked.get().is_none()
            || self.has_ended(now.now_ms())
            || !is_same(self.store.name(), self.pulse.borrow().as_deref())
    }

    /// Whether something has ended by itself that another instance may have renewed.
    fn has_ended(&self, now_ms: u64) -> bool {
        let known = self.known.borrow();
        known.stored.as_ref().is_some_and(|stored| stored.channel.is_expired(now_ms))
            || self.presence.borrow().leases.iter().any(|lease| lease.until_ms <= now_ms)
    }

    /// The state of the channel that its readers get.
    fn found(&self) -> Found {
        (self.stored(), Rc::clone(&self.presence.borrow().present), self.revocations())
    }

    /// Looks at the store, or waits a moment while another request does.
    fn look(&self) -> LocalFuture<'_, Result<()>> {
        Box::pin(async move {
            if self.is_looking.replace(true) {
                spin_sdk::time::sleep(LANDING).await;
                return Ok(());
            }
            let _looking = Looking { watch: self, before: self.found() };
            let began = Some(elapsed());
            let looked = self.read().await;
            self.tried.set(began);
            if looked.is_ok() {
                self.looked.set(began);
            }
            looked
        })
    }

    /// The members, once a look has read them.
    pub(crate) fn members(&self) -> Option<Rc<Vec<Member>>> {
        let presence = self.presence.borrow();
        presence.version.is_some().then(|| Rc::clone(&presence.present))
    }

    /// The revocations, as of the last look.
    pub(crate) fn revocations(&self) -> Rc<[Revocation]> {
        Rc::clone(&self.revocations.borrow().1)
    }

    async fn read_revocations(&self, version: u64) -> Result<()> {
        let is_known = self.revocations.borrow().0 == version;
        if !is_known {
            let revocations =
                if version == 0 { Vec::new() } else { self.store.revocations(None).await? };
            self.revocations.replace((version, revocations.into()));
        }
        Ok(())
    }

    /// Reads the members if one joined, changed or left, or if a known lease expired: another
    /// instance may have renewed it.
    async fn read_presence(&self, version: u64) -> Result<()> {
        let now_ms = now_ms();
        let is_over =
            |known: &KnownPresence| known.leases.iter().any(|lease| lease.until_ms <= now_ms);
        let is_known =
            Some(version) == self.presence.borrow().version && !is_over(&self.presence.borrow());
        if is_known {
            return Ok(());
        }
        let mut leases = if version == 0 { Vec::new() } else { self.store.leases().await? };
        leases.retain(|lease| lease.until_ms > now_ms);
        let present = members_at(&leases, now_ms);
        let mut known = self.presence.borrow_mut();
        (known.version, known.leases) = (Some(version), leases);
        if *known.present != present {
            known.present = Rc::new(present);
        }
        Ok(())
    }

    /// Reads up to the tail.
    async fn read(&self) -> Result<()> {
        if self.looked.get().is_none() {
            // No reader waits for earlier events.
            let look = self.store.load().await?;
            return self.take(look, None).await.map(|_| ());
        }
        for _ in 0..PAGES {
            let (look, page) = self.store.look(self.seen(), self.limit).await?;
            if self.take(look, Some(page)).await? {
                return Ok(());
            }
        }
        let mut known = self.known.borrow_mut();
        *known = Known::at_tail_of(known.stored.take());
        Ok(())
    }

    /// Stores the events of a read; returns whether they reach the tail.
    async fn take(&self, look: Look, page: Option<Page>) -> Result<bool> {
        self.read_presence(look.presence_version).await?;
        self.read_revocations(look.revocations_version).await?;
        self.pulse.replace(look.pulse);
        let mut known = self.known.borrow_mut();
        let Some(stored) = look.stored else {
            *known = Known::default();
            return Ok(true);
        };
        let is_same = known.stored.as_ref().is_none_or(|before| {
            before.id == stored.id && before.channel.epoch == stored.channel.epoch
        });
        let Some(page) = page.filter(|page| is_same && page.follows(&stored.channel)) else {
            // Created again, forked, or cut by retention: each reader compares it with its position.
            *known = Known::at_tail_of(Some(stored));
            return Ok(true);
        };
        if known
            .stored
            .as_ref()
            .is_some_and(|before| before.channel.revision != stored.channel.revision)
        {
            // An event was erased: the store has the current data.
            known.recent.clear();
        }
        let is_up_to_date = page.is_up_to_date(&stored.channel);
        known.seen = page.end();
        known.stored = Some(stored);
        if !page.events.is_empty() {
            known.recent.push_back(Rc::new(Batch::new(page)));
            known.forget_old();
        }
        Ok(is_up_to_date)
    }
}

impl Known {
    fn at_tail_of(stored: Option<Stored>) -> Known {
        let seen = stored.as_ref().map_or(0, |stored| stored.channel.tail);
        Known { stored, seen, recent: VecDeque::new() }
    }

    fn forget_old(&mut self) {
        let mut bytes = 0;
        let kept = self.recent.iter().rev().take_while(|batch| {
            bytes += batch.bytes();
            bytes <= RECENT_BYTES
        });
        let dropped = self.recent.len() - kept.count().max(1);
        self.recent.drain(..dropped);
    }
}

type Found = (Option<Stored>, Rc<Vec<Member>>, Rc<[Revocation]>);

/// A look that has begun.
struct Looking<'a> {
    watch: &'a Watch,
    before: Found,
}

impl Drop for Looking<'_> {
    /// If its request ends during the look, another must look; what was found so far counts.
    fn drop(&mut self) {
        self.watch.is_looking.set(false);
        let (stored, present, revocations) = self.watch.found();
        let is_same = stored == self.before.0
            && Rc::ptr_eq(&present, &self.before.1)
            && Rc::ptr_eq(&revocations, &self.before.2);
        if !is_same {
            self.watch.turn.set(self.watch.turn.get() + 1);
            ring(self.watch.store.name());
            stir();
        }
    }
}

/// Asks for news of all channels with readers here, and looks at the channels that have changed.
fn look_around(tick: Duration, now: Time) -> LocalFuture<'static, ()> {
    Box::pin(async move {
        let mut watches: Vec<_> = WATCHES.with_borrow(|watches| {
            watches.values().filter(|watch| Rc::strong_count(watch) > 1).cloned().collect()
        });
        // While events come to the only channel, a look suffices. A question costs less, but would
        // often be followed by a look.
        if watches.len() != 1 || !ChannelStore::REST.is_zero() || is_calm(tick) {
            ask(tick, watches.iter().map(|watch| watch.store.name().into()).collect()).await;
            watches.retain(|watch| watch.may_have_changed(now));
        }
        let looks = watches.iter().map(|watch| watch.look_at(tick));
        let mut looks: FuturesUnordered<_> = looks.collect();
        while looks.next().await.is_some() {}
    })
}
