//! The log of one channel, in the shared database.

use spin_sdk::sqlite::{Connection, Error, Value};
use tidewire_core::{
    Authored, Channel, Commit, ContentType, Event, Expiry, Lease, Member, Page, PageLimit,
    ProducerState, Retention, Revocation, RowSize, Tally, hash,
};

use crate::clock::now_ms;
use crate::database::{Row, Transaction, execute, integer, number, shared};

/// A channel in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its row; a channel that is deleted and created again has another.
    pub(crate) id: u64,
    pub(crate) channel: Channel,
}

/// The result of one look at the store.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) stored: Option<Stored>,
    /// An expired channel that no sweep has removed yet. A new channel of the name replaces it.
    pub(crate) expired: Option<Stored>,
    /// Newest epoch of a removed channel.
    pub(crate) last_epoch: u64,
    /// Changes with the members; 0 without any or without presence.
    pub(crate) presence_version: u64,
    /// Changes with each revocation; 0 without any.
    pub(crate) revocations_version: u64,
}

impl Look {
    pub(crate) fn channel(&self) -> Option<&Channel> {
        self.stored.as_ref().map(|stored| &stored.channel)
    }
}

/// The store of one channel.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// Function and channel name: components of an application share the database.
    name: String,
    /// Whether a look includes the members' version.
    has_presence: bool,
}

/// Rows looked at in one cut of retention.
const CUT_ROWS: u64 = 1_000;

/// Most events of one statement: well below the 32,766 parameters that it allows. Larger batches
/// take the lock.
const STATEMENT_ROWS: usize = 1_000;

/// The channel, and with each of its rows one event after a position; one row without an event if
/// there is none. The condition that `s` has one row is for SQLite, which would sort the events
/// otherwise.
macro_rules! look {
    ($presence:literal) => {
        concat!(
            "SELECT ",
            $presence,
            ", s.last_epoch, c.id, c.epoch, c.content_type, c.closed, c.stream_seq, c.revision, coalesce(newest.seq, c.tail), coalesce(newest.total, c.total),
       oldest.seq, oldest.at_ms, max(oldest.total - length(oldest.data), 0), c.ttl_s, c.expires_at_ms, c.touched_at_ms,
       (SELECT max(until_ms) FROM revocations WHERE channel = ?1), e.seq, e.data
FROM store s
LEFT JOIN channels c ON c.name = ?1
LEFT JOIN events newest ON newest.channel = c.id AND newest.seq = (SELECT max(seq) FROM events WHERE channel = c.id)
LEFT JOIN events oldest ON oldest.channel = c.id AND oldest.seq = (SELECT min(seq) FROM events WHERE channel = c.id)
LEFT JOIN events e ON e.channel = c.id AND e.seq > ?2
WHERE s.one = 1
ORDER BY e.seq LIMIT ?3"
        )
    };
}
const LOOK: &str = look!("NULL");
const LOOK_WITH_PRESENCE: &str = look!("(SELECT max(version) FROM presence WHERE channel = ?1)");

/// Carries out a `Forgetting`. A producer without a time may still be active.
const FORGET: &str = "DELETE FROM producers WHERE channel = ?1 AND (busy_until_ms BETWEEN 1 AND ?2 OR busy_until_ms BETWEEN 1 AND ?3
    AND id IN (SELECT id FROM producers WHERE channel = ?1 ORDER BY busy_until_ms DESC LIMIT -1 OFFSET ?4))";

/// After every event: a look at the channel alone.
const NO_EVENTS: u64 = 1 << 53;

