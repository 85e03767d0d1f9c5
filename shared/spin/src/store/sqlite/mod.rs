//! Channels in SQLite, all of an application in one database: the engine that needs nothing else.
//!
//! An append is one statement, with the condition that the head has not changed since the decision;
//! an attempt is a transaction that holds the write lock. Every statement is in `sql.rs`.

mod commit;
mod database;
mod pulse;
mod push;
mod rows;
mod sql;

use std::time::Duration;

use spin_sdk::sqlite::{Connection, Value};
use tidewire_core::{
    Authored, Channel, Commit, Event, Expiry, Lease, Member, Page, PageLimit, Policy, Revocation,
    RowSize, Snapshot, SnapshotUse, Tally, Tenant, Version,
};

use self::database::{Transaction, connection_of, execute, shared};
use self::rows::{
    all, authored, damaged, event_of, expired, integer, keys, lease, number, optional, part,
    revocation, size, tally, text, version,
};
use crate::clock::now_ms;
use crate::store::health::timed;
use crate::store::{Fault, Look, Placed, Result, Store, Stored, StoredKeys};

/// One channel in the shared database.
#[derive(Clone, Debug)]
pub(crate) struct SqliteStore {
    /// Function and channel name: components of an application share the database.
    name: String,
    /// Whether a look includes the members' version.
    has_presence: bool,
    /// What the snapshots of the function stand for; without it no look includes a snapshot.
    stands_for: Option<SnapshotUse>,
}

/// Most events of one statement: well below the 32,766 parameters that it allows. Larger batches
/// take the lock.
const STATEMENT_EVENTS: usize = 1_000;

/// Most channels of one erasure of a tenant: while it writes, no other request can.
const TENANT_CHANNELS: u64 = 100;

/// After every event: a look at the channel alone.
const NO_EVENTS: u64 = 1 << 53;

impl Store for SqliteStore {
    type Attempt = Transaction;
    const ENGINE: &'static str = "sqlite";
    /// A question costs as little as a look at one channel.
    const REST: Duration = Duration::ZERO;

    fn new(function: &str, channel: &str, policy: &Policy) -> SqliteStore {
        SqliteStore {
            name: format!("{function}/{channel}"),
            has_presence: policy.presence.is_some(),
            stands_for: policy.snapshots.map(|snapshots| snapshots.stands_for()),
        }
    }

