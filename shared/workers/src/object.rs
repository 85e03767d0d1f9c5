//! The Durable Object of one channel.

mod presence;
mod tenant;

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use tidewire_core::{
    Activity, Change, ChangeDecision, Channel, ChannelName, ClientFrame, Commit, Error, ErrorKind, Framing, Function, Grant, Member, Moment, NameShape, Offset,
    Operation, Page, PageLimit, Policy, ReadDecision, Reply, Revocation, Right, Scope, Settings, Start, Subscribe, Tally, Trace, Transport, Write, ack_frame,
    decide_announce, decide_change, decide_head, decide_publish, decide_read, decide_revoke, decide_stats, error_frame, fault, next_cursor, policy_of,
    presence_reply,
};
use worker::{Date, Delay, Env, Headers, Request, Response, Result, State, WebSocket, WebSocketIncomingMessage, WebSocketPair, WebSocketRequestResponsePair};

use crate::close::{answer_close, is_closing};
use crate::handover::{Kept, MORE, NEXT_PAGE, binding, operation, task};
use crate::readers::{Reader, Readers};
use crate::refusal::{offers_subprotocol, refuse_upgrade, upgraded};
use crate::respond::{internal, refuse, respond};
use crate::store::Store;

/// One channel: its log, its readers. Made by [`channel_object!`](crate::channel_object) and called by nothing else.
///
/// Sleeps whenever no request is under way, however many readers it has; memory is rebuilt from SQLite and the sockets' attachments.
pub struct ChannelObject<F> {
    inner: Rc<Inner>,
    function: PhantomData<F>,
}

struct Inner {
    state: State,
    settings: Settings,
    policy: Policy,
    store: Store,
    readers: Readers,
    memory: RefCell<Memory>,
    /// When the object is woken next, as far as is known, in milliseconds since 1970; `u64::MAX` when it is not known.
    alarm_ms: Cell<u64>,
    env: Env,
    name: Option<ChannelName>,
    /// How often the channel vanished with its tenant while it was in memory.
    vanished: Cell<u64>,
    /// But for the readers, of whom [`Readers`] knows.
    activity: RefCell<Activity>,
}

/// What was read of the store, until something goes wrong with it.
#[derive(Default)]
struct Memory {
    is_loaded: bool,
    channel: Option<Channel>,
    /// Whether the store still has a channel that has expired.
    has_expired: bool,
    /// Epoch of the channel that was deleted last, so that the next is above it even within a millisecond.
    last_epoch: u64,
    revocations: Vec<Revocation>,
}

/// Longest event whatever the settings say, in bytes: the platform's row of 2 MB, less the other columns. Longer ones are refused with 413 like those above the setting.
const MAX_EVENT_BYTES: u64 = 2_000_000 - 1_024;

/// How long a reader that catches up may take to acknowledge. Only while it lasts the object stays awake for it.
const ACK_WAIT: Duration = Duration::from_secs(10);

/// Rights that end so soon after an alarm end with it: one alarm for many, and nobody stays longer than allowed.
const ENDS_TOGETHER_MS: u64 = 5_000;

type Answer<T> = std::result::Result<T, Error>;

