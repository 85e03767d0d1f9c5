//! The Durable Object of one channel.

mod alarm;
mod compact;
mod document;
mod fan_out;
mod frames;
mod presence;
mod push;
mod subscribe;
mod tenant;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use tidewire_core::{
    Activity, Burst, Change, ChangeDecision, Channel, ChannelName, CloseCode, Commit, Error,
    ErrorKind, FrameOutcome, Framing, Function, Grant, LocalFuture, Moment, NameShape, Operation,
    Page, PageLimit, PagePlan, Policy, ReadDecision, Reply, Revocation, Scope, Settings, Tally,
    Transport, Write, decide_announce, decide_change, decide_compaction, decide_head, decide_read,
    decide_revoke, decide_stats, next_cursor, policy_of, presence_reply,
};
use worker::{
    Env, Request, Response, Result, State, WebSocket, WebSocketIncomingMessage,
    WebSocketRequestResponsePair,
};

use self::document::DocumentCode;
use self::push::Pusher;
use crate::clock::{entropy, now_ms};
use crate::close::{answer_close, is_closing};
use crate::handover::{NEXT_PAGE, binding, offers_subprotocol, operation, task};
use crate::readers::{Reader, Readers};
use crate::refusal::refuse_upgrade;
use crate::respond::{internal, refuse, respond};
use crate::settings::settings;
use crate::store::Store;

/// One channel: its log, its readers. Only [`channel_object!`](crate::channel_object) creates and
/// calls it.
///
/// Sleeps whenever no request is active, however many readers it has; memory is rebuilt from SQLite
/// and the sockets' attachments.
pub struct ChannelObject {
    inner: Rc<Inner>,
}

struct Inner {
    /// Name of the function.
    function: &'static str,
    state: State,
    settings: Rc<Settings>,
    policy: Policy,
    store: Store,
    readers: Readers,
    memory: RefCell<Memory>,
    /// When the object wakes next, as far as known, in milliseconds since 1970; `u64::MAX` if
    /// unknown.
    alarm_ms: Cell<u64>,
    /// No delivery of Web Push before, in milliseconds since 1970.
    push_after_ms: Cell<u64>,
    /// The code of Web Push, if the function has it.
    pusher: Option<Pusher>,
    /// The code of shared documents, if the function has them.
    document_code: Option<DocumentCode>,
    env: Env,
    name: Option<ChannelName>,
    /// How often the channel was erased with its tenant while it was in memory.
    vanished: Cell<u64>,
    /// Except for the readers, which [`Readers`] holds.
    activity: RefCell<Activity>,
    /// What the document has, as far as it is known.
    summary: RefCell<Option<document::Summarized>>,
    /// The events that the live readers get together.
    burst: RefCell<Burst>,
    /// For what happens after the turn.
    this: Weak<Inner>,
}

/// The cached state of the store, until an operation on the store fails.
#[derive(Default)]
struct Memory {
    is_loaded: bool,
    channel: Option<Channel>,
    /// Whether the store still has an expired channel.
    has_expired: bool,
    /// Epoch of the channel that was deleted last, so that the next epoch is higher even within a
    /// millisecond.
    last_epoch: u64,
    revocations: Vec<Revocation>,
}

/// Longest event whatever the settings are, in bytes: the platform's row of 2 MB, less the other
/// columns. Longer events are refused with 413, like those above the setting.
const MAX_EVENT_BYTES: u64 = 2_000_000 - 1_024;

type Answer<T> = std::result::Result<T, Error>;

// Of these only `new` is generic, and those that wait are plain functions with a boxed future: a
// Worker has each of them once, however many classes it has.
impl ChannelObject {
    /// The object of class `class`, which is logged: each construction is a wake from sleep or a
    /// first request.
    pub fn new<F: Function>(class: &str, state: State, env: &Env) -> Self {
        let pusher = if F::WEB_PUSH { Some(Pusher::NEW) } else { None };
        let document_code = if matches!(F::CHANNEL_NAMES, NameShape::Document) {
            Some(DocumentCode::NEW)
        } else {
            None
        };
        Self::restore(class, F::NAME, policy_of::<F>, (pusher, document_code), state, env)
    }

