//! Channels in Redis, or a server that speaks like it: the engine for any number of hosts.
//!
//! One script carries out everything that must be atomic. It compares and writes, and decides
//! nothing: where the channel has changed since the decision, it writes nothing. Only an append
//! that carries nothing but events may follow the events of a faster writer. All keys have one hash
//! tag, so that they lie in one slot of a cluster.

mod address;
mod call;
mod connection;
mod keys;
mod push;
mod reply;

use std::cell::RefCell;
use std::time::Duration;

use spin_sdk::redis::RedisResult;
use tidewire_core::{
    Authored, Channel, Commit, Event, Expiry, Lease, Member, Page, PageLimit, Policy, Revocation,
    RowSize, Snapshot, SnapshotUse, Tally, Tenant, Version,
};

use self::call::{Call, put_before, put_commit, put_known};
use self::connection::{Arguments, connect, operate, operate_safely, run};
use self::keys::{MEMBERS, PREFIX, PULSE, REVOCATIONS, key_of_keys, keys_of};
use self::reply::{
    authored, bytes, damaged, first_number, keys, leases, look, revocations, sizes, tally, texts,
    versions,
};
use crate::clock::{entropy, now_ms};
use crate::store::health::timed;
use crate::store::{Fault, Look, Placed, Result, Store, Stored, StoredKeys};

/// Most channels of one erasure of a tenant.
const TENANT_CHANNELS: u64 = 100;

/// After every event: a look at the channel alone.
const NO_EVENTS: u64 = 1 << 53;

/// The answers of the script when it has written, and when an earlier try may have written.
const WRITTEN: u64 = 1;
const UNKNOWN: u64 = 2;

/// One channel in the server.
#[derive(Clone, Debug)]
pub(crate) struct RedisStore {
    /// Function and channel name: all functions share the server.
    name: String,
    /// Whether a look includes the members' version.
    has_presence: bool,
    /// What the snapshots of the function stand for; without it no look includes a snapshot.
    stands_for: Option<SnapshotUse>,
}

/// The tallies that a decision has read: the commit compares them.
#[derive(Default)]
pub(crate) struct Attempt {
    tallies: RefCell<Vec<(String, String)>>,
}

/// A text that no other call has.
fn token() -> String {
    format!("{:08x}{:08x}{:08x}", entropy(), entropy(), entropy())
}

/// Runs an operation on a name. It may run twice.
async fn on(name: &str, operation: &str, add: impl Fn(Call) -> Call) -> Result<Vec<RedisResult>> {
    let token = token();
    operate(&keys_of(name), |_| add(Call::new(operation, name, &token)).0).await
}

impl Store for RedisStore {
    type Attempt = Attempt;
    const ENGINE: &'static str = "redis";
    const REST: Duration = Duration::from_millis(500);

    fn new(function: &str, channel: &str, policy: &Policy) -> RedisStore {
        RedisStore {
            name: format!("{function}/{channel}"),
            has_presence: policy.presence.is_some(),
            stands_for: policy.snapshots.map(|snapshots| snapshots.stands_for()),
        }
    }

