//! The smallest adapter there is: channels in memory, and each decision carried out as a platform
//! would.

use std::collections::HashMap;

use tidewire_core::{
    Activity, Authored, ChangeDecision, Channel, ChannelName, ChannelRequest, CloseCode, Commit,
    CompactPlan, Connection, ContentType, Creation, Delivery, Error, ErrorKind, Event, Framing,
    Function, Grant, Identity, Lease, Member, Moment, Operation, Page, PageLimit, Policy, Presence,
    ProducerState, Read, ReadDecision, Reply, RequestHead, Rights, Row, RowSize, Scope, Settings,
    Snapshot, SnapshotDecision, Subscribe, Tally, Target, Then, Transport, UnauthorizedRequest,
    Version, Write, client_frame, decide_announce, decide_awareness, decide_change,
    decide_compaction, decide_head, decide_read, decide_revoke, decide_snapshot, decide_stats,
    decide_version, decide_versions, error_frame, event_stream_head, into_parts, members_at,
    next_cursor, opening, presence_reply, problem, route, timed_out,
};

/// Like `functions/feed`.
pub(crate) struct Feed;

impl Function for Feed {
    const NAME: &'static str = "feed";

    fn policy(settings: &Settings) -> Policy {
        Policy::new(Creation::OnPublish(ContentType::json()), settings)
            .with_latest(series, settings)
    }

    fn authorize(_: &Identity, channel: &ChannelName, _: &Settings) -> Rights {
        if channel.as_str().starts_with("demo-") { Rights::ALL } else { Rights::NONE }
    }
}

fn series(event: &[u8]) -> Vec<String> {
    let event: serde_json::Value = serde_json::from_slice(event).expect("stored JSON parses");
    event["values"].as_object().map(|values| values.keys().cloned().collect()).unwrap_or_default()
}

/// A request as a client makes it.
#[derive(Default)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// What a client sends over the WebSocket that it asked for.
    pub(crate) frames: Vec<String>,
}

/// All that the client gets.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) frames: Vec<String>,
    pub(crate) close: Option<u16>,
}

/// A server with one function at `/`.
pub(crate) struct Memory {
    pub(crate) now_ms: u64,
    settings: Settings,
    policy: Policy,
    enter: fn(&RequestHead<'_>, &Settings) -> Result<Target, Error>,
    authorize: fn(UnauthorizedRequest, &Identity, &Settings) -> Result<ChannelRequest, Error>,
    logs: HashMap<String, Log>,
}

#[derive(Default)]
struct Log {
    channel: Option<Channel>,
    rows: Vec<Row>,
    /// Oldest first.
    snapshots: Vec<Snapshot>,
    producers: HashMap<String, ProducerState>,
    leases: Vec<Lease>,
    authors: HashMap<u64, String>,
    last_epoch: u64,
}

impl Memory {
    pub(crate) fn new<F: Function>(settings: Settings) -> Memory {
        Memory {
            now_ms: 1_800_000_000_000,
            policy: F::policy(&settings),
            settings,
            enter: route::<F>,
            authorize: UnauthorizedRequest::authorize::<F>,
            logs: HashMap::new(),
        }
    }

    pub(crate) fn fetch(&mut self, ask: &Ask) -> Answer {
        let url = format!("http://tidewire.test{}", ask.path);
        let headers = |name: &str| ask.headers.get(name).cloned();
        let head = RequestHead {
            method: &ask.method,
            url: &url,
            path: &ask.path,
            query: &ask.query,
            headers: &headers,
        };
        let asked = match (self.enter)(&head, &self.settings) {
            Ok(Target::Reply(reply)) => return answer(reply),
            Ok(Target::Channel(asked)) => {
                let request = (self.authorize)(asked, &Identity::Anonymous, &self.settings);
                request.and_then(|request| self.carry_out(request, ask))
            }
            Ok(Target::Route(routed)) => {
                panic!("no function of these tests has routes of its own: {routed:?}")
            }
            Ok(Target::EraseTenant(tenant)) => panic!("memory has no tenants: {tenant:?}"),
            Err(error) => Err(error),
        };
        asked.unwrap_or_else(|error| match ask.headers.get("upgrade") {
            Some(_) => Answer {
                status: 101,
                frames: vec![error_frame(None, &error)],
                close: Some(error.close_code().number()),
                ..Answer::default()
            },
            None => answer(problem(&error)),
        })
    }

