//! One reader of a channel: an SSE stream, or a long poll.

use std::rc::Rc;
use std::time::Duration;

use tidewire_core::{
    Channel, CloseCode, Framing, Grant, Member, Offset, Page, PagePlan, Policy, Reply, Settings,
    Start, StreamLife, Subscribe, Then, Trace, Turn, next_cursor, opening,
};

use crate::activity::count;
use crate::clock::{Time, elapsed, entropy, now_ms};
use crate::complain::complain;
use crate::store::{ChannelStore, Result, Store, Stored};
use crate::watch::Watch;

/// A read of a client that has access.
pub(crate) struct Reading<'a> {
    pub(crate) store: &'a ChannelStore,
    pub(crate) grant: &'a Grant,
    pub(crate) trace: &'a Trace,
    pub(crate) policy: &'a Policy,
    pub(crate) settings: &'a Rc<Settings>,
}

/// How a long poll ended its wait.
pub(crate) enum News {
    /// The answer, from memory: one read of the store answers all waiting long polls.
    Reply(Reply),
    /// The answer needs the store.
    InStore,
    /// The deadline passed.
    None,
}

/// A reader at a position. No other request changes its state.
pub(crate) struct Reader {
    store: ChannelStore,
    watch: Rc<Watch>,
    settings: Rc<Settings>,
    framing: Framing,
    life: StreamLife,
    /// For the log line at its end.
    trace: Trace,
    began: Offset,
    /// Stands for the channel until its first publish.
    absent: Channel,
    epoch: u64,
    after: u64,
    /// The snapshot that comes next, in the place of the event of this number.
    snapshot: Option<u64>,
    cursor: u64,
    /// The frames to send before anything else.
    opening: Option<String>,
    /// Whether the current state was sent, even if there was nothing new.
    has_reported: bool,
    /// The members as last sent to it.
    told: Option<Rc<Vec<Member>>>,
}

impl Reader {
    /// A reader of the channel as it was `stored` at the watch's last read; `absent` stands for a
    /// channel that did not exist.
    pub(crate) fn new(
        reading: &Reading<'_>,
        watch: Rc<Watch>,
        subscribe: Subscribe,
        stored: Option<Stored>,
        absent: Channel,
    ) -> Reader {
        let Reading { store, grant, trace, settings, .. } = *reading;
        let Subscribe { framing, after, gap, snapshot, cursor } = subscribe;
        let channel = stored.as_ref().map_or(&absent, |stored| &stored.channel);
        // A reader is admitted after a look, which has read the members.
        let told = watch.members().filter(|_| store.has_presence() && framing.carries_presence());
        let members = told.as_ref().map(|members| members.as_slice());
        let opening =
            opening(&subscribe, channel, members, settings.retry_ms, entropy(), None).concat();
        count(store, |activity| {
            *activity.readers.entry(framing).or_default() += 1;
            activity.gaps += u64::from(gap.is_some());
        });
        Reader {
            epoch: channel.epoch,
            watch,
            store: store.clone(),
            framing,
            life: StreamLife::new(framing, grant.clone(), settings, now_ms()),
            trace: trace.clone(),
            began: channel.offset(after),
            absent,
            after,
            snapshot,
            cursor,
            opening: Some(opening).filter(|opening| !opening.is_empty()),
            has_reported: false,
            told,
            settings: Rc::clone(settings),
        }
    }

    /// Waits for an event after the position, for the channel's end or replacement, for the
    /// deadline, or for the end of the right to read.
    pub(crate) async fn wait_for_news(&self) -> News {
        let deadline = elapsed() + Duration::from_millis(self.settings.long_poll_ms);
        loop {
            let turn = self.watch.turn();
            if !self.life.has_access(&self.watch.revocations(), now_ms()) {
                return News::None;
            }
            let channel = self.watch.stored().map(|stored| stored.channel);
            if let Some(channel) = channel.as_ref().filter(|channel| self.is_in(channel))
                && let Some(batch) = self.watch.recent(self.after)
            {
                return News::Reply(
                    batch.reply(channel, &PagePlan::after_wait(self.after, self.cursor)),
                );
            }
            let is_same = channel.as_ref().map_or(0, |channel| channel.epoch) == self.epoch;
            if !is_same
                || channel.is_some_and(|channel| channel.tail > self.after || channel.closed)
            {
                return News::InStore;
            }
            let left = deadline.saturating_sub(elapsed());
            if left.is_zero() {
                return News::None;
            }
            let now = Time::now();
            let for_ms = self.life.access_left_ms(now.now_ms()).min(left.as_millis() as u64);
            self.watch.wait(turn, self.interval(), now.after_ms(for_ms)).await;
        }
    }

    /// The next chunk of the stream; `None` at its end.
    pub(crate) async fn next(&mut self) -> Option<String> {
        if let Some(opening) = self.opening.take() {
            return Some(opening);
        }
        loop {
            let (turn, now) = (self.watch.turn(), Time::now());
            let for_ms = match self.life.next(&self.watch.revocations(), now.now_ms()) {
                Turn::Listen { for_ms } => for_ms,
                Turn::Last(text) => return Some(text),
                Turn::Over => return None,
            };
            let news = self.news().await.unwrap_or_else(|cause| {
                // The reader resumes where it is: after an engine that is away, on this stream.
                if !cause.is_unavailable {
                    complain(Some(&self.store.hash()), format!("a stream ended: {cause}"));
                    self.life.end(CloseCode::TryAgain);
                }
                String::new()
            });
            if self.life.is_over() && news.is_empty() {
                return None;
            }
            if let Some(text) =
                Some(news).filter(|news| !news.is_empty()).or_else(|| self.presence_news())
            {
                self.life.sent(now_ms());
                return Some(text);
            }
            if let Some(heartbeat) = self.life.heartbeat(now_ms()) {
                return Some(heartbeat.into());
            }
            // A frame that it could not send now, it tries again at the next tick.
            let for_ms = if self.is_behind() { 0 } else { for_ms };
            self.watch.wait(turn, self.interval(), now.after_ms(for_ms)).await;
        }
    }