    fn named(function: &str, channel: &str) -> SqliteStore {
        let name = format!("{function}/{channel}");
        SqliteStore { name, has_presence: false, stands_for: None }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn has_presence(&self) -> bool {
        self.has_presence
    }

    async fn load(&self) -> Result<Look> {
        let connection = shared().await?;
        Ok(self.look_on(&connection, NO_EVENTS, 1).await?.0)
    }

    async fn look(&self, after: u64, limit: PageLimit) -> Result<(Look, Page)> {
        let connection = shared().await?;
        let (look, events) = self.look_on(&connection, after, limit.max_events).await?;
        let page = Page::take(after, limit, events.into_iter().map(Ok::<_, Fault>))?;
        Ok((look, page))
    }

    async fn pulses(names: &[String]) -> Result<Option<Vec<Option<String>>>> {
        pulse::pulses(names).await
    }

    async fn append(&self, before: &Stored, commit: &Commit) -> Result<Option<Placed>> {
        if commit.rows.len() > STATEMENT_EVENTS {
            return Ok(None);
        }
        let connection = shared().await?;
        let Channel { tail, total, revision, stream_seq, .. } = &before.channel;
        let expected = Some(*tail).filter(|_| !commit.is_placeable);
        let mut values: Vec<Value> = Vec::with_capacity(commit.rows.len() * 4 + 4);
        values.extend([
            number(before.id),
            number(*revision),
            optional(stream_seq.as_deref(), text),
            optional(expected, number),
        ]);
        for row in &commit.rows {
            values.extend([
                number(row.event.seq - tail),
                number(row.at_ms),
                number(row.total - total),
                Value::Blob(row.event.data.clone()),
            ]);
        }
        let written = execute(&connection, &sql::append(commit.rows.len()), values).await?;
        let first = written.iter().min_by_key(|row| row.first().and_then(integer));
        let placed = first.zip(commit.rows.first()).map(|(written, row)| {
            placed_at(written, row.event.data.len() as u64).ok_or_else(|| damaged("position"))
        });
        placed.transpose()
    }

    async fn begin(&self) -> Result<(Transaction, Look)> {
        // The first connection creates the tables.
        shared().await?;
        let transaction = Transaction::begin().await?;
        let connection = connection_of(Some(&transaction)).await?;
        let (look, _) = self.look_on(&connection, NO_EVENTS, 1).await?;
        Ok((transaction, look))
    }

    async fn commit(
        &self,
        transaction: Transaction,
        before: &Look,
        commit: &Commit,
    ) -> Result<Option<Placed>> {
        if let Some(expired) = &before.expired {
            commit::delete(&transaction, &self.name, expired).await?;
        }
        commit::write(&transaction, &self.name, before.stored.as_ref(), commit).await?;
        transaction.commit().await?;
        Ok(Some(placed(before.stored.as_ref())))
    }

    async fn delete(&self, transaction: Transaction, stored: &Stored) -> Result<bool> {
        commit::delete(&transaction, &self.name, stored).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn end(&self, transaction: Transaction) -> Result<()> {
        transaction.commit().await
    }

    async fn known(
        &self,
        transaction: Option<&Transaction>,
        stored: &Stored,
        mut tallies: Vec<Tally>,
    ) -> Result<Vec<Tally>> {
        let connection = connection_of(transaction).await?;
        let ids = tallies.iter().map(|tally| text(&tally.id));
        let values = [number(stored.id)].into_iter().chain(ids).collect();
        let rows = execute(&connection, &sql::tallies(tallies.len()), values).await?;
        for (id, state) in all(rows, "producer", tally)? {
            for tally in tallies.iter_mut().filter(|tally| tally.id == id) {
                tally.known = Some(state);
            }
        }
        Ok(tallies)
    }

    async fn event(
        &self,
        transaction: &Transaction,
        stored: &Stored,
        seq: u64,
    ) -> Result<Option<Authored>> {
        let values = vec![number(stored.id), number(seq)];
        let rows = transaction.execute(sql::EVENT, values).await?;
        Ok(all(rows, "event", authored)?.into_iter().next())
    }

    async fn touch(
        &self,
        transaction: Option<&Transaction>,
        id: u64,
        channel: &Channel,
    ) -> Result<()> {
        let [_, _, Some(touched_at_ms)] = Expiry::columns(channel.expiry) else { return Ok(()) };
        let connection = connection_of(transaction).await?;
        execute(&connection, sql::TOUCH, vec![number(touched_at_ms), number(id)]).await?;
        Ok(())
    }

    async fn revocations(&self, transaction: Option<&Transaction>) -> Result<Vec<Revocation>> {
        let connection = connection_of(transaction).await?;
        let values = vec![text(&self.name), number(now_ms())];
        all(execute(&connection, sql::REVOKED, values).await?, "revocation", revocation)
    }

    async fn put_revocation(&self, revocation: &Revocation) -> Result<()> {
        let connection = shared().await?;
        execute(&connection, sql::FORGET_REVOCATIONS, vec![number(now_ms())]).await?;
        let values =
            vec![text(&self.name), number(revocation.until_ms), Value::Text(revocation.column())];
        execute(&connection, sql::REVOKE, values).await?;
        Ok(())
    }

    async fn leases(&self) -> Result<Vec<Lease>> {
        let connection = shared().await?;
        all(execute(&connection, sql::LEASES, vec![text(&self.name)]).await?, "member", lease)
    }

    async fn put_member(
        &self,
        said: &Member,
        is_news: bool,
        until_ms: u64,
        now_ms: u64,
    ) -> Result<()> {
        let connection = shared().await?;
        let values = vec![
            text(&self.name),
            text(&said.id),
            optional(said.state.clone(), Value::Text),
            number(until_ms),
            number(now_ms),
            Value::Integer(is_news.into()),
        ];
        execute(&connection, sql::PUT_MEMBER, values).await?;
        if is_news {
            execute(&connection, sql::FORGET_MEMBERS, vec![number(now_ms)]).await?;
        }
        Ok(())
    }

    async fn sizes(&self, stored: &Stored, most: u64) -> Result<Vec<RowSize>> {
        let connection = shared().await?;
        let values = vec![number(stored.id), number(most)];
        all(execute(&connection, sql::SIZES, values).await?, "event", size)
    }

    async fn cut(&self, stored: &Stored, kept: &Channel) -> Result<()> {
        let connection = shared().await?;
        if kept.first > kept.tail {
            let values = vec![number(kept.tail), number(kept.total), number(stored.id)];
            execute(&connection, sql::KEEP_TAIL, values).await?;
        }
        execute(&connection, sql::CUT, vec![number(stored.id), number(kept.first)]).await?;
        Ok(())
    }

    async fn snapshot(&self, stored: &Stored, seq: u64) -> Result<Option<Vec<u8>>> {
        let connection = shared().await?;
        let values = vec![number(stored.id), number(seq)];
        let parts = all(execute(&connection, sql::SNAPSHOT, values).await?, "snapshot", part)?;
        Ok((!parts.is_empty()).then(|| parts.concat()))
    }

    async fn versions(&self, stored: &Stored) -> Result<Vec<Version>> {
        let connection = shared().await?;
        let values = vec![number(stored.id)];
        all(execute(&connection, sql::VERSIONS, values).await?, "snapshot", version)
    }

    async fn put_snapshot(&self, stored: &Stored, snapshot: &Snapshot) -> Result<bool> {
        let channel = &stored.channel;
        let transaction = Transaction::begin().await?;
        let last = channel.snapshot.map_or(0, |last| last.seq);
        let values = vec![number(stored.id), number(channel.revision), number(last)];
        if transaction.execute(sql::IS_UNCOMPACTED, values).await?.is_empty() {
            transaction.commit().await?;
            return Ok(false);
        }
        let head = snapshot.head;
        for (part, data) in snapshot.parts() {
            let values = vec![
                number(stored.id),
                number(head.seq),
                number(part),
                number(snapshot.at_ms),
                number(head.total),
                number(head.bytes),
                Value::Blob(data.to_vec()),
            ];
            transaction.execute(sql::INSERT_SNAPSHOT, values).await?;
        }
        let values = vec![number(stored.id), number(snapshot.most)];
        transaction.execute(sql::FORGET_SNAPSHOTS, values).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn erase_tenant(function: &str, tenant: &Tenant) -> Result<bool> {
        // The first connection creates the tables.
        shared().await?;
        let from = format!("{function}/{}", tenant.beginning());
        // `;` follows `:`, so every name with this prefix lies between the two.
        let to = format!("{};", from.strip_suffix(':').unwrap_or(&from));
        let values = || vec![text(&from), text(&to)];
        let limited = || values().into_iter().chain([number(TENANT_CHANNELS)]).collect();
        let transaction = Transaction::begin().await?;
        transaction.execute(sql::ERASE_TENANT_EVENTS, limited()).await?;
        transaction.execute(sql::ERASE_TENANT_TALLIES, limited()).await?;
        transaction.execute(sql::ERASE_TENANT_SNAPSHOTS, limited()).await?;
        transaction.execute(sql::KEEP_TENANT_EPOCH, values()).await?;
        transaction.execute(sql::ERASE_TENANT_CHANNELS, limited()).await?;
        transaction.execute(sql::ERASE_TENANT_MEMBERS, values()).await?;
        transaction.execute(sql::ERASE_TENANT_PUSH, values()).await?;
        let left = transaction.execute(sql::TENANT_IS_LEFT, values()).await?;
        transaction.commit().await?;
        Ok(left.is_empty())
    }

    async fn remove_expired(channels: u64, rows: u64) -> Result<()> {
        let connection = shared().await?;
        execute(&connection, sql::FORGET_REVOCATIONS, vec![number(now_ms())]).await?;
        execute(&connection, sql::FORGET_PUSH, vec![number(now_ms())]).await?;
        let found =
            execute(&connection, sql::EXPIRED, vec![number(now_ms()), number(channels)]).await?;
        // A transaction for each. An expired channel stays expired, and no other channel ever has
        // its id.
        for (id, epoch) in all(found, "expired channel", expired)? {
            let transaction = Transaction::begin().await?;
            let limited = || vec![number(id), number(rows)];
            transaction.execute(sql::SWEEP_EVENTS, limited()).await?;
            transaction.execute(sql::SWEEP_TALLIES, limited()).await?;
            transaction.execute(sql::DELETE_SNAPSHOTS, vec![number(id)]).await?;
            transaction.execute(sql::KEEP_EPOCH, vec![number(epoch)]).await?;
            transaction.execute(sql::SWEEP_PUSH, vec![number(id)]).await?;
            transaction.execute(sql::SWEEP_CHANNEL, vec![number(id)]).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    async fn keys(url: &str) -> Result<StoredKeys> {
        let connection = shared().await?;
        execute(&connection, sql::PROVIDER_KEYS, vec![]).await?;
        let rows = execute(&connection, sql::KEYS, vec![text(url)]).await?;
        Ok(rows.into_iter().next().and_then(keys).unwrap_or_default())
    }

    async fn claim_keys(url: &str, asked_ms: Option<u64>) -> Result<bool> {
        let values = vec![text(url), number(now_ms()), optional(asked_ms, number)];
        Ok(!execute(&*shared().await?, sql::CLAIM_KEYS, values).await?.is_empty())
    }

    async fn put_keys(url: &str, json: Option<String>) -> Result<()> {
        let (statement, values) = match json {
            Some(json) => (sql::PUT_KEYS, vec![number(now_ms()), Value::Text(json), text(url)]),
            None => (sql::RELEASE_KEYS, vec![text(url)]),
        };
        execute(&*shared().await?, statement, values).await?;
        Ok(())
    }
}

/// The place after the head at which the statement put it, by the row of its first event, of so
/// many bytes.
fn placed_at(written: &[Value], bytes: u64) -> Option<Placed> {
    let [seq, total] = written else { return None };
    Some(Placed { tail: integer(seq)? - 1, total: integer(total)? - bytes })
}

/// The place after the head that was decided upon: no other writer comes between.
fn placed(before: Option<&Stored>) -> Placed {
    before.map_or(Placed { tail: 0, total: 0 }, |Stored { channel, .. }| Placed {
        tail: channel.tail,
        total: channel.total,
    })
}

impl SqliteStore {
    /// One statement for the channel and its next events.
    async fn look_on(
        &self,
        connection: &Connection,
        after: u64,
        max_events: u64,
    ) -> Result<(Look, Vec<Event>)> {
        let [without, with] = if self.has_presence { sql::LOOK_WITH_PRESENCE } else { sql::LOOK };
        let statement = if self.stands_for.is_some() { with } else { without };
        let values = vec![text(&self.name), number(after), number(max_events)];
        let mut rows = timed(execute(connection, statement, values)).await?.into_iter();
        let first = rows.next().ok_or_else(|| damaged("row"))?;
        let (mut look, event) =
            rows::look(first, self.stands_for).ok_or_else(|| damaged("value"))?;
        look.pulse = Some(pulse::of(&look));
        look.part_expired(now_ms());
        let mut events: Vec<Event> = event.into_iter().collect();
        events.extend(all(rows, "event", event_of)?);
        Ok((look, events))
    }
}