    fn restore(
        class: &str,
        function: &'static str,
        policy_of: fn(Option<&ChannelName>, &Settings) -> Policy,
        (pusher, document_code): (Option<Pusher>, Option<DocumentCode>),
        state: State,
        env: &Env,
    ) -> Self {
        worker::console_log!(r#"{{"event":"wake","class":"{class}"}}"#);
        // The platform answers it: the object sleeps through it.
        if let Ok(pair) = WebSocketRequestResponsePair::new("ping", "pong") {
            state.set_websocket_auto_response(&pair);
        }
        // With settings that do not parse the Worker answers 500 and asks no object; sockets that
        // were here before go on with the defaults.
        let settings = settings(env, None).unwrap_or_default();
        let (readers, behind) = Readers::restore(&state);
        // The name is ours and therefore parses; without a name the channel is not under `demo-`.
        let name =
            state.id().name().and_then(|name| ChannelName::from_path(&name, NameShape::Path).ok());
        let policy =
            policy_of(name.as_ref(), &settings).within(Readers::MAX.into(), MAX_EVENT_BYTES);
        let stands_for = policy.snapshots.map(|snapshots| snapshots.stands_for());
        let store = Store::new(state.storage(), stands_for, pusher.is_some());
        let (alarm_ms, push_after_ms, vanished, activity) =
            (Cell::new(u64::MAX), Cell::default(), Cell::default(), RefCell::default());
        let inner = Rc::new_cyclic(|this| Inner {
            function,
            policy,
            state,
            settings,
            store,
            readers,
            memory: RefCell::default(),
            alarm_ms,
            push_after_ms,
            pusher,
            document_code,
            env: env.clone(),
            name,
            vanished,
            activity,
            summary: RefCell::default(),
            burst: RefCell::default(),
            this: this.clone(),
        });
        for (socket, reader) in behind {
            // A Worker that was notified of more history asks by itself.
            if reader.framing == Framing::TidewireV1 && inner.go_on(&socket, reader).is_err() {
                inner.readers.remove(&socket);
            }
        }
        ChannelObject { inner }
    }

    /// Carries out the Worker's operation.
    pub fn fetch(&self, request: Request) -> LocalFuture<'_, Result<Response>> {
        Box::pin(self.answer(request))
    }