impl Store {
    pub(crate) fn new(function: &str, channel: &str, has_presence: bool) -> Store {
        Store { name: format!("{function}/{channel}"), has_presence }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name of the channel in the log.
    pub(crate) fn hash(&self) -> String {
        let (function, channel) = self.function_and_channel();
        hash(function, channel)
    }

    pub(crate) fn function_and_channel(&self) -> (&str, &str) {
        self.name.split_once('/').unwrap_or_default()
    }

    pub(crate) fn has_presence(&self) -> bool {
        self.has_presence
    }

    /// The channel alone.
    pub(crate) async fn load(&self) -> Result<Look, Error> {
        let connection = shared().await?;
        Ok(self.look_on(&connection, NO_EVENTS, 1).await?.0)
    }

    /// The channel and its events after a position, in one statement.
    pub(crate) async fn look(&self, after: u64, limit: PageLimit) -> Result<(Look, Page), Error> {
        let connection = shared().await?;
        let (look, events) = self.look_on(&connection, after, limit.max_events).await?;
        let page = Page::take(after, limit, events.into_iter().map(Ok::<_, Error>))?;
        Ok((look, page))
    }

    async fn look_on(
        &self,
        connection: &Connection,
        after: u64,
        max_events: u64,
    ) -> Result<(Look, Vec<Event>), Error> {
        let values = vec![Value::Text(self.name.clone()), number(after), number(max_events)];
        let mut rows =
            execute(connection, if self.has_presence { LOOK_WITH_PRESENCE } else { LOOK }, values)
                .await?
                .into_iter();
        let first = rows.next().ok_or_else(|| damaged("row"))?;
        let (mut look, event) = look(first).ok_or_else(|| damaged("value"))?;
        if let Some(expired) = look.stored.take_if(|stored| stored.channel.is_expired(now_ms())) {
            look.last_epoch = look.last_epoch.max(expired.channel.epoch);
            look.expired = Some(expired);
        }
        let more = rows.map(|row| event_of(row).ok_or_else(|| damaged("event")));
        let events = event.into_iter().map(Ok).chain(more).collect::<Result<_, _>>()?;
        Ok((look, events))
    }

    /// Appends to a channel that is as it was when the core decided; `false` if it has changed, and
    /// nothing was written.
    ///
    /// One statement: its condition holds the expected head, and the primary key refuses a
    /// concurrent writer too.
    pub(crate) async fn append(&self, before: &Stored, commit: &Commit) -> Result<bool, Error> {
        if commit.rows.len() > STATEMENT_ROWS {
            return Ok(false);
        }
        let connection = shared().await?;
        let places = vec!["(?, ?, ?, ?)"; commit.rows.len()].join(", ");
        let statement = format!(
            "INSERT INTO events (channel, seq, at_ms, total, data)
             SELECT c.id, v.column1, v.column2, v.column3, v.column4 FROM (VALUES {places}) v, channels c
             WHERE c.id = ? AND c.closed = 0 AND coalesce((SELECT max(seq) FROM events WHERE channel = c.id), c.tail) = ?
             RETURNING 1"
        );
        let mut values: Vec<Value> = Vec::with_capacity(commit.rows.len() * 4 + 2);
        for row in &commit.rows {
            values.extend([
                number(row.event.seq),
                number(row.at_ms),
                number(row.total),
                Value::Blob(row.event.data.clone()),
            ]);
        }
        values.extend([number(before.id), number(before.channel.tail)]);
        let written = execute(&connection, &statement, values).await?;
        Ok(written.len() == commit.rows.len())
    }

    /// Takes the write lock and reads the channel: no other write can come between this and the
    /// commit.
    pub(crate) async fn lock(&self) -> Result<(Transaction, Look), Error> {
        // The first connection creates the tables.
        shared().await?;
        let transaction = Transaction::begin().await?;
        let (look, _) = self.look_on(transaction.connection(), NO_EVENTS, 1).await?;
        Ok((transaction, look))
    }

    /// The tallies of the channel's publishers, in one statement.
    pub(crate) async fn known(
        &self,
        connection: &Connection,
        look: &Look,
        mut tallies: Vec<Tally>,
    ) -> Result<Vec<Tally>, Error> {
        let Some(stored) = &look.stored else { return Ok(tallies) };
        if tallies.is_empty() {
            return Ok(tallies);
        }
        let places = vec!["?"; tallies.len()].join(", ");
        let statement = format!(
            "SELECT id, epoch, seq, busy_until_ms FROM producers WHERE channel = ? AND id IN ({places})"
        );
        let ids = tallies.iter().map(|tally| Value::Text(tally.id.clone()));
        for row in
            execute(connection, &statement, [number(stored.id)].into_iter().chain(ids).collect())
                .await?
        {
            let [Value::Text(id), epoch, seq, busy_until_ms] = row.as_slice() else {
                return Err(damaged("producer"));
            };
            let (Some(epoch), Some(seq), Some(busy_until_ms)) =
                (integer(epoch), integer(seq), integer(busy_until_ms))
            else {
                return Err(damaged("producer"));
            };
            for tally in tallies.iter_mut().filter(|tally| tally.id == *id) {
                tally.known = Some(ProducerState { epoch, seq, busy_until_ms });
            }
        }
        Ok(tallies)
    }

    /// Writes a commit under the lock.
    pub(crate) async fn write(
        &self,
        transaction: &Transaction,
        before: Option<&Stored>,
        commit: &Commit,
    ) -> Result<(), Error> {
        let channel = &commit.channel;
        let stream_seq = || channel.stream_seq.clone().map_or(Value::Null, Value::Text);
        let id = match before {
            Some(stored) => {
                if commit.is_channel_changed {
                    let values = vec![
                        Value::Integer(channel.closed.into()),
                        stream_seq(),
                        number(channel.revision),
                        number(stored.id),
                    ];
                    transaction.execute("UPDATE channels SET closed = ?, stream_seq = ?, revision = ? WHERE id = ?", values).await?;
                }
                stored.id
            }
            None => {
                let values = vec![
                    Value::Text(self.name.clone()),
                    number(channel.epoch),
                    Value::Text(channel.content_type.as_str().into()),
                    Value::Integer(channel.closed.into()),
                    stream_seq(),
                ];
                let expiry = Expiry::columns(channel.expiry)
                    .map(|column| column.map_or(Value::Null, number));
                let values = values.into_iter().chain(expiry).collect();
                // The newest event gives tail and total; the channel's own row has them only while
                // no event is left.
                let statement = "INSERT INTO channels (name, epoch, content_type, closed, stream_seq, tail, total, ttl_s, expires_at_ms, touched_at_ms)
                                 VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?, ?) RETURNING id";
                let made = transaction.execute(statement, values).await?;
                made.first()
                    .and_then(|row| row.first())
                    .and_then(integer)
                    .ok_or_else(|| damaged("id"))?
            }
        };
        for (publisher, state) in &commit.tallies {
            let values = vec![
                number(id),
                Value::Text(publisher.clone()),
                number(state.epoch),
                number(state.seq),
                number(state.busy_until_ms),
            ];
            transaction.execute("INSERT OR REPLACE INTO producers (channel, id, epoch, seq, busy_until_ms) VALUES (?, ?, ?, ?, ?)", values).await?;
        }
        if let Some(forgetting) = &commit.forgetting {
            let values = vec![
                number(id),
                number(forgetting.idle_before_ms),
                number(forgetting.crowded_before_ms),
                number(forgetting.most),
            ];
            transaction.execute(FORGET, values).await?;
        }
        for row in &commit.rows {
            let producer = commit
                .producer
                .as_ref()
                .map_or(Value::Null, |producer| Value::Text(producer.id.clone()));
            let values = vec![
                number(id),
                number(row.event.seq),
                number(row.at_ms),
                number(row.total),
                Value::Blob(row.event.data.clone()),
                producer,
            ];
            transaction.execute("INSERT INTO events (channel, seq, at_ms, total, data, producer) VALUES (?, ?, ?, ?, ?, ?)", values).await?;
        }
        if let Some(event) = &commit.erased {
            let values = vec![Value::Blob(event.data.clone()), number(id), number(event.seq)];
            transaction
                .execute("UPDATE events SET data = ? WHERE channel = ? AND seq = ?", values)
                .await?;
        }
        Ok(())
    }

