//! Subscriptions of Web Push. Keyed by the channel's name: there may be some before its first event.

use spin_sdk::sqlite::Value;
use tidewire_core::{PUSH_PAGE_EVENTS, PushEvent, PushPage, PushRow};

use super::database::{execute, shared};
use super::rows::{Row, all, integer, number, optional, text};
use super::{SqliteStore, sql};
use crate::store::{PushTable, Result};

impl PushTable for SqliteStore {
    async fn push_rows(&self) -> Result<Vec<PushRow>> {
        let connection = shared().await?;
        let rows = execute(&connection, sql::PUSH_ROWS, vec![text(&self.name)]).await?;
        all(rows, "subscription", push_row)
    }

    async fn claim_push(&self, now_ms: u64, until_ms: u64) -> Result<Vec<PushRow>> {
        let connection = shared().await?;
        let values = vec![text(&self.name), number(now_ms)];
        execute(&connection, sql::FORGET_PUSH_OF, values).await?;
        let values = vec![text(&self.name), number(now_ms), number(until_ms)];
        all(execute(&connection, sql::CLAIM_PUSH, values).await?, "subscription", push_row)
    }

    async fn put_push(&self, row: PushRow) -> Result<()> {
        let connection = shared().await?;
        let values = vec![
            text(&self.name),
            Value::Text(row.id),
            optional(row.due_ms, number),
            optional(row.until_ms, number),
            Value::Text(row.data),
        ];
        execute(&connection, sql::PUT_PUSH, values).await?;
        Ok(())
    }

    async fn save_push(&self, row: PushRow) -> Result<()> {
        let connection = shared().await?;
        let values = vec![text(&self.name), Value::Text(row.id), Value::Text(row.data)];
        execute(&connection, sql::SAVE_PUSH, values).await?;
        Ok(())
    }

    async fn settle_push(&self, row: PushRow, pushed: u64, now_ms: u64) -> Result<()> {
        let connection = shared().await?;
        let values = vec![
            text(&self.name),
            Value::Text(row.id),
            optional(row.due_ms, number),
            Value::Text(row.data),
            number(pushed),
            number(now_ms),
        ];
        execute(&connection, sql::SETTLE_PUSH, values).await?;
        Ok(())
    }

    async fn remove_push(&self, id: String) -> Result<()> {
        let connection = shared().await?;
        execute(&connection, sql::REMOVE_PUSH, vec![text(&self.name), Value::Text(id)]).await?;
        Ok(())
    }

    async fn push_page(&self, after: u64) -> Result<PushPage> {
        let connection = shared().await?;
        let values = vec![text(&self.name), number(after), number(PUSH_PAGE_EVENTS)];
        let rows = execute(&connection, sql::PUSH_PAGE, values).await?;
        let (mut epoch, mut tail) = (0, 0);
        let head = |row: &Row| Some((integer(row.first()?)?, integer(row.get(1)?)?));
        if let Some(found) = rows.first().and_then(head) {
            (epoch, tail) = found;
        }
        // A channel without such events has one row without an event.
        let events = rows.into_iter().filter_map(event).collect();
        Ok(PushPage { epoch, tail, events })
    }

    async fn next_push_ms(&self) -> Result<Option<u64>> {
        let connection = shared().await?;
        let rows = execute(&connection, sql::NEXT_PUSH, vec![text(&self.name)]).await?;
        Ok(rows.first().and_then(|row| row.first()).and_then(integer))
    }

    async fn due_push(function: &str, now_ms: u64, most: u64) -> Result<Vec<String>> {
        let connection = shared().await?;
        let from = format!("{function}/");
        // `0` follows `/`.
        let values =
            vec![text(&from), Value::Text(format!("{function}0")), number(now_ms), number(most)];
        let rows = execute(&connection, sql::DUE_PUSH, values).await?;
        let name = |row: Row| match row.into_iter().next() {
            Some(Value::Text(name)) => name.strip_prefix(&from).map(Into::into),
            _ => None,
        };
        all(rows, "subscription", name)
    }
}

fn push_row(row: Row) -> Option<PushRow> {
    let [id, due_ms, until_ms, data] = <[Value; 4]>::try_from(row).ok()?;
    let (Value::Text(id), Value::Text(data)) = (id, data) else { return None };
    Some(PushRow { id, due_ms: integer(&due_ms), until_ms: integer(&until_ms), data })
}

fn event(row: Row) -> Option<PushEvent> {
    let [_, _, seq, at_ms, Value::Blob(data)] = <[Value; 5]>::try_from(row).ok()? else {
        return None;
    };
    Some(PushEvent { seq: integer(&seq)?, at_ms: integer(&at_ms)?, data })
}