    /// Ends everything that is due: readers' rights, revocations, the channel itself. A channel
    /// that was read or written in the meantime ends later: moving the alarm with each of them
    /// would cost a write each.
    pub fn alarm(&self) -> LocalFuture<'_, Result<Response>> {
        Box::pin(async {
            self.inner.alarm_ms.set(u64::MAX);
            // The platform calls the alarm again if it failed.
            let done = self.inner.on_alarm().await;
            done.map_err(|error| worker::Error::RustError(error.to_string()))?;
            Response::empty()
        })
    }

    /// A frame of a client, or a Worker's request for the next page.
    pub fn websocket_message(
        &self,
        socket: &WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        // Frames after an invalid frame, a revocation or the end are not carried out: the server
        // could not acknowledge them.
        let Some(reader) = Readers::get(socket).filter(|_| !is_closing(socket)) else {
            return Ok(());
        };
        match message {
            WebSocketIncomingMessage::String(text) if reader.framing == Framing::TidewireV1 => {
                self.inner.client_frame(socket, &reader, &text)
            }
            WebSocketIncomingMessage::String(text) if text == NEXT_PAGE => {
                self.inner.catch_up(socket)
            }
            WebSocketIncomingMessage::String(_) => {}
            WebSocketIncomingMessage::Binary(bytes) if reader.framing == Framing::Yjs => {
                if let Some(code) = self.inner.document_code {
                    (code.message)(&self.inner, socket, &reader, &bytes);
                }
            }
            WebSocketIncomingMessage::Binary(_) => {
                self.inner.follow(socket, &reader, FrameOutcome::binary())
            }
        }
        Ok(())
    }

    /// A reader closed its socket, or answers the close of the object.
    pub fn websocket_closed<'a>(&'a self, socket: &'a WebSocket, code: u16) -> LocalFuture<'a, ()> {
        Box::pin(async move {
            self.forget(socket, code);
            answer_close(socket, code).await;
        })
    }

    /// The connection of a reader broke. Not an error.
    pub fn websocket_failed(&self, socket: &WebSocket) {
        self.forget(socket, CloseCode::ConnectionLost.number());
    }

    async fn answer(&self, mut request: Request) -> Result<Response> {
        let Some((operation, grant, trace)) = operation(request.headers())? else {
            let (task, binding) = (task(request.headers())?, binding(request.headers())?);
            return self.inner.carry_out(task, &binding).await;
        };
        // Each header that is read costs a call.
        let offers_subprotocol = matches!(&operation, Operation::Read(read) if read.transport.is_socket())
            && offers_subprotocol(request.headers())?;
        let body = if operation.has_body() { request.bytes().await? } else { Vec::new() };
        self.inner.set_alarm_for_expired().await?;
        // The last wait before the decision: after it nothing can come between.
        self.inner.register(&operation, &grant, request.headers()).await?;
        let answer = match self.inner.touched_by(&operation, &grant) {
            Err(error) => Err(error),
            Ok(channel) => match &operation {
                Operation::Read(read) => match decide_read(
                    read,
                    channel.as_ref(),
                    &self.inner.policy,
                    self.inner.moment(),
                ) {
                    Ok(ReadDecision::Reply(reply)) => Ok(reply),
                    Ok(ReadDecision::Page(plan)) => {
                        self.inner.page(&plan).map(|(channel, page)| plan.reply(&channel, &page))
                    }
                    Ok(ReadDecision::Subscribe(subscribe)) => match self.inner.subscribe(
                        subscribe,
                        grant,
                        trace.clone(),
                        offers_subprotocol,
                    ) {
                        Ok(response) => match self.inner.set_alarm_for_readers().await {
                            Ok(()) => return Ok(response),
                            Err(error) => Err(error),
                        },
                        Err(error) => Err(error),
                    },
                    Err(error) => Err(error),
                },
                Operation::Change(change) => {
                    self.inner.change(change, channel, &grant, &body).await
                }
                Operation::Head => decide_head(channel.as_ref(), &self.inner.policy),
                Operation::Versions => self.inner.versions(channel.as_ref()),
                Operation::Version { at } => self.inner.version(*at, channel.as_ref()),
                Operation::Members => self
                    .inner
                    .policy
                    .presence()
                    .and_then(|presence| self.inner.members(presence))
                    .map(|members| presence_reply(&members)),
                Operation::Announce => decide_announce(&body, &grant, &self.inner.policy)
                    .and_then(|(presence, said)| self.inner.announce(presence, said, None))
                    .map(|members| presence_reply(&members)),
                Operation::Awareness(asked) => {
                    self.inner.document_code.ok_or_else(Error::no_documents).and_then(|code| {
                        (code.awareness)(&self.inner, asked, &body, channel.as_ref())
                    })
                }
                Operation::Snapshot(asked) => self
                    .inner
                    .document_code
                    .ok_or_else(Error::no_documents)
                    .and_then(|code| (code.snapshot)(&self.inner, asked, channel.as_ref())),
                Operation::Revoke => match decide_revoke(&body, now_ms()) {
                    Ok((revocation, reply)) => self.inner.revoke(revocation).await.map(|()| reply),
                    Err(error) => Err(error),
                },
                Operation::Push(asked) => match self.inner.pusher {
                    Some(pusher) => (pusher.answer)(&self.inner, asked, &body, &grant).await,
                    None => Err(push::absent()),
                },
                Operation::Stats { is_text } => {
                    decide_stats(*is_text, channel.as_ref()).map(|stats| {
                        let name = self.inner.name.as_ref().map_or("", ChannelName::as_str);
                        stats.reply(
                            self.inner.function,
                            name,
                            Scope::Channel,
                            &self.inner.activity(),
                        )
                    })
                }
            },
        };
        let answer =
            answer.map_err(|error| error.of_document(self.inner.policy.documents.is_some()));
        if let Err(error) = &answer {
            self.inner.activity.borrow_mut().count_refused(operation.change(), error);
        }
        if let (Err(error), Some(trace)) = (&answer, &trace) {
            worker::console_log!("{}", trace.refused(error, now_ms()));
        }
        match (answer, &operation) {
            (Ok(reply), _) => respond(reply),
            (Err(error), Operation::Read(read)) if read.transport.is_socket() => {
                let framing = match read.transport {
                    Transport::Yjs => Framing::Yjs,
                    _ => Framing::TidewireV1,
                };
                refuse_upgrade(&error, framing, offers_subprotocol)
            }
            (Err(error), _) => refuse(&error),
        }
    }

    fn forget(&self, socket: &WebSocket, code: u16) {
        self.inner.readers.remove(socket);
        let Some(reader) = Readers::get(socket) else { return };
        if reader.member.is_some() {
            self.inner.leave(socket);
        }
        self.inner.count_overflow(&reader, code);
        if reader.trace.is_some() {
            self.inner.log_end(socket, code);
        }
    }
}