impl<F: Function> ChannelObject<F> {
    /// The object of class `class`, which is logged: each construction is a wake from sleep or a first visit.
    pub fn new(class: &str, state: State, env: &Env) -> Self {
        worker::console_log!(r#"{{"event":"wake","class":"{class}"}}"#);
        // Answered by the platform: the object sleeps through it.
        if let Ok(pair) = WebSocketRequestResponsePair::new("ping", "pong") {
            state.set_websocket_auto_response(&pair);
        }
        // With settings that do not parse the Worker answers 500 and asks no object; sockets that were here before go on with the defaults.
        let mut settings = crate::serve::settings(env, None).unwrap_or_default();
        // With longer strides than that a reader that keeps up would be closed for an acknowledgement that it does not owe yet.
        settings.socket_ack_bytes = settings.socket_ack_bytes.min(settings.socket_window_bytes / 4);
        let (readers, behind) = Readers::restore(&state);
        let store = Store::new(state.storage());
        // A name of ours, and so one that parses; without one it is no channel under `demo-`.
        let name = state.id().name().and_then(|name| ChannelName::from_path(&name, NameShape::Path).ok());
        let mut policy = policy_of::<F>(name.as_ref(), &settings);
        policy.max_readers = policy.max_readers.min(Readers::MAX.into());
        policy.max_event_bytes = policy.max_event_bytes.min(MAX_EVENT_BYTES);
        let (alarm_ms, vanished, activity) = (Cell::new(u64::MAX), Cell::default(), RefCell::default());
        let inner =
            Rc::new(Inner { policy, state, settings, store, readers, memory: RefCell::default(), alarm_ms, env: env.clone(), name, vanished, activity });
        for (socket, reader) in behind {
            // A Worker that was told of more asks by itself.
            if reader.framing == Framing::TidewireV1 && inner.go_on(&socket, reader).is_err() {
                inner.readers.remove(&socket);
            }
        }
        ChannelObject { inner, function: PhantomData }
    }

    /// Carries out what the Worker handed over.
    pub async fn fetch(&self, mut request: Request) -> Result<Response> {
        if let Some(task) = task(request.headers())? {
            return self.inner.carry_out(task, &binding(request.headers())?).await;
        }
        let (operation, grant, trace) = operation(request.headers())?;
        let offers_subprotocol = offers_subprotocol(request.headers())?;
        let body = if operation.has_body() { request.bytes().await? } else { Vec::new() };
        self.inner.ring_for_expired().await?;
        // The last wait before the decision: from here on nothing comes between.
        self.inner.register(&operation, &grant, &binding(request.headers())?).await?;
        let answer = match self.inner.touched_by(&operation, &grant) {
            Err(error) => Err(error),
            Ok(channel) => match &operation {
                Operation::Read(read) => match decide_read(read, channel.as_ref(), &self.inner.policy, self.inner.moment()) {
                    Ok(ReadDecision::Reply(reply)) => Ok(reply),
                    Ok(ReadDecision::Page(plan)) => {
                        self.inner.page(plan.after, plan.limit(self.inner.policy.page)).map(|(channel, page)| plan.reply(&channel, &page))
                    }
                    Ok(ReadDecision::Subscribe(subscribe)) => match self.inner.subscribe(subscribe, grant, trace.clone(), offers_subprotocol) {
                        Ok(response) => match self.inner.wake_for_readers().await {
                            Ok(()) => return Ok(response),
                            Err(error) => Err(error),
                        },
                        Err(error) => Err(error),
                    },
                    Err(error) => Err(error),
                },
                Operation::Change(change) => self.inner.change(change, channel, &grant, &body).await,
                Operation::Head => decide_head(channel.as_ref(), &self.inner.policy),
                Operation::Members => self.inner.policy.presence().and_then(|presence| self.inner.members(presence)).map(|members| presence_reply(&members)),
                Operation::Announce => decide_announce(&body, &self.inner.policy)
                    .and_then(|(presence, said)| self.inner.announce(presence, said, None))
                    .map(|members| presence_reply(&members)),
                Operation::Revoke => match decide_revoke(&body, Date::now().as_millis()) {
                    Ok((revocation, reply)) => self.inner.revoke(revocation).await.map(|()| reply),
                    Err(error) => Err(error),
                },
                Operation::Stats { is_text } => decide_stats(*is_text, channel.as_ref()).map(|stats| {
                    let name = self.inner.name.as_ref().map_or("", ChannelName::as_str);
                    stats.reply(F::NAME, name, Scope::Channel, &self.inner.activity())
                }),
            },
        };
        if let Err(error) = &answer {
            self.inner.count_refused(&operation, error);
        }
        if let (Err(error), Some(trace)) = (&answer, &trace) {
            worker::console_log!("{}", trace.refused(error, Date::now().as_millis()));
        }
        match (answer, &operation) {
            (Ok(reply), _) => respond(reply),
            (Err(error), Operation::Read(read)) if read.transport == Transport::WebSocket => refuse_upgrade(&error, offers_subprotocol),
            (Err(error), _) => refuse(&error),
        }
    }

    /// Ends what has come to its end: readers' rights, revocations, the channel itself. One that was read or written meanwhile has another end: an alarm that
    /// followed each of them would be a write each.
    pub async fn alarm(&self) -> Result<Response> {
        self.inner.alarm_ms.set(u64::MAX);
        // The platform rings again when it failed.
        self.inner.ring().await.map_err(|error| worker::Error::RustError(error.to_string()))?;
        Response::empty()
    }

    /// A frame of a client, or a Worker's request for the next page.
    pub fn websocket_message(&self, socket: &WebSocket, message: WebSocketIncomingMessage) -> Result<()> {
        // What follows a bad frame, a revocation or the end is not carried out: it could not be acknowledged.
        let Some(reader) = Readers::get(socket).filter(|_| !is_closing(socket)) else { return Ok(()) };
        match message {
            WebSocketIncomingMessage::String(text) if reader.framing == Framing::TidewireV1 => self.inner.client_frame(socket, &reader, &text),
            WebSocketIncomingMessage::String(text) if text == NEXT_PAGE => self.inner.catch_up(socket),
            WebSocketIncomingMessage::String(_) => {}
            WebSocketIncomingMessage::Binary(_) => self.inner.refuse_frame(socket, &Error::new(ErrorKind::FrameInvalid, "frames are text"), 1003),
        }
        Ok(())
    }

    /// A reader closed its socket, or answers the close of the object.
    pub async fn websocket_closed(&self, socket: &WebSocket, code: u16) {
        self.websocket_gone(socket, code);
        answer_close(socket, code).await;
    }

    /// A reader left. Not an error.
    pub fn websocket_gone(&self, socket: &WebSocket, code: u16) {
        self.inner.readers.remove(socket);
        self.inner.leave(socket);
        self.inner.count_overflow(socket, code);
        self.inner.log_end(socket, code);
    }
}

impl Inner {
    fn moment(&self) -> Moment {
        Moment { now_ms: Date::now().as_millis(), entropy: entropy(), last_epoch: self.memory.borrow().last_epoch }
    }