    /// Whether there is something that it has not sent.
    fn is_behind(&self) -> bool {
        let is_before = |stored: Stored| self.after < stored.channel.tail;
        self.snapshot.is_some() || self.watch.stored().is_some_and(is_before)
    }

    /// Whether the channel has its position: of its epoch, or before a fork.
    fn is_in(&self, channel: &Channel) -> bool {
        let position = Offset { epoch: self.epoch, seq: self.after };
        self.epoch == 0 || channel.present(position).epoch == channel.epoch
    }

    /// The news after the position, which moves past it; empty without any.
    async fn news(&mut self) -> Result<String> {
        let channel = self.watch.stored().map(|stored| stored.channel);
        if self.epoch != 0 && !channel.as_ref().is_some_and(|channel| self.is_in(channel)) {
            // Deleted, or created again: a new stream finds out which.
            self.life.end(CloseCode::ChannelDeleted);
            return Ok(String::new());
        }
        let channel = channel.unwrap_or_else(|| self.absent.clone());
        if self.epoch != 0 {
            self.epoch = channel.epoch;
        }
        if self.after < channel.tail {
            self.has_reported = true;
            if self.snapshot.is_none()
                && let Some(batch) = self.watch.recent(self.after)
            {
                self.epoch = channel.epoch;
                let text = batch.encoded(&channel, self.framing, self.after, self.cursor());
                self.moved(batch.page.end(), &channel);
                return Ok(text.as_ref().into());
            }
            return self.catch_up().await;
        }
        if !self.has_reported || channel.closed {
            self.has_reported = true;
            let text = self.framing.batch(&channel, self.after, &[], self.cursor());
            self.moved(self.after, &channel);
            return Ok(text);
        }
        Ok(String::new())
    }

    /// The members that joined, changed or left since the last frame; at first all members.
    fn presence_news(&mut self) -> Option<String> {
        let present = self
            .watch
            .members()
            .filter(|_| self.store.has_presence() && self.framing.carries_presence())?;
        let told = self.told.replace(Rc::clone(&present));
        match told {
            None => self.framing.presence(&present, true),
            Some(told) if Rc::ptr_eq(&told, &present) => None,
            Some(told) => self.framing.presence_news(&told, &present),
        }
    }

    /// A page of history from the store; empty without events, and the next tick follows.
    async fn catch_up(&mut self) -> Result<String> {
        let snapshot = self.snapshot;
        let (look, mut page) =
            self.store.look(snapshot.unwrap_or(self.after), self.watch.limit()).await?;
        self.snapshot = None;
        let Some(stored) = look.stored.filter(|stored| self.is_in(&stored.channel)) else {
            self.life.end(CloseCode::ChannelDeleted);
            return Ok(String::new());
        };
        let mut follows = page.follows(&stored.channel);
        if let Some(seq) = snapshot.filter(|_| follows) {
            match self.store.snapshot(&stored, seq).await? {
                Some(data) => page = Page::with_past(seq, data, page, self.watch.limit()),
                None => follows = false,
            }
        }
        let channel = stored.channel;
        self.epoch = channel.epoch;
        let cursor = self.cursor();
        if follows {
            let text = self.framing.batch(&channel, self.after, &page.events, cursor);
            self.moved(page.end(), &channel);
            return Ok(text);
        }
        // Retention passed the reader, or its snapshot was replaced: the next round has the place to
        // resume from.
        let reached = if snapshot.is_some() { 0 } else { self.after };
        let position = channel.position(Start::After(channel.offset(reached)));
        (self.after, self.snapshot) = (position.after, position.snapshot);
        let gap = position.gap.and_then(|gap| self.framing.gap(gap, cursor));
        count(&self.store, |activity| activity.gaps += u64::from(gap.is_some()));
        Ok(gap.unwrap_or_default())
    }

    fn moved(&mut self, to: u64, channel: &Channel) {
        self.after = to;
        if let Then::End(end) = Then::at(self.framing, channel, to) {
            self.life.end(end.code);
        }
    }

    /// The first cursor answers the one that the client sent; later ones depend only on the time.
    fn cursor(&mut self) -> u64 {
        std::mem::replace(&mut self.cursor, 0).max(next_cursor(now_ms(), None, 0))
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(self.settings.store_poll_ms)
    }
}

impl Drop for Reader {
    /// The stream ended, or its client left. A long poll is a request: its answer is its end.
    fn drop(&mut self) {
        count(&self.store, |activity| {
            activity.readers.entry(self.framing).and_modify(|readers| *readers -= 1);
        });
        if self.framing != Framing::News {
            let to = if self.epoch == 0 {
                self.began
            } else {
                Offset { epoch: self.epoch, seq: self.after }
            };
            println!(
                "{}",
                self.trace.ended(self.began, to, self.life.end_code().number(), now_ms())
            );
        }
    }
}