impl Inner {
    fn moment(&self) -> Moment {
        Moment { now_ms: now_ms(), entropy: entropy(), last_epoch: self.memory.borrow().last_epoch }
    }

    /// The channel in the store, without the events that retention drops; `None` also if it has
    /// expired.
    fn channel(&self) -> Answer<Option<Channel>> {
        let mut memory = self.memory.borrow_mut();
        if !memory.is_loaded {
            memory.channel = self.store.load().map_err(|cause| internal(&cause))?;
            memory.revocations = self.store.revocations().map_err(|cause| internal(&cause))?;
            memory.is_loaded = true;
        }
        let now_ms = now_ms();
        if let Some(expired) = memory.channel.take_if(|channel| channel.is_expired(now_ms)) {
            memory.has_expired = true;
            memory.last_epoch = expired.epoch;
            self.flush_before(&expired);
            self.readers.close_everyone(CloseCode::ChannelDeleted, "channel-expired");
        }
        if let Some(channel) = &memory.channel
            && self.policy.retention.is_exceeded(channel, now_ms)
        {
            let kept = self
                .store
                .retain(channel, &self.policy.retention, now_ms)
                .map_err(|cause| internal(&cause))?;
            memory.channel = Some(kept);
        }
        Ok(memory.channel.clone())
    }

    /// The channel, whose sliding TTL starts again with the operation that follows.
    fn touched(&self) -> Answer<Option<Channel>> {
        let channel = self.channel()?;
        let Some(slid) = channel.as_ref().and_then(|channel| channel.slid(now_ms())) else {
            return Ok(channel);
        };
        self.store.touch(&slid).map_err(|cause| internal(&cause))?;
        self.memory.borrow_mut().channel = Some(slid.clone());
        Ok(Some(slid))
    }

    /// The log line of a reader that left. It received all events up to the tail, unless it was
    /// catching up.
    fn log_end(&self, socket: &WebSocket, code: u16) {
        let Some(mut reader) = Readers::get(socket) else { return };
        let Some((trace, from)) = reader.trace.take() else { return };
        let channel = self.channel().ok().flatten();
        let to =
            channel.map_or(from, |channel| channel.offset(reader.after.unwrap_or(channel.tail)));
        worker::console_log!("{}", trace.ended(from, to, code, now_ms()));
        // An error and a close may both report one end. A closed socket may accept no attachment
        // any more; then its end is reported once more at most.
        let _ = Readers::attach(socket, &reader);
    }

    fn activity(&self) -> Activity {
        Activity { readers: self.readers.by_framing(), ..self.activity.borrow().clone() }
    }

    /// A Worker says so when a stream's queue was full. Of a client's own socket the object
    /// decides, and has counted it.
    fn count_overflow(&self, reader: &Reader, code: u16) {
        let is_held = code == CloseCode::Slow.number() && !reader.framing.is_socket();
        self.activity.borrow_mut().drops += u64::from(is_held);
    }

    /// Checks that a client still has access.
    fn check_access(&self, grant: &Grant) -> Answer<()> {
        if grant.until_ms.is_none() {
            return Ok(());
        }
        self.channel()?;
        grant.check_access(&self.memory.borrow().revocations, now_ms())
    }

    /// Stores a revocation and ends the connections that it affects.
    async fn revoke(&self, revocation: Revocation) -> Answer<()> {
        let now_ms = now_ms();
        self.flush();
        self.prune_revocations(now_ms)?;
        self.store.put_revocation(&revocation).map_err(|cause| internal(&cause))?;
        for socket in self.state.get_websockets() {
            if let Some(reader) =
                Readers::get(&socket).filter(|reader| reader.grant.is_revoked(&revocation, now_ms))
            {
                self.end(
                    &socket,
                    reader.framing,
                    CloseCode::AccessDenied,
                    ErrorKind::AccessDenied.code(),
                );
            }
        }
        self.memory.borrow_mut().revocations.push(revocation.clone());
        if let Some(pusher) = self.pusher {
            (pusher.revoke)(self, &revocation).await?;
        }
        self.set_alarm().await
    }