    /// The channel as the store has it, without what retention no longer keeps; `None` also when it has expired.
    fn channel(&self) -> Answer<Option<Channel>> {
        let mut memory = self.memory.borrow_mut();
        if !memory.is_loaded {
            memory.channel = self.store.load().map_err(|cause| internal(&cause))?;
            memory.revocations = self.store.revocations().map_err(|cause| internal(&cause))?;
            memory.is_loaded = true;
        }
        let now_ms = Date::now().as_millis();
        if let Some(expired) = memory.channel.take_if(|channel| channel.is_expired(now_ms)) {
            memory.has_expired = true;
            memory.last_epoch = expired.epoch;
            self.readers.close_everyone(3010, "channel-expired");
        }
        if let Some(channel) = &memory.channel
            && self.policy.retention.is_exceeded(channel, now_ms)
        {
            let kept = self.store.retain(channel, &self.policy.retention, now_ms).map_err(|cause| internal(&cause))?;
            memory.channel = Some(kept);
        }
        Ok(memory.channel.clone())
    }

    /// The channel, whose sliding TTL begins again with what is about to be done.
    fn touched(&self) -> Answer<Option<Channel>> {
        let channel = self.channel()?;
        let Some(slid) = channel.as_ref().and_then(|channel| channel.slid(Date::now().as_millis())) else { return Ok(channel) };
        self.store.touch(&slid).map_err(|cause| internal(&cause))?;
        self.memory.borrow_mut().channel = Some(slid.clone());
        Ok(Some(slid))
    }