    fn named(function: &str, channel: &str) -> RedisStore {
        let name = format!("{function}/{channel}");
        RedisStore { name, has_presence: false, stands_for: None }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn has_presence(&self) -> bool {
        self.has_presence
    }

    async fn load(&self) -> Result<Look> {
        let limit = PageLimit { max_events: 1, max_bytes: 1 };
        Ok(self.look_after(NO_EVENTS, limit).await?.0)
    }

    async fn look(&self, after: u64, limit: PageLimit) -> Result<(Look, Page)> {
        let (look, events) = self.look_after(after, limit).await?;
        Ok((look, Page::take(after, limit, events.into_iter().map(Ok::<_, Fault>))?))
    }

    async fn pulses(names: &[String]) -> Result<Option<Vec<Option<String>>>> {
        let keys = names.iter().map(|name| format!("{PREFIX}{name}:{PULSE}").into_bytes());
        Ok(Some(texts(run("MGET", keys.collect()).await?).collect()))
    }

    async fn append(&self, before: &Stored, commit: &Commit) -> Result<Option<Placed>> {
        self.write(&Attempt::default(), Some(before), None, commit).await
    }

    async fn begin(&self) -> Result<(Attempt, Look)> {
        Ok((Attempt::default(), self.load().await?))
    }

    async fn commit(
        &self,
        attempt: Attempt,
        before: &Look,
        commit: &Commit,
    ) -> Result<Option<Placed>> {
        self.write(&attempt, before.stored.as_ref(), before.expired.as_ref(), commit).await
    }

    async fn delete(&self, _: Attempt, stored: &Stored) -> Result<bool> {
        self.is_done("delete", |call| call.number(stored.id)).await
    }

    async fn end(&self, _: Attempt) -> Result<()> {
        Ok(())
    }

    async fn known(
        &self,
        attempt: Option<&Attempt>,
        _: &Stored,
        mut tallies: Vec<Tally>,
    ) -> Result<Vec<Tally>> {
        let mut arguments: Arguments = vec![self.key("p").into()];
        arguments.extend(tallies.iter().map(|tally| tally.id.clone().into_bytes()));
        let states = texts(run("HMGET", arguments).await?);
        for (known, state) in tallies.iter_mut().zip(states) {
            let text = state.unwrap_or_default();
            known.known = tally(&text);
            if known.known.is_none() && !text.is_empty() {
                return Err(damaged("producer"));
            }
            if let Some(attempt) = attempt {
                attempt.tallies.borrow_mut().push((known.id.clone(), text));
            }
        }
        Ok(tallies)
    }

    async fn event(&self, _: &Attempt, stored: &Stored, seq: u64) -> Result<Option<Authored>> {
        let reply = self.ask("event", |call| call.number(stored.id).number(seq)).await?;
        match reply.into_iter().next() {
            None | Some(RedisResult::Nil) => Ok(None),
            Some(event) => authored(event).map(Some).ok_or_else(|| damaged("event")),
        }
    }

    async fn touch(&self, _: Option<&Attempt>, id: u64, channel: &Channel) -> Result<()> {
        let [_, _, Some(touched_at_ms)] = Expiry::columns(channel.expiry) else { return Ok(()) };
        self.ask("touch", |call| call.number(id).number(touched_at_ms)).await?;
        Ok(())
    }

    async fn revocations(&self, _: Option<&Attempt>) -> Result<Vec<Revocation>> {
        let after = format!("({}", now_ms());
        let range = [after.as_str(), "+inf", "WITHSCORES"].map(|text| text.into());
        let arguments = [self.key(REVOCATIONS).into()].into_iter().chain(range).collect();
        revocations(run("ZRANGEBYSCORE", arguments).await?)
    }

    async fn put_revocation(&self, revocation: &Revocation) -> Result<()> {
        self.ask("put_revocation", |call| {
            call.number(revocation.until_ms).text(revocation.column())
        })
        .await?;
        Ok(())
    }

    async fn leases(&self) -> Result<Vec<Lease>> {
        leases(run("HGETALL", vec![self.key(MEMBERS).into()]).await?)
    }

    async fn put_member(&self, said: &Member, is_news: bool, until_ms: u64, _: u64) -> Result<()> {
        let state = said.state.as_deref();
        self.ask("put_member", |call| {
            call.text(said.id.as_str())
                .number(until_ms)
                .flag(state.is_some())
                .text(state.unwrap_or_default())
                .flag(is_news)
        })
        .await?;
        Ok(())
    }

    async fn sizes(&self, stored: &Stored, most: u64) -> Result<Vec<RowSize>> {
        let reply = self.ask("sizes", |call| call.number(stored.id).number(most)).await?;
        let first = first_number(&reply).ok_or_else(|| damaged("event"))?;
        let headers = reply.into_iter().nth(1).and_then(bytes).unwrap_or_default();
        sizes(first, &headers).ok_or_else(|| damaged("event"))
    }

    async fn cut(&self, stored: &Stored, kept: &Channel) -> Result<()> {
        self.ask("cut", |call| call.number(stored.id).number(kept.first).number(kept.dropped))
            .await?;
        Ok(())
    }

    async fn snapshot(&self, stored: &Stored, seq: u64) -> Result<Option<Vec<u8>>> {
        let reply = self.ask("snapshot", |call| call.number(stored.id).number(seq)).await?;
        Ok(reply.into_iter().next().and_then(bytes))
    }

    async fn versions(&self, stored: &Stored) -> Result<Vec<Version>> {
        let fields = ["id", "snapshots"].map(|field| field.into());
        let arguments = [self.key("m").into()].into_iter().chain(fields).collect();
        let mut values = texts(run("HMGET", arguments).await?);
        let id = values.next().flatten();
        if id != Some(stored.id.to_string()) {
            return Ok(Vec::new());
        }
        versions(&values.next().flatten().unwrap_or_default())
    }

    async fn put_snapshot(&self, stored: &Stored, snapshot: &Snapshot) -> Result<bool> {
        let channel = &stored.channel;
        let head = snapshot.head;
        self.is_done("put_snapshot", |call| {
            call.number(stored.id)
                .number(channel.revision)
                .number(channel.snapshot.map_or(0, |last| last.seq))
                .number(head.seq)
                .text(format!("{} {} {}", snapshot.at_ms, head.total, head.bytes))
                .text(snapshot.data.as_slice())
                .number(snapshot.most)
        })
        .await
    }

    async fn erase_tenant(function: &str, tenant: &Tenant) -> Result<bool> {
        let from = format!("{function}/{}", tenant.beginning());
        // `;` follows `:`, so every name with this prefix lies between the two.
        let to = format!("({};", from.strip_suffix(':').unwrap_or(&from));
        let names = async |most: u64| {
            let key = format!("{PREFIX}names");
            let (from, most) = (format!("[{from}"), most.to_string());
            let arguments = [key.as_str(), &from, &to, "LIMIT", "0", &most];
            let found = run("ZRANGEBYLEX", arguments.map(|text| text.into()).into()).await?;
            Ok::<_, Fault>(texts(found).flatten().collect::<Vec<_>>())
        };
        for name in names(TENANT_CHANNELS).await? {
            on(&name, "erase", |call| call).await?;
        }
        Ok(names(1).await?.is_empty())
    }

    /// The server removes a whole channel at once, and frees its bytes later.
    async fn remove_expired(channels: u64, _: u64) -> Result<()> {
        let (key, now, most) =
            (format!("{PREFIX}ends"), now_ms().to_string(), channels.to_string());
        let arguments = [key.as_str(), "-inf", &now, "LIMIT", "0", &most];
        let found = run("ZRANGEBYSCORE", arguments.map(|text| text.into()).into()).await?;
        for name in texts(found).flatten() {
            on(&name, "sweep", |call| call).await?;
        }
        Ok(())
    }

    async fn keys(url: &str) -> Result<StoredKeys> {
        let fields = ["json", "fetched_ms", "asked_ms", "is_asking"].map(|field| field.into());
        let arguments = [key_of_keys(url).into()].into_iter().chain(fields).collect();
        Ok(keys(run("HMGET", arguments).await?))
    }

    async fn claim_keys(url: &str, asked_ms: Option<u64>) -> Result<bool> {
        let keys = [key_of_keys(url)];
        let reply =
            operate(&keys, |_| Call::new("claim_keys", "", "").optional(asked_ms).0).await?;
        Ok(first_number(&reply) == Some(WRITTEN))
    }

    async fn put_keys(url: &str, json: Option<String>) -> Result<()> {
        let now = now_ms().to_string();
        let mut values = vec![key_of_keys(url), "is_asking".into(), "0".into()];
        if let Some(json) = json {
            values.extend(["fetched_ms".into(), now, "json".into(), json]);
        }
        run("HSET", values.into_iter().map(String::into_bytes).collect()).await?;
        Ok(())
    }
}

impl RedisStore {
    fn key(&self, key: &str) -> String {
        format!("{PREFIX}{}:{key}", self.name)
    }