    /// Stores when the channel was read or written, from which its sliding TTL counts. A channel
    /// that has expired in the meantime stays expired.
    pub(crate) async fn touch(
        &self,
        connection: &Connection,
        id: u64,
        channel: &Channel,
    ) -> Result<(), Error> {
        let [_, _, Some(touched_at_ms)] = Expiry::columns(channel.expiry) else { return Ok(()) };
        let statement = "UPDATE channels SET touched_at_ms = ?1 WHERE id = ?2 AND touched_at_ms + ttl_s * 1000 > ?1";
        execute(connection, statement, vec![number(touched_at_ms), number(id)]).await?;
        Ok(())
    }

    /// One event with its publisher, under the lock.
    pub(crate) async fn event(
        &self,
        transaction: &Transaction,
        look: &Look,
        seq: u64,
    ) -> Result<Option<Authored>, Error> {
        let Some(stored) = &look.stored else { return Ok(None) };
        let values = vec![number(stored.id), number(seq)];
        let rows = transaction
            .execute("SELECT data, producer FROM events WHERE channel = ? AND seq = ?", values)
            .await?;
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        match <[Value; 2]>::try_from(row) {
            Ok([Value::Blob(data), Value::Text(producer)]) => {
                Ok(Some(Authored { data, producer: Some(producer) }))
            }
            Ok([Value::Blob(data), _]) => Ok(Some(Authored { data, producer: None })),
            _ => Err(damaged("event")),
        }
    }