    /// The alarm removes what is stored of an expired channel. Set anew by whoever meets it, since the platform gives an alarm up that has failed often enough.
    async fn ring_for_expired(&self) -> Result<()> {
        // A store that cannot be read is told of where it is read next.
        let is_there = self.channel().is_ok() && std::mem::take(&mut self.memory.borrow_mut().has_expired);
        if is_there { self.wake_at(0).await } else { Ok(()) }
    }

    /// As [`wake_in_time`](Inner::wake_in_time), where a client's right ends at all: others cost no alarm.
    async fn wake_for_readers(&self) -> Answer<()> {
        if self.readers.next_end_ms() == u64::MAX { Ok(()) } else { self.wake_in_time().await }
    }

    /// Has the object woken when something ends. It has one alarm, which is set to what ends first; whoever comes later and ends later costs nothing.
    async fn wake_in_time(&self) -> Answer<()> {
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

    async fn ring(&self) -> Answer<()> {
        let now_ms = Date::now().as_millis();
        for socket in self.readers.ended(&self.state, now_ms + ENDS_TOGETHER_MS) {
            self.end(&socket, Framing::TidewireV1, 3005, ErrorKind::CredentialExpired.code());
        }
        let channel = self.channel()?;
        self.prune_revocations(now_ms)?;
        if channel.is_none() && self.store.is_over().map_err(|cause| internal(&cause))? {
            self.clear().await?;
        }
        self.wake_in_time().await
    }

    fn prune_revocations(&self, now_ms: u64) -> Answer<()> {
        self.memory.borrow_mut().revocations.retain(|revocation| revocation.until_ms > now_ms);
        self.store.prune_revocations(now_ms).map_err(|cause| internal(&cause))
    }

    /// Removes all that is stored. Revocations stay in force: a channel that is made anew is no way back.
    async fn clear(&self) -> Answer<()> {
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

    /// The line of a reader that is gone. It had all up to the tail, unless it was catching up.
    fn log_end(&self, socket: &WebSocket, code: u16) {
        let Some(mut reader) = Readers::get(socket) else { return };
        let Some((trace, from)) = reader.trace.take() else { return };
        let channel = self.channel().ok().flatten();
        let to = channel.map_or(from, |channel| channel.offset(reader.after.unwrap_or(channel.tail)));
        worker::console_log!("{}", trace.ended(from, to, code, Date::now().as_millis()));
        // An error and a close may both tell of one end. What is closed may take no attachment any more, and is told of once then.
        let _ = socket.serialize_attachment(&reader);
    }

    fn activity(&self) -> Activity {
        Activity { readers: self.readers.by_framing(), ..self.activity.borrow().clone() }
    }

    fn count_refused(&self, operation: &Operation, error: &Error) {
        let mut activity = self.activity.borrow_mut();
        activity.refusals += u64::from(matches!(operation, Operation::Change(Change::Append(_))));
        activity.gaps += u64::from(error.kind() == ErrorKind::OffsetGone);
    }

    /// A Worker says so when a stream's queue was full. Of a client's own socket the object decides, and has counted it.
    fn count_overflow(&self, socket: &WebSocket, code: u16) {
        let is_held = code == 3008 && Readers::get(socket).is_some_and(|reader| reader.framing != Framing::TidewireV1);
        self.activity.borrow_mut().drops += u64::from(is_held);
    }

    /// Whether a client still has access.
    fn admit(&self, grant: &Grant) -> Answer<()> {
        if grant.until_ms.is_none() {
            return Ok(());
        }
        self.channel()?;
        grant.check_access(&self.memory.borrow().revocations, Date::now().as_millis())
    }

    /// Keeps a revocation and ends the connections that it concerns.
    async fn revoke(&self, revocation: Revocation) -> Answer<()> {
        let now_ms = Date::now().as_millis();
        self.prune_revocations(now_ms)?;
        self.store.put_revocation(&revocation).map_err(|cause| internal(&cause))?;
        for socket in self.state.get_websockets() {
            if let Some(reader) = Readers::get(&socket).filter(|reader| reader.grant.is_revoked(&revocation, now_ms)) {
                self.end(&socket, reader.framing, 3507, ErrorKind::AccessDenied.code());
            }
        }
        self.memory.borrow_mut().revocations.push(revocation);
        self.wake_in_time().await
    }

    /// The channel for an operation of a client that still has access; a sliding TTL begins again where the operation says so.
    fn touched_by(&self, operation: &Operation, grant: &Grant) -> Answer<Option<Channel>> {
        self.admit(grant)?;
        if operation.slides() { self.touched() } else { self.channel() }
    }

    /// Carries out a change. Nothing comes between the decision and the write.
    async fn change(&self, change: &Change, channel: Option<Channel>, grant: &Grant, body: &[u8]) -> Answer<Reply> {
        let tallies = self.known(change.tallies(grant, &self.policy))?;
        let write = match decide_change(change, body, channel.as_ref(), &tallies, &self.policy, self.moment())? {
            ChangeDecision::Write(write) => write,
            ChangeDecision::Erase(plan) => {
                let event = self.store.event(plan.seq).map_err(|cause| internal(&cause))?;
                plan.decide(&self.present()?, event, self.moment())?
            }
        };
        match write {
            Write::Nothing(reply) => Ok(reply),
            Write::Commit(commit, reply) => {
                let is_new = commit.is_new;
                self.commit(*commit)?;
                if is_new {
                    self.wake_in_time().await?;
                }
                Ok(reply)
            }
            Write::Delete(reply) => self.delete().await.map(|()| reply),
        }
    }

    /// What the channel knows of who publishes.
    fn known(&self, mut tallies: Vec<Tally>) -> Answer<Vec<Tally>> {
        for tally in &mut tallies {
            tally.known = self.store.producer(&tally.id).map_err(|cause| internal(&cause))?;
        }
        Ok(tallies)
    }

    /// Stores, then wakes. The platform's output gate holds every send and every answer back until the write is durable.
    fn commit(&self, commit: Commit) -> Answer<Channel> {
        if let Err(cause) = self.store.commit(&commit) {
            // Nothing was written; what memory holds may be why.
            self.memory.borrow_mut().is_loaded = false;
            return Err(internal(&cause));
        }
        let Commit { channel, rows, .. } = commit;
        self.memory.borrow_mut().channel = Some(channel.clone());
        let after = channel.tail - rows.len() as u64;
        let events: Vec<_> = rows.into_iter().map(|row| row.event).collect();
        self.fan_out(&channel, &Page { after, events });
        Ok(channel)
    }

    /// A commit that makes the channel, whose end is set in the same turn.
    fn commit_new(self: &Rc<Self>, commit: Commit) -> Answer<Channel> {
        let channel = self.commit(commit)?;
        if channel.expiry.is_some() {
            let inner = Rc::clone(self);
            self.state.wait_until(async move {
                if let Err(error) = inner.wake_in_time().await {
                    // Whoever meets the expired channel sets it again.
                    worker::console_error!("{}", fault(None, format!("the end of a channel is not set: {error}")));
                }
            });
        }
        Ok(channel)
    }

    fn fan_out(&self, channel: &Channel, page: &Page) {
        let cursor = self.cursor();
        for framing in Framing::ALL {
            let Some(sockets) = self.readers.live(framing) else { continue };
            let text = framing.batch(channel, page.after, &page.events, cursor);
            if framing == Framing::TidewireV1 {
                for slow in self.readers.send_in_window(sockets, &text, page.end(), self.settings.socket_window_bytes) {
                    self.close_slow(&slow);
                }
            } else if !text.is_empty() {
                Readers::send(sockets, &text);
            }
            if channel.closed {
                let closing = framing.closing(channel);
                if !closing.frame.is_empty() {
                    Readers::send(sockets, &closing.frame);
                }
                Readers::close(sockets, closing.code, closing.reason);
            }
        }
        // A long poll has its answer.
        if let Some(sockets) = self.readers.live(Framing::News) {
            sockets.clear();
        }
    }

    async fn delete(&self) -> Answer<()> {
        {
            let mut memory = self.memory.borrow_mut();
            if let Some(channel) = memory.channel.take() {
                memory.last_epoch = channel.epoch;
            }
        }
        self.readers.close_everyone(3010, "channel-deleted");
        self.clear().await
    }

    fn page(&self, after: u64, limit: PageLimit) -> Answer<(Channel, Page)> {
        let channel = self.present()?;
        let page = self.read(&channel, after, limit)?;
        Ok((channel, page))
    }

    /// A page, without touching the store when the position is the tail.
    fn read(&self, channel: &Channel, after: u64, limit: PageLimit) -> Answer<Page> {
        if after >= channel.tail {
            return Ok(Page { after, events: Vec::new() });
        }
        self.store.page(after, limit).map_err(|cause| internal(&cause))
    }

    /// The channel, or what stands for it until its first publish.
    fn present(&self) -> Answer<Channel> {
        let channel = self.channel()?;
        channel.or_else(|| self.policy.absent()).ok_or_else(|| Error::new(ErrorKind::ChannelNotFound, "the channel was deleted"))
    }

    fn subscribe(self: &Rc<Self>, subscribe: Subscribe, grant: Grant, trace: Option<Trace>, offers_subprotocol: bool) -> Answer<Response> {
        if u64::from(self.readers.count()) >= self.policy.max_readers {
            return Err(Error::too_many_readers(self.policy.max_readers));
        }
        let channel = self.present()?;
        let snapshot = match self.policy.presence {
            Some(presence) if subscribe.framing.carries_presence() => subscribe.framing.presence(&self.members(presence)?, true),
            _ => None,
        };
        // A long poll is a request: its answer is its end.
        let trace = trace.filter(|_| subscribe.framing != Framing::News).map(|trace| (trace, channel.offset(subscribe.after)));
        let after = Some(subscribe.after);
        let reader = Reader { framing: subscribe.framing, after, grant, member: None, is_windowed: false, is_waiting: false, trace };
        self.keep(&channel, subscribe, snapshot, reader, offers_subprotocol).map_err(|cause| internal(&cause))
    }

    fn keep(self: &Rc<Self>, channel: &Channel, subscribe: Subscribe, snapshot: Option<String>, reader: Reader, offers_subprotocol: bool) -> Result<Response> {
        let Subscribe { framing, after, gap, cursor } = subscribe;
        let pair = WebSocketPair::new()?;
        self.state.accept_web_socket(&pair.server);
        let is_windowed = framing == Framing::TidewireV1 && offers_subprotocol;
        if is_windowed {
            self.readers.window.open(pair.server.as_ref(), false);
        }
        let ack_bytes = is_windowed.then_some(self.settings.socket_ack_bytes);
        let greeting = framing.greeting(channel, after, gap, self.settings.retry_ms, entropy(), ack_bytes);
        self.activity.borrow_mut().gaps += u64::from(gap.is_some());
        for frame in greeting.into_iter().chain(gap.and_then(|gap| framing.gap(gap, cursor))).chain(snapshot) {
            pair.server.send_with_str(frame)?;
        }
        let reader = Reader { is_windowed, ..reader };
        self.readers.note_end(&reader);
        self.send_page(&pair.server, reader, cursor)?;
        let headers = match framing {
            // This answer goes to the client as it is.
            Framing::TidewireV1 => Headers::new(),
            _ => Kept { content_type: channel.content_type.clone(), offset: channel.offset(after), cursor }.write()?,
        };
        upgraded(pair.client, offers_subprotocol, headers)
    }

    /// The next page of a reader that is catching up, wherever it is.
    fn catch_up(self: &Rc<Self>, socket: &WebSocket) {
        let Some(reader) = Readers::get(socket).filter(|reader| reader.after.is_some()) else { return };
        if self.send_page(socket, reader, self.cursor()).is_err() {
            // It left in mid-catch-up.
            self.readers.remove(socket);
        }
    }

    /// Sends one page. The page that reaches the tail and the switch to live are one turn, so nothing can fall between them.
    fn send_page(self: &Rc<Self>, socket: &WebSocket, mut reader: Reader, cursor: u64) -> Result<()> {
        let framing = reader.framing;
        reader.is_waiting = false;
        let Some(after) = reader.after.take().filter(|_| framing != Framing::News) else {
            return self.readers.set(socket, &reader);
        };
        let mut limit = self.policy.page;
        if reader.is_windowed {
            // With what is not acknowledged yet, and what framing adds, it fits the window.
            limit.max_bytes = limit.max_bytes.min(self.settings.socket_window_bytes / 2);
        }
        let read = self.present().and_then(|channel| {
            // Retention may have passed the reader since its last page.
            let position = channel.position(Start::After(channel.offset(after)));
            let page = self.read(&channel, position.after, limit)?;
            Ok((channel, position.gap, page))
        });
        let (channel, gap, page) = match read {
            Ok(read) => read,
            Err(error) => {
                self.readers.remove(socket);
                return socket.close(Some(error.close_code()), Some(error.close_reason()));
            }
        };
        if let Some(frame) = gap.and_then(|gap| framing.gap(gap, cursor)) {
            self.activity.borrow_mut().gaps += 1;
            socket.send_with_str(frame)?;
        }
        let batch = framing.batch(&channel, page.after, &page.events, cursor);
        let mut pending = 0.0;
        if !batch.is_empty() {
            pending = self.readers.window.send_page(socket.as_ref(), &batch, page.end() as f64)?;
        }
        if !page.is_up_to_date(&channel) {
            reader.after = Some(page.end());
            reader.is_waiting = pending >= self.settings.socket_ack_bytes as f64;
            self.readers.set(socket, &reader)?;
            return self.go_on(socket, reader);
        }
        if channel.closed {
            let closing = framing.closing(&channel);
            if !closing.frame.is_empty() {
                socket.send_with_str(closing.frame)?;
            }
            self.readers.remove(socket);
            return socket.close(Some(closing.code), Some(closing.reason));
        }
        self.readers.set(socket, &reader)
    }

    /// How a reader that is behind comes to its next page: a Worker asks for it when it has written this one out; a client, which cannot be
    /// asked, gets it in a later turn, so that others have theirs between, or once it has acknowledged what it got.
    fn go_on(self: &Rc<Self>, socket: &WebSocket, reader: Reader) -> Result<()> {
        if reader.framing != Framing::TidewireV1 {
            return socket.send_with_str(MORE);
        }
        let (inner, socket) = (Rc::clone(self), socket.clone());
        self.state.wait_until(async move {
            if !reader.is_waiting {
                Delay::from(Duration::ZERO).await;
                return inner.catch_up(&socket);
            }
            // One that never acknowledges gets on as well: it has what was sent, and resumes.
            Delay::from(ACK_WAIT).await;
            if Readers::get(&socket).is_some_and(|now| now.is_waiting && now.after == reader.after) {
                inner.close_slow(&socket);
            }
        });
        Ok(())
    }

    /// The reader has everything up to an offset, or says so: it is its own window.
    fn acknowledge(self: &Rc<Self>, socket: &WebSocket, reader: &Reader, offset: Offset) {
        // Whoever has read nothing of a channel that did not exist has acknowledged none of its events.
        let seq = if offset == Offset::ABSENT { 0 } else { offset.seq };
        let pending = self.readers.window.acknowledge(socket.as_ref(), seq as f64);
        if reader.is_waiting && pending < self.settings.socket_ack_bytes as f64 {
            self.catch_up(socket);
        }
    }

    /// Closes a reader that is slower than its channel. What it was sent still reaches it; from there it resumes.
    fn close_slow(&self, socket: &WebSocket) {
        self.activity.borrow_mut().drops += 1;
        self.end(socket, Framing::TidewireV1, 3008, "slow");
    }

    /// Ends one reader, and tells it why where its framing can.
    fn end(&self, socket: &WebSocket, framing: Framing, code: u16, reason: &'static str) {
        self.readers.remove(socket);
        // It may have left already.
        let _ = framing.close(code, reason).map_or(Ok(()), |frame| socket.send_with_str(frame)).and_then(|()| socket.close(Some(code), Some(reason)));
    }

    fn client_frame(self: &Rc<Self>, socket: &WebSocket, reader: &Reader, text: &str) {
        let longest = self.settings.max_body_bytes;
        if text.len() as u64 > longest {
            let error = Error::new(ErrorKind::BodyTooLarge, format!("a frame has at most {longest} bytes, this one {}", text.len()));
            return self.refuse_frame(socket, &error, error.close_code());
        }
        // The alarm may not have rung yet, and what was sent before a revocation may come after it.
        let admitted = self.admit(&reader.grant);
        match ClientFrame::parse(text) {
            Ok(ClientFrame::Ack { offset }) => self.acknowledge(socket, reader, offset),
            Ok(ClientFrame::Publish { id, data, producer }) => {
                let published = admitted.clone().and_then(|()| reader.grant.demand(Right::Publish)).and_then(|()| self.touched()).and_then(|channel| {
                    let tallies = self.known(self.policy.tallies(&reader.grant, producer.as_ref()))?;
                    match decide_publish(&data, producer.as_ref(), channel.as_ref(), &tallies, &self.policy, self.moment())? {
                        Some(commit) if commit.is_new => self.commit_new(commit),
                        Some(commit) => self.commit(commit),
                        None => self.present(),
                    }
                });
                let answer = match published {
                    Ok(channel) => ack_frame(&id, channel.tail_offset()),
                    Err(error) => {
                        self.activity.borrow_mut().refusals += 1;
                        error_frame(Some(&id), &error)
                    }
                };
                // Whoever left meanwhile finds its event in the log.
                let _ = socket.send_with_str(answer);
            }
            Ok(ClientFrame::Presence { id, state }) => {
                let said =
                    admitted.clone().and_then(|()| reader.grant.demand(Right::Presence)).and_then(|()| Member::new(id, &state, self.policy.max_json_depth));
                if let Err(error) = said.and_then(|said| self.announce(self.policy.presence()?, said, Some(socket))) {
                    let _ = socket.send_with_str(error_frame(None, &error));
                }
            }
            Err(error) => return self.refuse_frame(socket, &error, error.close_code()),
        }
        if let Err(error) = admitted {
            self.end(socket, Framing::TidewireV1, error.close_code(), error.close_reason());
        }
    }

    /// Client and server disagree about the protocol: going on would only hide it.
    fn refuse_frame(&self, socket: &WebSocket, error: &Error, close_code: u16) {
        self.readers.remove(socket);
        // It may have left already.
        let _ = socket.send_with_str(error_frame(None, error)).and_then(|()| socket.close(Some(close_code), Some(error.close_reason())));
    }

    fn cursor(&self) -> u64 {
        next_cursor(Date::now().as_millis(), None, 0)
    }
}

/// Chance for what only has to differ: cache keys and reconnection times.
pub(crate) fn entropy() -> u32 {
    (js_sys::Math::random() * f64::from(u32::MAX)) as u32
}
