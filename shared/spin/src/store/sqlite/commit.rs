//! All that a commit writes, under the lock.

use spin_sdk::sqlite::Value;
use tidewire_core::{Channel, Commit, Expiry};

use super::database::Transaction;
use super::rows::{damaged, integer, number, optional, text};
use super::sql;
use crate::store::{Result, Stored};

/// Writes a commit to the channel `before`, or to a new one of the name.
pub(super) async fn write(
    transaction: &Transaction,
    name: &str,
    before: Option<&Stored>,
    commit: &Commit,
) -> Result<()> {
    let id = match before {
        Some(stored) => {
            if commit.is_channel_changed {
                update(transaction, stored.id, &commit.channel).await?;
            }
            stored.id
        }
        None => insert(transaction, name, &commit.channel).await?,
    };
    for (publisher, state) in &commit.tallies {
        let values = vec![
            number(id),
            text(publisher),
            number(state.epoch),
            number(state.seq),
            number(state.busy_until_ms),
        ];
        transaction.execute(sql::PUT_TALLY, values).await?;
    }
    if let Some(forgetting) = &commit.forgetting {
        let values = vec![
            number(id),
            number(forgetting.idle_before_ms),
            number(forgetting.crowded_before_ms),
            number(forgetting.most),
        ];
        transaction.execute(sql::FORGET, values).await?;
    }
    for row in &commit.rows {
        let producer = optional(commit.producer.as_ref(), |producer| text(&producer.id));
        let values = vec![
            number(id),
            number(row.event.seq),
            number(row.at_ms),
            number(row.total),
            Value::Blob(row.event.data.clone()),
            producer,
        ];
        transaction.execute(sql::INSERT_EVENT, values).await?;
    }
    if let Some(due_ms) = commit.push_due_ms {
        transaction.execute(sql::OWE_PUSH, vec![number(due_ms), text(name)]).await?;
    }
    if commit.drops_snapshots() {
        transaction.execute(sql::DELETE_SNAPSHOTS, vec![number(id)]).await?;
    }
    if let Some(event) = &commit.erased {
        let values = vec![Value::Blob(event.data.clone()), number(id), number(event.seq)];
        transaction.execute(sql::ERASE_EVENT, values).await?;
    }
    Ok(())
}

async fn update(transaction: &Transaction, id: u64, channel: &Channel) -> Result<()> {
    let values = vec![
        Value::Integer(channel.closed.into()),
        optional(channel.stream_seq.clone(), Value::Text),
        number(channel.revision),
        number(id),
    ];
    transaction.execute(sql::UPDATE_CHANNEL, values).await?;
    Ok(())
}

async fn insert(transaction: &Transaction, name: &str, channel: &Channel) -> Result<u64> {
    let mut values = vec![
        text(name),
        number(channel.epoch),
        text(channel.content_type.as_str()),
        Value::Integer(channel.closed.into()),
        optional(channel.stream_seq.clone(), Value::Text),
    ];
    values.extend(Expiry::columns(channel.expiry).map(|column| optional(column, number)));
    let made = transaction.execute(sql::INSERT_CHANNEL, values).await?;
    made.first().and_then(|row| row.first()).and_then(integer).ok_or_else(|| damaged("id"))
}

/// Removes the whole channel. Only its epoch is kept, as the store's newest.
pub(super) async fn delete(transaction: &Transaction, name: &str, stored: &Stored) -> Result<()> {
    for statement in
        [sql::DELETE_EVENTS, sql::DELETE_TALLIES, sql::DELETE_SNAPSHOTS, sql::DELETE_CHANNEL]
    {
        transaction.execute(statement, vec![number(stored.id)]).await?;
    }
    transaction.execute(sql::DELETE_MEMBERS, vec![text(name)]).await?;
    transaction.execute(sql::DELETE_PUSH, vec![text(name)]).await?;
    transaction.execute(sql::KEEP_EPOCH, vec![number(stored.channel.epoch)]).await?;
    Ok(())
}