    /// Removes the whole channel, under the lock. Only its epoch is kept, as the store's newest.
    pub(crate) async fn delete(
        &self,
        transaction: &Transaction,
        stored: &Stored,
    ) -> Result<(), Error> {
        transaction
            .execute("DELETE FROM events WHERE channel = ?", vec![number(stored.id)])
            .await?;
        transaction
            .execute("DELETE FROM producers WHERE channel = ?", vec![number(stored.id)])
            .await?;
        transaction.execute("DELETE FROM channels WHERE id = ?", vec![number(stored.id)]).await?;
        transaction
            .execute("DELETE FROM presence WHERE channel = ?", vec![Value::Text(self.name.clone())])
            .await?;
        transaction
            .execute(
                "UPDATE store SET last_epoch = max(last_epoch, ?)",
                vec![number(stored.channel.epoch)],
            )
            .await?;
        Ok(())
    }

    /// Members with their leases, including expired ones.
    pub(crate) async fn leases(&self) -> Result<Vec<Lease>, Error> {
        let connection = shared().await?;
        let statement =
            "SELECT id, state, until_ms FROM presence WHERE channel = ? AND state IS NOT NULL";
        let rows = execute(&connection, statement, vec![Value::Text(self.name.clone())]).await?;
        let lease = |row: Row| match <[Value; 3]>::try_from(row) {
            Ok([Value::Text(id), Value::Text(state), until_ms]) => Some(Lease {
                member: Member { id, state: Some(state) },
                until_ms: integer(&until_ms)?,
            }),
            _ => None,
        };
        rows.into_iter().map(|row| lease(row).ok_or_else(|| damaged("member"))).collect()
    }

    /// Writes a member's update. Only a change gets a new version, which was never used before: a
    /// renewal costs the readers no read of the members.
    pub(crate) async fn put_member(
        &self,
        said: &Member,
        is_news: bool,
        until_ms: u64,
        now_ms: u64,
    ) -> Result<(), Error> {
        let connection = shared().await?;
        let statement = "INSERT INTO presence (channel, id, state, until_ms, version)
             VALUES (?1, ?2, ?3, ?4, max(?5, 1 + coalesce((SELECT max(version) FROM presence WHERE channel = ?1), 0)))
             ON CONFLICT (channel, id) DO UPDATE SET state = excluded.state, until_ms = excluded.until_ms, version = CASE WHEN ?6 THEN excluded.version ELSE version END";
        let state = said.state.clone().map_or(Value::Null, Value::Text);
        let values = vec![
            Value::Text(self.name.clone()),
            Value::Text(said.id.clone()),
            state,
            number(until_ms),
            number(now_ms),
            Value::Integer(is_news.into()),
        ];
        execute(&connection, statement, values).await?;
        if is_news {
            // Of every channel: a member may never return to its channel.
            execute(&connection, "DELETE FROM presence WHERE until_ms <= ?", vec![number(now_ms)])
                .await?;
        }
        Ok(())
    }

    /// The revocations of the channel that are in force.
    pub(crate) async fn revocations(&self) -> Result<Vec<Revocation>, Error> {
        self.revocations_on(&*shared().await?).await
    }

    /// The same on the connection that holds the lock, or on any other.
    pub(crate) async fn revocations_on(
        &self,
        connection: &Connection,
    ) -> Result<Vec<Revocation>, Error> {
        let statement = "SELECT of, until_ms FROM revocations WHERE channel = ? AND until_ms > ?";
        let rows =
            execute(connection, statement, vec![Value::Text(self.name.clone()), number(now_ms())])
                .await?;
        let revocation = |row: Row| match row.as_slice() {
            [Value::Text(of), until_ms] => Revocation::from_columns(of, integer(until_ms)?),
            _ => None,
        };
        rows.into_iter().map(|row| revocation(row).ok_or_else(|| damaged("revocation"))).collect()
    }

