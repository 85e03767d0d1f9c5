//! One look at the store per channel, instance and tick, shared by every reader of the instance.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use spin_sdk::sqlite::Error;
use tidewire_core::{Channel, Framing, Lease, Member, Offset, Page, PageLimit, PagePlan, Reply, Revocation, Start, fault, present};

use crate::clock::{last_tick, next_tick, now_ms};
use crate::store::{Store, Stored};

/// How soon a reader looks again whether another's read has landed.
const LANDING: Duration = Duration::from_millis(3);

/// Bytes of recent events kept for readers that are a little behind; others read the store.
const RECENT_BYTES: usize = 1024 * 1024;

thread_local! {
    static WATCHES: RefCell<HashMap<String, Rc<Watch>>> = RefCell::default();
}

/// What this instance knows of a channel. A cache: the store is the truth.
pub(crate) struct Watch {
    store: Store,
    limit: PageLimit,
    /// The tick whose read has landed.
    landed: Cell<u64>,
    is_reading: Cell<bool>,
    known: RefCell<Known>,
    presence: RefCell<KnownPresence>,
    /// Version of the revocations, and those of them that are in force.
    revocations: RefCell<(u64, Rc<[Revocation]>)>,
}

/// Those present, as far as this instance knows.
#[derive(Default)]
struct KnownPresence {
    /// Version of the leases; `None` before the first look.
    version: Option<u64>,
    leases: Vec<Lease>,
    /// Another list only when the readers are to be told of it.
    present: Rc<Vec<Member>>,
}

#[derive(Default)]
struct Known {
    stored: Option<Stored>,
    /// Position up to which events were read.
    seen: u64,
    recent: VecDeque<Rc<Batch>>,
}

/// Events that one read brought, encoded once for each framing that asked.
pub(crate) struct Batch {
    pub(crate) page: Page,
    /// The channel as it was then.
    pub(crate) stored: Stored,
    encoded: RefCell<HashMap<Framing, Rc<str>>>,
}

impl Batch {
    /// What comes after a position within the batch. Encoded once for all that are at its beginning, which live readers are.
    pub(crate) fn encoded(&self, framing: Framing, after: u64, cursor: u64) -> Rc<str> {
        let encode = || framing.batch(&self.stored.channel, after, self.page.after(after), cursor).into();
        if after != self.page.after {
            return encode();
        }
        Rc::clone(self.encoded.borrow_mut().entry(framing).or_insert_with(encode))
    }

    /// The answer to a long poll at a position within the batch.
    pub(crate) fn reply(&self, plan: &PagePlan) -> Reply {
        let page = Page { after: plan.after, events: self.page.after(plan.after).to_vec() };
        plan.reply(&self.stored.channel, &page)
    }

    fn bytes(&self) -> usize {
        self.page.events.iter().map(|event| event.data.len()).sum()
    }
}

impl Watch {
    /// The instance's watch of a channel; `stored` is what the reader has just read.
    pub(crate) fn of(store: &Store, limit: PageLimit, stored: Option<&Stored>) -> Rc<Watch> {
        WATCHES.with_borrow_mut(|watches| {
            // A watch that no reader holds is stale.
            watches.retain(|_, watch| Rc::strong_count(watch) > 1);
            let make = || {
                let known = RefCell::new(Known::at_tail_of(stored));
                let (landed, is_reading) = (Cell::new(0), Cell::new(false));
                let revocations = RefCell::new((0, Rc::default()));
                Rc::new(Watch { store: store.clone(), limit, landed, is_reading, known, presence: RefCell::default(), revocations })
            };
            let watch = watches.entry(store.name().into()).or_insert_with(make);
            watch.known.borrow_mut().learn(stored);
            Rc::clone(watch)
        })
    }

    /// The watch of a channel that other readers keep fresh, for one that goes on from `offset`: it need not look at the store for itself. `None` for an offset that
    /// the last look does not hold; what that means only the store can tell.
    pub(crate) fn fresh(store: &Store, interval: Duration, offset: Offset) -> Option<Rc<Watch>> {
        let watch = WATCHES.with_borrow(|watches| watches.get(store.name()).cloned())?;
        let channel = watch.stored()?.channel;
        let holds = channel.position(Start::After(offset)).gap.is_none();
        (holds && watch.landed.get() >= last_tick(interval)).then_some(watch)
    }

    /// The channel as it was at the last read.
    pub(crate) fn stored(&self) -> Option<Stored> {
        self.known.borrow().stored.clone()
    }

    /// Takes note that the channel's end was put off, so that others which share this look do not write it again.
    pub(crate) fn slid(&self, channel: &Channel) {
        if let Some(stored) = &mut self.known.borrow_mut().stored {
            stored.channel.expiry = channel.expiry;
        }
    }