    async fn ask(&self, operation: &str, add: impl Fn(Call) -> Call) -> Result<Vec<RedisResult>> {
        on(&self.name, operation, add).await
    }

    /// Whether an operation wrote.
    async fn is_done(&self, operation: &str, add: impl Fn(Call) -> Call) -> Result<bool> {
        Ok(first_number(&self.ask(operation, add).await?) == Some(WRITTEN))
    }

    async fn look_after(&self, after: u64, limit: PageLimit) -> Result<(Look, Vec<Event>)> {
        connect().await?;
        let reply = timed(self.ask("look", |call| {
            call.number(after).number(limit.max_events).number(limit.max_bytes)
        }));
        let (mut look, events) = look(reply.await?, self.has_presence, self.stands_for)
            .ok_or_else(|| damaged("channel"))?;
        look.part_expired(now_ms());
        Ok((look, events))
    }

    /// Writes all of a commit, or nothing.
    async fn write(
        &self,
        attempt: &Attempt,
        before: Option<&Stored>,
        expired: Option<&Stored>,
        commit: &Commit,
    ) -> Result<Option<Placed>> {
        let token = token();
        let made = u64::from(entropy()) << 20 | u64::from(entropy()) >> 12;
        let arguments = |is_again| {
            let call = Call::new("commit", &self.name, &token).flag(is_again);
            let call = put_before(call, before, expired, self.stands_for.is_some())
                .flag(commit.is_placeable);
            let call = put_known(call, &attempt.tallies.borrow());
            put_commit(call, made, commit).0
        };
        let reply = operate_safely(&keys_of(&self.name), arguments).await?;
        match first_number(&reply) {
            Some(WRITTEN) => {
                let mut numbers =
                    texts(reply).skip(1).map(|text| text.and_then(|text| text.parse().ok()));
                let mut next = || numbers.next().flatten().ok_or_else(|| damaged("tail"));
                Ok(Some(Placed { tail: next()?, total: next()? }))
            }
            Some(UNKNOWN) => {
                Err(Fault::unavailable("the connection broke during a write that others followed"))
            }
            _ => Ok(None),
        }
    }
}
