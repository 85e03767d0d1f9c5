//! The arguments of an operation of the script.

use tidewire_core::{Commit, Expiry};

use super::connection::Arguments;
use super::reply::tally_text;
use crate::clock::now_ms;
use crate::store::Stored;

/// The arguments of one operation.
pub(super) struct Call(pub(super) Arguments);

impl Call {
    pub(super) fn new(operation: &str, name: &str, token: &str) -> Call {
        Call(vec![operation.into(), name.into(), now_ms().to_string().into(), token.into()])
    }

    pub(super) fn text(mut self, text: impl Into<Vec<u8>>) -> Call {
        self.0.push(text.into());
        self
    }

    pub(super) fn number(self, number: u64) -> Call {
        self.text(number.to_string())
    }

    pub(super) fn flag(self, flag: bool) -> Call {
        self.text(if flag { "1" } else { "0" })
    }

    pub(super) fn optional(self, number: Option<u64>) -> Call {
        self.text(number.map(|number| number.to_string()).unwrap_or_default())
    }
}

/// The channel of the decision. Without snapshots, no snapshot is compared.
pub(super) fn put_before(
    call: Call,
    before: Option<&Stored>,
    expired: Option<&Stored>,
    has_snapshots: bool,
) -> Call {
    let channel = before.map(|before| &before.channel);
    let snapshot = channel.and_then(|channel| channel.snapshot).map_or(0, |last| last.seq);
    call.optional(before.map(|before| before.id))
        .optional(channel.map(|channel| channel.tail))
        .flag(channel.is_some_and(|channel| channel.closed))
        .text(channel.and_then(|channel| channel.stream_seq.clone()).unwrap_or_default())
        .optional(channel.map(|channel| channel.revision))
        .optional(has_snapshots.then_some(snapshot))
        .optional(expired.map(|expired| expired.id))
}

/// The tallies that the decision has read.
pub(super) fn put_known(call: Call, tallies: &[(String, String)]) -> Call {
    tallies.iter().fold(call.number(tallies.len() as u64), |call, (id, state)| {
        call.text(id.as_str()).text(state.as_str())
    })
}

/// The rows and the state to write.
pub(super) fn put_commit(call: Call, id: u64, commit: &Commit) -> Call {
    let Commit { channel, rows, tallies, .. } = commit;
    let [ttl_s, expires_at_ms, touched_at_ms] = Expiry::columns(channel.expiry);
    let mut call = call
        .flag(commit.is_channel_changed)
        .number(id)
        .number(channel.epoch)
        .text(channel.content_type.as_str())
        .flag(channel.closed)
        .text(channel.stream_seq.clone().unwrap_or_default())
        .number(channel.revision)
        .optional(ttl_s)
        .optional(expires_at_ms)
        .optional(touched_at_ms)
        .optional(commit.erased.as_ref().map(|event| event.seq))
        .text(commit.erased.as_ref().map(|event| event.data.clone()).unwrap_or_default())
        .flag(commit.drops_snapshots())
        .optional(commit.push_due_ms)
        .number(tallies.len() as u64);
    for (id, state) in tallies {
        call = call.text(id.as_str()).text(tally_text(state)).number(state.busy_until_ms);
    }
    call = match &commit.forgetting {
        Some(forgetting) => call
            .number(forgetting.idle_before_ms)
            .number(forgetting.crowded_before_ms)
            .number(forgetting.most),
        None => call.text(""),
    };
    call = call
        .number(rows.len() as u64)
        .number(rows.first().map_or(0, |row| row.at_ms))
        .text(commit.producer.as_ref().map(|producer| producer.id.clone()).unwrap_or_default());
    rows.iter().fold(call, |call, row| call.text(row.event.data.as_slice()))
}