    fn carry_out(
        &mut self,
        ChannelRequest { channel: name, operation, grant }: ChannelRequest,
        ask: &Ask,
    ) -> Result<Answer, Error> {
        if ask.body.len() as u64 > self.settings.max_body_bytes {
            return Err(Error::new(ErrorKind::BodyTooLarge, "more than a request may carry"));
        }
        let (policy, now_ms) = (&self.policy, self.now_ms);
        let log = self.logs.entry(name.to_string()).or_default();
        log.expire(now_ms);
        log.retain(policy, now_ms);
        if operation.slides()
            && let Some(slid) = log.channel.as_ref().and_then(|channel| channel.slid(now_ms))
        {
            log.channel = Some(slid);
        }
        let channel = log.channel.clone();
        let change = match &operation {
            Operation::Read(read) => {
                match decide_read(read, channel.as_ref(), policy, log.moment(now_ms))? {
                    ReadDecision::Reply(reply) => return Ok(answer(reply)),
                    ReadDecision::Page(plan) => {
                        let channel = log.existing(policy)?;
                        assert_eq!(plan.is_at_tail, plan.after == channel.tail);
                        let mut page = log.page(plan.log_after(), plan.limit(policy.page));
                        if let Some(seq) = plan.snapshot {
                            let data = log.snapshot(seq);
                            page = plan.with_snapshot(seq, data, page, &channel, policy.page)?;
                        }
                        return Ok(answer(plan.reply(&channel, &page)));
                    }
                    ReadDecision::Subscribe(subscribe) => {
                        return log.subscribe(
                            subscribe,
                            (read, &grant, self.settings.max_body_bytes),
                            &ask.frames,
                            policy,
                            now_ms,
                        );
                    }
                }
            }
            Operation::Change(change) => change,
            Operation::Head => return decide_head(channel.as_ref(), policy).map(answer),
            Operation::Versions => {
                let sizes: Vec<_> = log.rows.iter().map(size).collect();
                return decide_versions(channel.as_ref(), policy, &log.versions(), &sizes)
                    .map(answer);
            }
            Operation::Version { .. } | Operation::Snapshot(_) => {
                let at = match &operation {
                    Operation::Snapshot(asked) => {
                        match decide_snapshot(asked, channel.as_ref(), policy)? {
                            SnapshotDecision::Reply(reply) => return Ok(answer(reply)),
                            SnapshotDecision::Version(at) => Some(at),
                        }
                    }
                    Operation::Version { at } => *at,
                    _ => None,
                };
                let plan = decide_version(at, channel.as_ref(), policy, &log.versions())?;
                let base = plan.base.map(|seq| log.snapshot(seq));
                let page = if plan.needs_events() {
                    log.page(plan.after, plan.limit)
                } else {
                    Page { after: plan.after, events: Vec::new() }
                };
                return plan.reply(&log.existing(policy)?, base, &page).map(answer);
            }
            Operation::Members => {
                policy.presence()?;
                return Ok(answer(presence_reply(&members_at(&log.leases, now_ms))));
            }
            Operation::Announce => {
                let (presence, member) = decide_announce(&ask.body, &grant, policy)?;
                let (members, _) = log.announce(presence, member, now_ms)?;
                return Ok(answer(presence_reply(&members)));
            }
            Operation::Awareness(asked) => {
                let presence = policy.presence()?;
                let members = members_at(&log.leases, now_ms);
                let (said, reply) =
                    decide_awareness(asked, &ask.body, channel.as_ref(), &members, policy)?;
                for member in said {
                    log.announce(presence, member, now_ms)?;
                }
                return Ok(answer(reply));
            }
            Operation::Revoke => {
                return decide_revoke(&ask.body, now_ms).map(|(_, reply)| answer(reply));
            }
            Operation::Stats { is_text } => {
                let stats = decide_stats(*is_text, channel.as_ref())?;
                return Ok(answer(stats.reply(
                    "feed",
                    name.as_str(),
                    Scope::Channel,
                    &Activity::default(),
                )));
            }
        };
        let tallies = log.known(change.tallies(&grant, policy));
        let write = match decide_change(
            change,
            &grant,
            &ask.body,
            channel.as_ref(),
            &tallies,
            policy,
            log.moment(now_ms),
        )? {
            ChangeDecision::Write(write) => write,
            ChangeDecision::Erase(plan) => {
                let row = log.rows.iter().find(|row| row.event.seq == plan.seq);
                let event = row.map(|row| Authored {
                    data: row.event.data.clone(),
                    producer: log.authors.get(&plan.seq).cloned(),
                });
                plan.decide(&log.existing(policy)?, event, log.moment(now_ms))?
            }
        };
        Ok(answer(match write {
            Write::Nothing(reply) => reply,
            Write::Commit(commit, reply) => {
                log.commit(*commit, policy, now_ms);
                reply
            }
            Write::Delete(reply) => {
                log.delete();
                reply
            }
        }))
    }
}

fn size(row: &Row) -> RowSize {
    RowSize { seq: row.event.seq, at_ms: row.at_ms, total: row.total }
}

impl Log {
    fn moment(&self, now_ms: u64) -> Moment {
        Moment { now_ms, entropy: 0, last_epoch: self.last_epoch }
    }