    /// The channel for an operation of a client that still has access; a sliding TTL begins again
    /// where the operation says so.
    fn touched_by(&self, operation: &Operation, grant: &Grant) -> Answer<Option<Channel>> {
        self.check_access(grant)?;
        if operation.slides() { self.touched() } else { self.channel() }
    }

    /// Carries out a change. Nothing comes between the decision and the write.
    async fn change(
        &self,
        change: &Change,
        channel: Option<Channel>,
        grant: &Grant,
        body: &[u8],
    ) -> Answer<Reply> {
        let body = match self.document_code {
            Some(code) => (code.news)(self, change, channel.as_ref(), body)?,
            None => body,
        };
        let tallies = self.known(change.tallies(grant, &self.policy))?;
        let write = match decide_change(
            change,
            grant,
            body,
            channel.as_ref(),
            &tallies,
            &self.policy,
            self.moment(),
        )? {
            ChangeDecision::Write(write) => write,
            ChangeDecision::Erase(plan) => {
                let event = self.store.event(plan.seq).map_err(|cause| internal(&cause))?;
                plan.decide(&self.existing()?, event, self.moment())?
            }
        };
        match write {
            Write::Nothing(reply) => Ok(reply),
            Write::Commit(commit, reply) => {
                let needs_alarm = commit.is_new || self.owes_push(&commit);
                self.commit(*commit)?;
                if needs_alarm {
                    self.set_alarm().await?;
                }
                Ok(reply)
            }
            Write::Delete(reply) => self.delete().await.map(|()| reply),
        }
    }

    /// The tallies of the channel's publishers.
    fn known(&self, mut tallies: Vec<Tally>) -> Answer<Vec<Tally>> {
        for tally in &mut tallies {
            tally.known = self.store.producer(&tally.id).map_err(|cause| internal(&cause))?;
        }
        Ok(tallies)
    }

    /// Stores, then notifies. The platform's output gate holds every send and every answer back
    /// until the write is durable.
    fn commit(&self, commit: Commit) -> Answer<Channel> {
        let may_wait = commit.may_join_others();
        if !may_wait {
            self.flush();
        }
        if let Err(cause) = self.store.commit(&commit) {
            // Nothing was written; the cached state may be the reason.
            self.memory.borrow_mut().is_loaded = false;
            return Err(internal(&cause));
        }
        let compaction = decide_compaction(&commit, &self.policy);
        let Commit { channel, rows, .. } = commit;
        self.note(&channel, &rows);
        self.memory.borrow_mut().channel = Some(channel.clone());
        let after = channel.tail - rows.len() as u64;
        let events: Vec<_> = rows.into_iter().map(|row| row.event).collect();
        let page = Page { after, events };
        if may_wait {
            self.collect(&channel, page);
        } else {
            self.fan_out(&channel, &page);
        }
        if let Some(plan) = compaction {
            self.compact(plan);
        }
        Ok(channel)
    }

    async fn delete(&self) -> Answer<()> {
        self.flush();
        {
            let mut memory = self.memory.borrow_mut();
            if let Some(channel) = memory.channel.take() {
                memory.last_epoch = channel.epoch;
            }
        }
        self.readers.close_everyone(CloseCode::ChannelDeleted, "channel-deleted");
        self.clear().await
    }

    fn page(&self, plan: &PagePlan) -> Answer<(Channel, Page)> {
        let channel = self.existing()?;
        let limit = self.policy.page;
        let log = self.read(&channel, plan.log_after(), plan.limit(limit))?;
        let page = match plan.snapshot {
            Some(seq) => plan.with_snapshot(seq, self.snapshot(seq)?, log, &channel, limit)?,
            None => log,
        };
        Ok((channel, page))
    }

    /// A page, without reading the store if the position is the tail.
    fn read(&self, channel: &Channel, after: u64, limit: PageLimit) -> Answer<Page> {
        if after >= channel.tail {
            return Ok(Page { after, events: Vec::new() });
        }
        self.store.page(after, limit).map_err(|cause| internal(&cause))
    }

    /// The channel, or its stand-in until the first publish.
    fn existing(&self) -> Answer<Channel> {
        let channel = self.channel()?;
        channel
            .or_else(|| self.policy.absent())
            .ok_or_else(|| Error::new(ErrorKind::ChannelNotFound, "the channel was deleted"))
    }

    fn cursor(&self) -> u64 {
        next_cursor(now_ms(), None, 0)
    }
}