    pub(crate) async fn put_revocation(&self, revocation: &Revocation) -> Result<(), Error> {
        let connection = shared().await?;
        // Of every channel: nobody may ever ask for theirs again.
        execute(&connection, "DELETE FROM revocations WHERE until_ms <= ?", vec![number(now_ms())])
            .await?;
        let statement = "INSERT INTO revocations (channel, until_ms, of)
             VALUES (?1, max(?2, 1 + coalesce((SELECT max(until_ms) FROM revocations WHERE channel = ?1), 0)), ?3)";
        execute(
            &connection,
            statement,
            vec![
                Value::Text(self.name.clone()),
                number(revocation.until_ms),
                Value::Text(revocation.column()),
            ],
        )
        .await?;
        Ok(())
    }

    /// Drops the events that retention does not keep. A cut is right whatever others append, so it
    /// needs no lock.
    pub(crate) async fn retain(
        &self,
        stored: &Stored,
        retention: &Retention,
        now_ms: u64,
    ) -> Result<(), Error> {
        let connection = shared().await?;
        let values = vec![number(stored.id), number(CUT_ROWS)];
        let rows = execute(
            &connection,
            "SELECT seq, at_ms, total FROM events WHERE channel = ? ORDER BY seq LIMIT ?",
            values,
        )
        .await?;
        let kept = retention.cut(
            &stored.channel,
            now_ms,
            rows.iter().filter_map(|row| match row.as_slice() {
                [seq, at_ms, total] => Some(RowSize {
                    seq: integer(seq)?,
                    at_ms: integer(at_ms)?,
                    total: integer(total)?,
                }),
                _ => None,
            }),
        );
        if kept.first > kept.tail {
            // No event is left to give them.
            let values = vec![number(kept.tail), number(kept.total), number(stored.id)];
            execute(
                &connection,
                "UPDATE channels SET tail = max(tail, ?), total = max(total, ?) WHERE id = ?",
                values,
            )
            .await?;
        }
        execute(
            &connection,
            "DELETE FROM events WHERE channel = ? AND seq < ?",
            vec![number(stored.id), number(kept.first)],
        )
        .await?;
        Ok(())
    }
}

fn look(row: Row) -> Option<(Look, Option<Event>)> {
    let [
        presence_version,
        last_epoch,
        id,
        epoch,
        content_type,
        closed,
        stream_seq,
        revision,
        tail,
        total,
        first,
        first_at_ms,
        dropped,
        ttl_s,
        expires_at_ms,
        touched_at_ms,
        revocations_version,
        seq,
        data,
    ] = row.try_into().ok()?;
    let (last_epoch, presence_version) =
        (integer(&last_epoch)?, integer(&presence_version).unwrap_or(0));
    let revocations_version = integer(&revocations_version).unwrap_or(0);
    let Some(id) = integer(&id) else {
        return Some((
            Look { stored: None, expired: None, last_epoch, presence_version, revocations_version },
            None,
        ));
    };
    let Value::Text(content_type) = content_type else { return None };
    let mut channel = Channel::new(integer(&epoch)?, ContentType::parse(&content_type)?);
    channel.closed = integer(&closed)? != 0;
    channel.stream_seq = match stream_seq {
        Value::Text(seq) => Some(seq),
        _ => None,
    };
    channel.revision = integer(&revision)?;
    channel.tail = integer(&tail)?;
    channel.total = integer(&total)?;
    channel.first = integer(&first).unwrap_or(channel.tail + 1);
    channel.first_at_ms = integer(&first_at_ms).unwrap_or(0);
    channel.dropped = integer(&dropped).unwrap_or(channel.total);
    channel.expiry =
        Expiry::from_columns(integer(&ttl_s), integer(&expires_at_ms), integer(&touched_at_ms));
    let event = match (integer(&seq), data) {
        (Some(seq), Value::Blob(data)) => Some(Event { seq, data }),
        _ => None,
    };
    Some((
        Look {
            stored: Some(Stored { id, channel }),
            expired: None,
            last_epoch,
            presence_version,
            revocations_version,
        },
        event,
    ))
}

fn event_of(row: Row) -> Option<Event> {
    let [.., seq, Value::Blob(data)] = <[Value; 19]>::try_from(row).ok()? else { return None };
    Some(Event { seq: integer(&seq)?, data })
}

fn damaged(what: &str) -> Error {
    Error::Io(format!("the store has an invalid {what}"))
}