    fn existing(&self, policy: &Policy) -> Result<Channel, Error> {
        let channel = self.channel.clone().or_else(|| policy.absent());
        channel.ok_or_else(|| Error::new(ErrorKind::ChannelNotFound, "no such channel"))
    }

    fn delete(&mut self) {
        *self = Log {
            last_epoch: self.channel.as_ref().map_or(0, |channel| channel.epoch),
            ..Log::default()
        };
    }

    fn expire(&mut self, now_ms: u64) {
        if self.channel.as_ref().is_some_and(|channel| channel.is_expired(now_ms)) {
            self.delete();
        }
    }

    fn retain(&mut self, policy: &Policy, now_ms: u64) {
        let Some(channel) =
            self.channel.as_mut().filter(|channel| policy.retention.is_exceeded(channel, now_ms))
        else {
            return;
        };
        let sizes = self.rows.iter().map(size);
        *channel = policy.retention.cut(channel, now_ms, sizes);
        self.rows.retain(|row| row.event.seq >= channel.first);
    }

    fn known(&self, mut tallies: Vec<Tally>) -> Vec<Tally> {
        tallies.iter_mut().for_each(|tally| tally.known = self.producers.get(&tally.id).copied());
        tallies
    }

    /// Those present after a member has spoken, and whether that is news.
    fn announce(
        &mut self,
        presence: Presence,
        said: Member,
        now_ms: u64,
    ) -> Result<(Vec<Member>, bool), Error> {
        self.leases.retain(|lease| lease.until_ms > now_ms);
        let mut members = members_at(&self.leases, now_ms);
        let is_news = presence.update(&mut members, &said)?;
        self.leases.retain(|lease| lease.member.id != said.id);
        if said.state.is_some() {
            self.leases.push(Lease { member: said, until_ms: now_ms + presence.lease_ms });
        }
        Ok((members, is_news))
    }

    fn snapshot(&self, seq: u64) -> Vec<u8> {
        let found = self.snapshots.iter().find(|snapshot| snapshot.head.seq == seq);
        found.expect("the channel has its snapshot").data.clone()
    }

    fn versions(&self) -> Vec<Version> {
        let version = |snapshot: &Snapshot| Version {
            seq: snapshot.head.seq,
            at_ms: snapshot.at_ms,
            bytes: snapshot.head.bytes,
        };
        self.snapshots.iter().map(version).collect()
    }

    /// What a failed compaction does: nothing.
    fn compact(&mut self, plan: CompactPlan, now_ms: u64) {
        let Some(channel) = self.channel.clone() else { return };
        let last = plan.last.map(|seq| self.snapshot(seq));
        let page = self.page(plan.after, plan.limit);
        let Ok(Some(made)) = plan.compact(&channel, last.as_deref(), &page, now_ms) else { return };
        self.channel = Some(Channel { snapshot: Some(made.head), ..channel });
        let most = made.most as usize;
        self.snapshots.push(made);
        self.snapshots.drain(..self.snapshots.len().saturating_sub(most));
    }

    fn commit(&mut self, commit: Commit, policy: &Policy, now_ms: u64) -> Vec<Event> {
        let plan = decide_compaction(&commit, policy);
        if commit.is_new || commit.drops_snapshots() {
            self.snapshots.clear();
        }
        self.producers.extend(commit.tallies);
        let Commit { channel, rows, producer, erased, .. } = commit;
        for row in &rows {
            self.authors
                .extend(producer.as_ref().map(|producer| (row.event.seq, producer.id.clone())));
        }
        for row in &mut self.rows {
            if let Some(erased) = erased.as_ref().filter(|erased| erased.seq == row.event.seq) {
                row.event = erased.clone();
            }
        }
        self.channel = Some(channel);
        for row in &rows {
            assert!(
                self.rows.last().is_none_or(|last| row.event.seq == last.event.seq + 1),
                "a position is taken or left out"
            );
            self.rows.push(row.clone());
        }
        if let Some(plan) = plan {
            self.compact(plan, now_ms);
        }
        rows.into_iter().map(|row| row.event).collect()
    }