    /// Position up to which events were read.
    pub(crate) fn seen(&self) -> u64 {
        self.known.borrow().seen
    }

    /// The recent batch that holds what comes after a position.
    pub(crate) fn recent(&self, after: u64) -> Option<Rc<Batch>> {
        self.known.borrow().recent.iter().find(|batch| (batch.page.after..batch.page.end()).contains(&after)).map(Rc::clone)
    }

    /// Sleeps to the next tick and returns once its read has landed, whoever made it.
    pub(crate) async fn tick(&self, interval: Duration) {
        let tick = next_tick(interval).await;
        while self.landed.get() < tick {
            if self.is_reading.replace(true) {
                spin_sdk::time::sleep(LANDING).await;
                continue;
            }
            // A reader that leaves in mid-read lets the next one read.
            let _reading = Reading(&self.is_reading);
            if let Err(cause) = self.read().await {
                eprintln!("{}", fault(Some(&self.store.hash()), format!("a look failed, the next tick tries again: {cause}")));
            }
            self.landed.set(tick);
        }
    }

    /// Those present, once a look has told of them.
    pub(crate) fn present(&self) -> Option<Rc<Vec<Member>>> {
        let presence = self.presence.borrow();
        presence.version.is_some().then(|| Rc::clone(&presence.present))
    }

    /// Whose access was revoked, as of the last look.
    pub(crate) fn revocations(&self) -> Rc<[Revocation]> {
        Rc::clone(&self.revocations.borrow().1)
    }

    async fn read_revocations(&self, version: u64) -> Result<(), Error> {
        let is_known = self.revocations.borrow().0 == version;
        if !is_known {
            let revocations = if version == 0 { Vec::new() } else { self.store.revocations().await? };
            self.revocations.replace((version, revocations.into()));
        }
        Ok(())
    }

    /// Reads the members where somebody came, changed or left, or where a lease that this instance knows of ran out: it may have been renewed meanwhile.
    async fn read_presence(&self, version: u64) -> Result<(), Error> {
        let now_ms = now_ms();
        let is_over = |known: &KnownPresence| known.leases.iter().any(|lease| lease.until_ms <= now_ms);
        let is_known = Some(version) == self.presence.borrow().version && !is_over(&self.presence.borrow());
        if is_known {
            return Ok(());
        }
        let mut leases = if version == 0 { Vec::new() } else { self.store.leases().await? };
        leases.retain(|lease| lease.until_ms > now_ms);
        let present = present(&leases, now_ms);
        let mut known = self.presence.borrow_mut();
        (known.version, known.leases) = (Some(version), leases);
        if *known.present != present {
            known.present = Rc::new(present);
        }
        Ok(())
    }

    /// Reads up to the tail.
    async fn read(&self) -> Result<(), Error> {
        loop {
            let after = self.seen();
            let (look, page) = self.store.look(after, self.limit).await?;
            self.read_presence(look.presence_version).await?;
            self.read_revocations(look.revocations_version).await?;
            let mut known = self.known.borrow_mut();
            let Some(stored) = look.stored else {
                *known = Known::default();
                return Ok(());
            };
            let is_another = known.stored.as_ref().is_some_and(|before| before.id != stored.id);
            if is_another || !page.follows() {
                // Made anew, or cut by retention: each reader finds out for itself what that means to it.
                *known = Known::at_tail_of(Some(&stored));
                return Ok(());
            }
            if known.stored.as_ref().is_some_and(|before| before.channel.revision != stored.channel.revision) {
                // One of them was erased: the store has what is left.
                known.recent.clear();
            }
            let is_up_to_date = page.is_up_to_date(&stored.channel);
            known.seen = page.end();
            known.stored = Some(stored.clone());
            if !page.events.is_empty() {
                known.recent.push_back(Rc::new(Batch { page, stored, encoded: RefCell::default() }));
                known.forget_old();
            }
            if is_up_to_date {
                return Ok(());
            }
        }
    }
}

impl Known {
    fn at_tail_of(stored: Option<&Stored>) -> Known {
        let seen = stored.map_or(0, |stored| stored.channel.tail);
        Known { stored: stored.cloned(), seen, recent: VecDeque::new() }
    }

    /// Takes what a reader has read since the last tick where it is another channel: else the reader would be held to one that is gone. News of the
    /// same channel are left to the tick, which brings them to all at once.
    fn learn(&mut self, stored: Option<&Stored>) {
        match (&self.stored, stored) {
            // Those who waited for it are at the beginning, which the next tick reads from.
            (None, Some(stored)) => self.stored = Some(stored.clone()),
            (Some(known), Some(stored)) if known.id != stored.id => *self = Known::at_tail_of(Some(stored)),
            _ => {}
        }
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

struct Reading<'a>(&'a Cell<bool>);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
