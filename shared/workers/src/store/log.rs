//! The log of the channel: its events, publishers and own row.

use tidewire_core::{
    Authored, Channel, Commit, Expiry, Page, PageLimit, ProducerState, Retention, RowSize,
};
use wasm_bindgen::prelude::*;
use worker::{Result, SqlStorageValue};

use super::rows::{bytes, integer, number, optional, optional_text};
use super::{Store, page, sql};

#[wasm_bindgen(inline_js = "
export function insert_event(sql, statement, seq, at_ms, total, data, producer) {
    // A copy of the data: the memory of the module may move.
    sql.exec(statement, seq, at_ms, total, data.slice(), producer ?? null);
}")]
extern "C" {
    /// One call an event: the SDK makes several for each value.
    #[wasm_bindgen(catch)]
    fn insert_event(
        sql: &JsValue,
        statement: &str,
        seq: f64,
        at_ms: f64,
        total: f64,
        data: &[u8],
        producer: Option<&str>,
    ) -> Result<(), JsValue>;
}

impl Store {
    /// Writes a commit, whole or not at all.
    pub(crate) fn commit(&self, commit: &Commit) -> Result<()> {
        let write = || {
            if !self.has_tables.get() {
                self.sql.exec(sql::SCHEMA, None)?;
            } else if commit.is_new {
                // An expired channel whose alarm has not run yet.
                self.sql.exec(sql::DELETE_EVENTS, None)?;
                if self.has_producers.get() {
                    self.sql.exec(sql::DELETE_TALLIES, None)?;
                }
                if self.has_push.get() {
                    self.sql.exec(sql::DELETE_PUSH, None)?;
                }
            }
            if (commit.is_new || commit.drops_snapshots()) && self.has_snapshots.get() {
                self.sql.exec(sql::DELETE_SNAPSHOTS, None)?;
            }
            for row in &commit.rows {
                insert_event(
                    self.sql.as_ref(),
                    sql::INSERT_EVENT,
                    row.event.seq as f64,
                    row.at_ms as f64,
                    row.total as f64,
                    &row.event.data,
                    commit.producer.as_ref().map(|producer| producer.id.as_str()),
                )?;
            }
            if let Some(event) = &commit.erased {
                self.sql.exec(
                    sql::ERASE_EVENT,
                    vec![SqlStorageValue::Blob(event.data.clone()), number(event.seq)],
                )?;
            }
            if let Some(due_ms) = commit.push_due_ms.filter(|_| self.has_push.get()) {
                self.sql.exec(sql::OWE_PUSH, vec![number(due_ms)])?;
            }
            if commit.is_channel_changed {
                self.write_channel(&commit.channel)?;
            }
            if !commit.tallies.is_empty() && !self.has_producers.get() {
                self.sql.exec(sql::PRODUCERS, None)?;
            }
            for (id, state) in &commit.tallies {
                let values = vec![
                    id.as_str().into(),
                    number(state.epoch),
                    number(state.seq),
                    number(state.busy_until_ms),
                ];
                self.sql.exec(sql::PUT_TALLY, values)?;
            }
            if let Some(forgetting) = &commit.forgetting {
                self.sql.exec(
                    sql::FORGET,
                    vec![
                        number(forgetting.idle_before_ms),
                        number(forgetting.crowded_before_ms),
                        number(forgetting.most),
                    ],
                )?;
            }
            Ok(())
        };
        // One statement is atomic by itself.
        if self.has_tables.get() && commit.adds_only_events() && commit.rows.len() == 1 {
            write()?;
        } else {
            self.atomically(write)?;
        }
        self.has_tables.set(true);
        self.has_producers.set(self.has_producers.get() || !commit.tallies.is_empty());
        Ok(())
    }

    /// Stores when the channel was read or written, from which its sliding TTL counts.
    pub(crate) fn touch(&self, channel: &Channel) -> Result<()> {
        let [_, _, touched_at_ms] = Expiry::columns(channel.expiry);
        self.sql.exec(sql::TOUCH, vec![optional(touched_at_ms)])?;
        Ok(())
    }

    /// The state of a producer.
    pub(crate) fn producer(&self, id: &str) -> Result<Option<ProducerState>> {
        if !self.has_producers.get() {
            return Ok(None);
        }
        let Some(row) = self.first(sql::TALLY, vec![id.into()])? else {
            return Ok(None);
        };
        let mut row = row.into_iter();
        Ok(Some(ProducerState {
            epoch: integer(row.next())?,
            seq: integer(row.next())?,
            busy_until_ms: integer(row.next())?,
        }))
    }

    /// One event with its publisher.
    pub(crate) fn event(&self, seq: u64) -> Result<Option<Authored>> {
        let Some(row) = self.first(sql::EVENT, vec![number(seq)])? else {
            return Ok(None);
        };
        let mut row = row.into_iter();
        Ok(Some(Authored { data: bytes(row.next())?, producer: optional_text(row.next()) }))
    }

    /// Drops the events that retention does not keep and returns the channel after it.
    pub(crate) fn retain(
        &self,
        channel: &Channel,
        retention: &Retention,
        now_ms: u64,
    ) -> Result<Channel> {
        let oldest = self.sql.exec(sql::SIZES, None)?;
        let mut fault = None;
        // The cursor is read no further than the first event that stays.
        let rows = oldest
            .raw()
            .map_while(|row| row.and_then(size).map_err(|error| fault = Some(error)).ok());
        let kept = retention.cut(channel, now_ms, rows);
        if let Some(fault) = fault {
            return Err(fault);
        }
        let cut = || self.sql.exec(sql::CUT, vec![number(kept.first)]).map(|_| ());
        if kept.first <= kept.tail {
            // One statement is atomic by itself.
            cut()?;
        } else {
            self.atomically(|| cut().and_then(|()| self.write_channel(&kept)))?;
        }
        Ok(kept)
    }

    /// The sizes of all events, the oldest first.
    pub(crate) fn sizes(&self) -> Result<Vec<RowSize>> {
        self.sql.exec(sql::SIZES, None)?.raw().map(|row| size(row?)).collect()
    }

    /// Events after a position. Reads at most one row more than it returns.
    pub(crate) fn page(&self, after: u64, limit: PageLimit) -> Result<Page> {
        page::read(&self.sql, after, limit)
    }

    fn write_channel(&self, channel: &Channel) -> Result<()> {
        self.sql.exec(sql::DELETE_CHANNEL, None)?;
        let [ttl_s, expires_at_ms, touched_at_ms] = Expiry::columns(channel.expiry).map(optional);
        let values = vec![
            number(sql::SCHEMA_VERSION),
            number(channel.epoch),
            SqlStorageValue::String(channel.content_type.as_str().into()),
            SqlStorageValue::Integer(channel.closed.into()),
            channel.stream_seq.clone().map_or(SqlStorageValue::Null, SqlStorageValue::String),
            number(channel.tail),
            number(channel.total),
            number(channel.revision),
            ttl_s,
            expires_at_ms,
            touched_at_ms,
        ];
        self.sql.exec(sql::INSERT_CHANNEL, values)?;
        Ok(())
    }
}

fn size(row: Vec<SqlStorageValue>) -> Result<RowSize> {
    let mut row = row.into_iter();
    Ok(RowSize {
        seq: integer(row.next())?,
        at_ms: integer(row.next())?,
        total: integer(row.next())?,
    })
}