    fn page(&self, after: u64, limit: PageLimit) -> Page {
        let rows = self.rows.iter().filter(|row| row.event.seq > after);
        let page = Page::take(after, limit, rows.map(|row| Ok::<_, ()>(row.event.clone())));
        page.expect("memory does not fail")
    }

    /// A reader that stays until it has caught up and has sent its frames.
    fn subscribe(
        &mut self,
        subscribe: Subscribe,
        (read, grant, max_bytes): (&Read, &Grant, u64),
        sent: &[String],
        policy: &Policy,
        now_ms: u64,
    ) -> Result<Answer, Error> {
        let Subscribe { framing, after, mut snapshot, cursor, .. } = subscribe;
        let channel = self.existing(policy)?;
        if framing == Framing::News {
            return Ok(answer(timed_out(channel.offset(subscribe.begins_after()), cursor)));
        }
        let members = policy.presence.map(|_| members_at(&self.leases, now_ms));
        let mut frames = opening(&subscribe, &channel, members.as_deref(), 2000, 1000, None);
        let (mut after, mut closing) = (after, None);
        while closing.is_none() {
            let page = match snapshot.take() {
                Some(seq) => {
                    let log = self.page(seq, policy.page);
                    Page::with_past(seq, self.snapshot(seq), log, policy.page)
                }
                None => self.page(after, policy.page),
            };
            let delivery = Delivery::new(framing, &channel, None, &page, cursor);
            let then = delivery.then.clone();
            frames.extend(delivery.frames());
            match then {
                Then::NextPage => after = page.end(),
                Then::Live => break,
                Then::End(end) => closing = Some(end.code),
            }
        }
        for text in sent {
            let mut client = Client { log: self, policy, now_ms, frames };
            let outcome = client_frame(text, grant, max_bytes, policy, &mut client);
            frames = client.frames;
            frames.extend(outcome.frames);
            closing = closing.or(outcome.end.map(|(code, _)| code));
            if closing.is_some() {
                break;
            }
        }
        if read.transport == Transport::WebSocket {
            return Ok(Answer {
                status: 101,
                frames,
                close: closing.map(CloseCode::number),
                ..Answer::default()
            });
        }
        let mut answer = answer(event_stream_head(framing, &channel.content_type));
        answer.body = frames.concat().into();
        Ok(answer)
    }
}

/// The one client of a WebSocket, which sees its own events.
struct Client<'a> {
    log: &'a mut Log,
    policy: &'a Policy,
    now_ms: u64,
    frames: Vec<String>,
}

impl Connection for Client<'_> {
    fn access(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn channel(&mut self) -> Result<Option<Channel>, Error> {
        Ok(self.log.channel.clone())
    }

    fn known(&mut self, tallies: Vec<Tally>) -> Result<Vec<Tally>, Error> {
        Ok(self.log.known(tallies))
    }

    fn moment(&mut self) -> Moment {
        self.log.moment(self.now_ms)
    }

    fn commit(&mut self, commit: Commit) -> Result<(), Error> {
        let channel = commit.channel.clone();
        let events = self.log.commit(commit, self.policy, self.now_ms);
        let page = Page { after: channel.tail - events.len() as u64, events };
        self.frames.extend(
            Delivery::new(
                Framing::TidewireV1,
                &channel,
                None,
                &page,
                next_cursor(self.now_ms, None, 0),
            )
            .frames(),
        );
        Ok(())
    }

    fn announce(&mut self, presence: Presence, said: Member) -> Result<(), Error> {
        let is_news = self.log.announce(presence, said.clone(), self.now_ms)?.1;
        self.frames.extend(is_news.then(|| Framing::TidewireV1.presence(&[said], false)).flatten());
        Ok(())
    }
}

fn answer(reply: Reply) -> Answer {
    let (status, headers, body) = into_parts(reply);
    Answer { status, headers: headers.into_iter().collect(), body, ..Answer::default() }
}
