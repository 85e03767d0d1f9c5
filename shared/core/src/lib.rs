//! The decisions of Tidewire: channels, offsets, and every byte of the wire.
//!
//! Pure: no I/O, no clock, no randomness and nothing that needs `Send`. An adapter passes in what
//! it read and the time, and carries out the result. `PROTOCOL.md` beside this crate describes the
//! wire.
//!
//! The path of a request: [`route`] turns it into a [`ChannelRequest`] for one channel,
//! [`decide_read`] and [`decide_change`] say what to do with the channel's state, and a [`Framing`]
//! encodes the events for readers.
//!
//! This file is the table of contents: the folders and files, and the names that other crates
//! import from them. Arrows between folders go one way, from `connection` and `decide` down to
//! `error`: `tests/arrows.rs` holds that.

mod access;
mod awareness;
mod channel;
mod close_code;
mod connection;
mod decide;
mod document;
mod error;
mod function;
mod future;
mod http;
mod limits;
mod policy;
mod presence;
mod publish;
mod push;
mod request;
mod settings;
mod stats;
mod trace;
#[cfg(test)]
mod typescript;
mod wire;

// What a function supplies.
pub use document::{Bare, DocumentMessage, Documents, Lacks, Summarize, Summary};
pub use function::{Asset, Function, Route, policy_of};
pub use future::LocalFuture;
pub use limits::{Bound, LIMITS, Limit};
pub use policy::{Check, Compact, Creation, Policy, Snapshots};
pub use settings::{SETTINGS, Setting, Settings};

// A request, from its head to an operation on a channel.
pub use request::{
    Append, Awareness, AwarenessAction, Call, Change, ChannelRequest, Create, Operation, Platform,
    Precondition, Read, Routed, SUBPROTOCOL, SnapshotRead, Target, Tenant, Transport,
    UnauthorizedRequest, file, route, without_websocket,
};

// Who may do it.
pub use access::{
    Grant, Identity, Origins, Revocation, Revoked, Right, Rights, Secret, Ticket, Token,
};

// The channel, its events and its positions.
pub use channel::{
    Channel, ChannelName, Event, Expiry, Fork, Gap, Keys, NameShape, Offset, Page, PageLimit,
    Position, Retention, Row, RowSize, Snapshot, SnapshotHead, SnapshotUse, Start, Version,
};

// What holds for a publish.
pub use publish::{Forgetting, Producer, ProducerState, Rate, Tally};

// What to do with an operation.
pub use decide::{
    Authored, ChangeDecision, Commit, CompactPlan, ErasePlan, Moment, ReadDecision,
    SnapshotDecision, Subscribe, VersionPlan, Write, decide_announce, decide_awareness,
    decide_change, decide_compaction, decide_head, decide_publish, decide_read, decide_revoke,
    decide_snapshot, decide_stats, decide_version, decide_versions, timed_out,
};

// Who is present.
pub use awareness::{ClientState, MAX_CLIENT_STATE_BYTES, MAX_CLIENT_STATES, is_renewal};
pub use presence::{Lease, Member, Presence, members_at, presence_reply};

// What reaches a closed page.
pub use push::{
    MAX_SUBSCRIPTION_BYTES, PUSH_ANSWER_BYTES, PUSH_PAGE_EVENTS, PUSH_RANDOM_BYTES,
    PUSH_TIMEOUT_MS, Push, PushAnswer, PushAt, PushEvent, PushOperation, PushPage, PushPost,
    PushRow, PushSettings, PushStore, Pushing,
};

// The bytes that clients get.
pub use crate::http::{
    ContentType, PAGE_POLICY, Polling, Reply, RequestHead, fields, header_joins, into_parts, json,
    problem, read_body,
};
pub use error::{Error, ErrorKind, Result};
pub use wire::{
    ClientFrame, End, Framing, PagePlan, ack_frame, awareness_message, error_frame,
    event_stream_head, news_reply, next_cursor, sse, update_messages,
};

// One connection, from its first frame to its end.
pub use close_code::CloseCode;
pub use connection::{
    Arrival, BURST_MS, Burst, Connection, Delivery, DocumentConnection, FrameOutcome,
    MessageOutcome, StreamLife, Then, Turn, asks, client_frame, document_message, document_opening,
    opening,
};

// What its operator sees.
pub use stats::{Activity, Scope, Stats, StoreHealth};
pub use trace::{Trace, fault, hash};
