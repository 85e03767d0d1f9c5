//! All statements of the SQLite engine, and its tables.

/// Version of the tables below; a store of a newer version is refused, because this code cannot
/// know its form.
pub(super) const SCHEMA_VERSION: u64 = 5;

/// `store` has one row: the version, and the newest epoch of a deleted channel, so that the next
/// channel gets a higher one. An append writes only its events. A channel's own row is written when
/// something else changes, or when no event is left to give tail and total.
pub(super) const SCHEMA: [&str; 12] = [
    "CREATE TABLE IF NOT EXISTS channels (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        epoch INTEGER NOT NULL,
        content_type TEXT NOT NULL,
        closed INTEGER NOT NULL,
        stream_seq TEXT,
        tail INTEGER NOT NULL,
        total INTEGER NOT NULL,
        revision INTEGER NOT NULL DEFAULT 0,
        ttl_s INTEGER,
        expires_at_ms INTEGER,
        touched_at_ms INTEGER
    )",
    "CREATE TABLE IF NOT EXISTS events (
        channel INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        total INTEGER NOT NULL,
        data BLOB NOT NULL,
        producer TEXT,
        PRIMARY KEY (channel, seq)
    ) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS producers (
        channel INTEGER NOT NULL,
        id TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        busy_until_ms INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (channel, id)
    ) WITHOUT ROWID",
    EXPIRY,
    PRESENCE,
    REVOCATIONS,
    SNAPSHOTS,
    PUSH,
    PUSH_DUE,
    PUSH_UNTIL,
    "CREATE TABLE IF NOT EXISTS store (one INTEGER PRIMARY KEY CHECK (one = 1), schema_version INTEGER NOT NULL, last_epoch INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO store (one, schema_version, last_epoch) VALUES (1, 5, 0)",
];

/// Holds only channels that expire, so that others cost nothing and the sweep finds the first at
/// once.
const EXPIRY: &str = "CREATE INDEX IF NOT EXISTS channels_expiry ON channels (coalesce(expires_at_ms, touched_at_ms + ttl_s * 1000))
    WHERE coalesce(expires_at_ms, touched_at_ms + ttl_s * 1000) IS NOT NULL";

/// Keyed by name, not by `channels.id`: a channel without events may have members. A member that
/// left stays for a lease, without a state, so that versions only increase.
const PRESENCE: &str = "CREATE TABLE IF NOT EXISTS presence (
    channel TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT,
    until_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (channel, id)
) WITHOUT ROWID";

/// Keyed by name: creating a channel again does not restore access. `of` is the revoked ticket or
/// user, as JSON. No two revocations of a channel have the same time, so the newest time shows
/// whether there is a new one.
const REVOCATIONS: &str = "CREATE TABLE IF NOT EXISTS revocations (
    channel TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    of TEXT NOT NULL,
    PRIMARY KEY (channel, until_ms)
) WITHOUT ROWID";

/// Snapshots, in parts. Each part repeats what is known of the whole, so that one row tells it.
const SNAPSHOTS: &str = "CREATE TABLE IF NOT EXISTS snapshots (
    channel INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    part INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    total INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (channel, seq, part)
) WITHOUT ROWID";

/// Subscriptions of Web Push. Keyed by name: a channel without events may have some. Until
/// `claimed_ms` one request delivers to the subscription, and no other.
const PUSH: &str = "CREATE TABLE IF NOT EXISTS push (
    channel TEXT NOT NULL,
    id TEXT NOT NULL,
    due_ms INTEGER,
    until_ms INTEGER,
    claimed_ms INTEGER NOT NULL DEFAULT 0,
    data TEXT NOT NULL,
    PRIMARY KEY (channel, id)
) WITHOUT ROWID";

/// Holds only subscriptions to which something is owed.
const PUSH_DUE: &str =
    "CREATE INDEX IF NOT EXISTS push_due ON push (due_ms) WHERE due_ms IS NOT NULL";

/// Holds only subscriptions that end by themselves.
const PUSH_UNTIL: &str =
    "CREATE INDEX IF NOT EXISTS push_until ON push (until_ms) WHERE until_ms IS NOT NULL";

/// From version 1 to 2; the rows stay where they are.
const UPGRADE_TO_2: [&str; 9] = [
    "ALTER TABLE channels ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE channels ADD COLUMN ttl_s INTEGER",
    "ALTER TABLE channels ADD COLUMN expires_at_ms INTEGER",
    "ALTER TABLE channels ADD COLUMN touched_at_ms INTEGER",
    "ALTER TABLE events ADD COLUMN producer TEXT",
    "ALTER TABLE producers ADD COLUMN busy_until_ms INTEGER NOT NULL DEFAULT 0",
    EXPIRY,
    PRESENCE,
    "UPDATE store SET schema_version = 2",
];

/// From version 2 to 3.
const UPGRADE_TO_3: [&str; 2] = [REVOCATIONS, "UPDATE store SET schema_version = 3"];

/// From version 3 to 4.
const UPGRADE_TO_4: [&str; 2] = [SNAPSHOTS, "UPDATE store SET schema_version = 4"];

/// From version 4 to 5.
const UPGRADE_TO_5: [&str; 4] = [PUSH, PUSH_DUE, PUSH_UNTIL, "UPDATE store SET schema_version = 5"];

/// The upgrades, with the version that each begins at.
pub(super) const UPGRADES: [(u64, &[&str]); 4] =
    [(1, &UPGRADE_TO_2), (2, &UPGRADE_TO_3), (3, &UPGRADE_TO_4), (4, &UPGRADE_TO_5)];

/// Cache of the keys of providers of tokens. Beside the schema, because it is only a cache: created
/// when it is first needed.
pub(super) const PROVIDER_KEYS: &str = "CREATE TABLE IF NOT EXISTS provider_keys (
    url TEXT PRIMARY KEY,
    keys TEXT,
    fetched_ms INTEGER,
    asked_ms INTEGER NOT NULL,
    is_asking INTEGER NOT NULL
) WITHOUT ROWID";

// Connections.

/// With it readers continue while a writer writes.
pub(super) const USE_WAL: &str = "PRAGMA journal_mode = WAL";
/// `store` is the last of the tables: if it exists, all exist.
pub(super) const TABLES_EXIST: &str = "SELECT 1 FROM sqlite_master WHERE name = 'store'";
pub(super) const VERSION: &str = "SELECT schema_version FROM store";
/// Takes the write lock of the database.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";
pub(super) const COMMIT: &str = "COMMIT";

// Reading a channel.

/// The channel, and with each of its rows one event after a position; one row without an event if
/// there is none. The condition that `s` has one row is for SQLite, which would sort the events
/// otherwise.
macro_rules! look {
    ($presence:literal, $snapshot:literal, $join:literal) => {
        concat!(
            "SELECT ",
            $presence,
            $snapshot,
            ", s.last_epoch, c.id, c.epoch, c.content_type, c.closed, c.stream_seq, c.revision, coalesce(newest.seq, c.tail), coalesce(newest.total, c.total),
       oldest.seq, oldest.at_ms, max(oldest.total - length(oldest.data), 0), c.ttl_s, c.expires_at_ms, c.touched_at_ms,
       (SELECT max(until_ms) FROM revocations WHERE channel = ?1), e.seq, e.data
FROM store s
LEFT JOIN channels c ON c.name = ?1
LEFT JOIN events newest ON newest.channel = c.id AND newest.seq = (SELECT max(seq) FROM events WHERE channel = c.id)
LEFT JOIN events oldest ON oldest.channel = c.id AND oldest.seq = (SELECT min(seq) FROM events WHERE channel = c.id)
",
            $join,
            "LEFT JOIN events e ON e.channel = c.id AND e.seq > ?2
WHERE s.one = 1
ORDER BY e.seq LIMIT ?3"
        )
    };
}
macro_rules! look_with {
    ($presence:literal) => {
        [
            look!($presence, ", NULL, NULL, NULL", ""),
            look!(
                $presence,
                ", n.seq, n.total, n.bytes",
                "LEFT JOIN snapshots n ON n.channel = c.id AND n.part = 0 AND n.seq = (SELECT max(seq) FROM snapshots WHERE channel = c.id)
"
            ),
        ]
    };
}
/// Without and with the newest snapshot.
pub(super) const LOOK: [&str; 2] = look_with!("NULL");
pub(super) const LOOK_WITH_PRESENCE: [&str; 2] =
    look_with!("(SELECT max(version) FROM presence WHERE channel = ?1)");

/// The version of the store, of which the first number changes with the writes of other connections
/// and the second with those of this one; and a line for each of the names `?1`, in their order,
/// unless the version still is `?2` and `?3`.
pub(super) const PULSES: &str = "SELECT v.data_version, total_changes(), CASE WHEN v.data_version IS ?2 AND total_changes() IS ?3 THEN NULL ELSE (
    SELECT group_concat(pulse, char(10)) FROM (
        SELECT coalesce(c.id || ' ' || c.closed || ' ' || c.revision || ' ' || coalesce((SELECT max(seq) FROM events WHERE channel = c.id), c.tail) || ' '
            || coalesce((SELECT min(seq) FROM events WHERE channel = c.id), 0), '-') || ' '
            || coalesce((SELECT max(version) FROM presence WHERE channel = n.value), 0) || ' '
            || coalesce((SELECT max(until_ms) FROM revocations WHERE channel = n.value), 0) AS pulse
        FROM json_each(?1) n LEFT JOIN channels c ON c.name = n.value ORDER BY n.key)) END
FROM pragma_data_version v";

pub(super) const EVENT: &str = "SELECT data, producer FROM events WHERE channel = ? AND seq = ?";

/// The tallies of a channel with this many ids.
pub(super) fn tallies(count: usize) -> String {
    let places = vec!["?"; count].join(", ");
    format!(
        "SELECT id, epoch, seq, busy_until_ms FROM producers WHERE channel = ? AND id IN ({places})"
    )
}

// Writing a channel.

/// Appends this many events after the tail, if the channel is open and is what it was but for its
/// events; and if its tail is still `?4`, where one is expected. The primary key refuses a concurrent
/// writer, too.
pub(super) fn append(count: usize) -> String {
    let places = vec!["(?, ?, ?, ?)"; count].join(", ");
    format!(
        "WITH head AS MATERIALIZED (
            SELECT c.id, coalesce(e.seq, c.tail) AS tail, coalesce(e.total, c.total) AS total
            FROM channels c LEFT JOIN (SELECT seq, total FROM events WHERE channel = ?1 ORDER BY seq DESC LIMIT 1) e
            WHERE c.id = ?1 AND c.closed = 0 AND c.revision = ?2 AND c.stream_seq IS ?3 AND coalesce(?4, e.seq, c.tail) = coalesce(e.seq, c.tail)
         )
         INSERT INTO events (channel, seq, at_ms, total, data)
         SELECT h.id, h.tail + v.column1, v.column2, h.total + v.column3, v.column4 FROM head h, (VALUES {places}) v
         RETURNING seq, total"
    )
}

pub(super) const INSERT_EVENT: &str =
    "INSERT INTO events (channel, seq, at_ms, total, data, producer) VALUES (?, ?, ?, ?, ?, ?)";
pub(super) const ERASE_EVENT: &str = "UPDATE events SET data = ? WHERE channel = ? AND seq = ?";
/// The newest event gives tail and total; the channel's own row has them only while no event is
/// left.
pub(super) const INSERT_CHANNEL: &str = "INSERT INTO channels (name, epoch, content_type, closed, stream_seq, tail, total, ttl_s, expires_at_ms, touched_at_ms)
     VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?, ?) RETURNING id";
pub(super) const UPDATE_CHANNEL: &str =
    "UPDATE channels SET closed = ?, stream_seq = ?, revision = ? WHERE id = ?";
pub(super) const TOUCH: &str =
    "UPDATE channels SET touched_at_ms = ?1 WHERE id = ?2 AND touched_at_ms + ttl_s * 1000 > ?1";
pub(super) const PUT_TALLY: &str = "INSERT OR REPLACE INTO producers (channel, id, epoch, seq, busy_until_ms) VALUES (?, ?, ?, ?, ?)";
/// Carries out a `Forgetting`. A producer without a time may still be active.
pub(super) const FORGET: &str = "DELETE FROM producers WHERE channel = ?1 AND (busy_until_ms BETWEEN 1 AND ?2 OR busy_until_ms BETWEEN 1 AND ?3
    AND id IN (SELECT id FROM producers WHERE channel = ?1 ORDER BY busy_until_ms DESC LIMIT -1 OFFSET ?4))";

pub(super) const SIZES: &str =
    "SELECT seq, at_ms, total FROM events WHERE channel = ? ORDER BY seq LIMIT ?";
/// Where no event is left to give tail and total.
pub(super) const KEEP_TAIL: &str =
    "UPDATE channels SET tail = max(tail, ?), total = max(total, ?) WHERE id = ?";
pub(super) const CUT: &str = "DELETE FROM events WHERE channel = ? AND seq < ?";

pub(super) const DELETE_EVENTS: &str = "DELETE FROM events WHERE channel = ?";
pub(super) const DELETE_TALLIES: &str = "DELETE FROM producers WHERE channel = ?";
pub(super) const DELETE_CHANNEL: &str = "DELETE FROM channels WHERE id = ?";
pub(super) const DELETE_MEMBERS: &str = "DELETE FROM presence WHERE channel = ?";
pub(super) const KEEP_EPOCH: &str = "UPDATE store SET last_epoch = max(last_epoch, ?)";

// Its snapshots.

pub(super) const SNAPSHOT: &str =
    "SELECT data FROM snapshots WHERE channel = ? AND seq = ? ORDER BY part";
pub(super) const VERSIONS: &str =
    "SELECT seq, at_ms, bytes FROM snapshots WHERE channel = ? AND part = 0 ORDER BY seq";
/// A row if the newest snapshot and the revision are still those that a compaction read; a channel
/// that was deleted in the meantime has no row.
pub(super) const IS_UNCOMPACTED: &str = "SELECT 1 FROM channels WHERE id = ?1 AND revision = ?2
     AND coalesce((SELECT max(seq) FROM snapshots WHERE channel = ?1), 0) = ?3";
pub(super) const INSERT_SNAPSHOT: &str = "INSERT INTO snapshots (channel, seq, part, at_ms, total, bytes, data) VALUES (?, ?, ?, ?, ?, ?, ?)";
pub(super) const FORGET_SNAPSHOTS: &str = "DELETE FROM snapshots WHERE channel = ?1 AND seq < (SELECT min(seq) FROM (SELECT seq FROM snapshots WHERE channel = ?1 AND part = 0 ORDER BY seq DESC LIMIT ?2))";
pub(super) const DELETE_SNAPSHOTS: &str = "DELETE FROM snapshots WHERE channel = ?";

// Members and revocations.

pub(super) const LEASES: &str =
    "SELECT id, state, until_ms FROM presence WHERE channel = ? AND state IS NOT NULL";
/// A state of awareness that a later one has overtaken is not taken: both may have read the members
/// before either was written.
pub(super) const PUT_MEMBER: &str = "INSERT INTO presence (channel, id, state, until_ms, version)
     VALUES (?1, ?2, ?3, ?4, max(?5, 1 + coalesce((SELECT max(version) FROM presence WHERE channel = ?1), 0)))
     ON CONFLICT (channel, id) DO UPDATE SET state = excluded.state, until_ms = excluded.until_ms, version = CASE WHEN ?6 THEN excluded.version ELSE version END
     WHERE coalesce(json_extract(excluded.state, '$.awarenessClock') >= json_extract(presence.state, '$.awarenessClock'), 1)";
/// Of every channel: a member may never return to its channel.
pub(super) const FORGET_MEMBERS: &str = "DELETE FROM presence WHERE until_ms <= ?";

pub(super) const REVOKED: &str =
    "SELECT of, until_ms FROM revocations WHERE channel = ? AND until_ms > ?";
pub(super) const REVOKE: &str = "INSERT INTO revocations (channel, until_ms, of)
     VALUES (?1, max(?2, 1 + coalesce((SELECT max(until_ms) FROM revocations WHERE channel = ?1), 0)), ?3)";
/// Of every channel: nobody may ever ask for theirs again.
pub(super) const FORGET_REVOCATIONS: &str = "DELETE FROM revocations WHERE until_ms <= ?";

// Subscriptions of Web Push.

pub(super) const PUSH_ROWS: &str =
    "SELECT id, due_ms, until_ms, data FROM push WHERE channel = ? ORDER BY id";
pub(super) const CLAIM_PUSH: &str = "UPDATE push SET claimed_ms = ?3
     WHERE channel = ?1 AND due_ms <= ?2 AND claimed_ms <= ?2
     RETURNING id, due_ms, until_ms, data";
pub(super) const PUT_PUSH: &str =
    "INSERT INTO push (channel, id, due_ms, until_ms, data) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (channel, id) DO UPDATE SET until_ms = excluded.until_ms, data = excluded.data";
pub(super) const SAVE_PUSH: &str = "UPDATE push SET data = ?3 WHERE channel = ?1 AND id = ?2";
/// The condition stands in the statement, so that no append comes between.
pub(super) const SETTLE_PUSH: &str = "UPDATE push SET claimed_ms = 0, data = ?4, due_ms = coalesce(?3, CASE WHEN ?5 <
     (SELECT coalesce((SELECT max(seq) FROM events WHERE channel = c.id), c.tail) FROM channels c WHERE c.name = ?1) THEN ?6 END)
     WHERE channel = ?1 AND id = ?2";
/// Those that are not due yet.
pub(super) const OWE_PUSH: &str = "UPDATE push SET due_ms = ? WHERE channel = ? AND due_ms IS NULL";
pub(super) const REMOVE_PUSH: &str = "DELETE FROM push WHERE channel = ? AND id = ?";
pub(super) const DELETE_PUSH: &str = "DELETE FROM push WHERE channel = ?";
pub(super) const FORGET_PUSH_OF: &str = "DELETE FROM push WHERE channel = ? AND until_ms <= ?";
/// Of every channel.
pub(super) const FORGET_PUSH: &str = "DELETE FROM push WHERE until_ms <= ?";
pub(super) const NEXT_PUSH: &str =
    "SELECT min(max(due_ms, claimed_ms)) FROM push WHERE channel = ? AND due_ms IS NOT NULL";
pub(super) const DUE_PUSH: &str = "SELECT DISTINCT channel FROM push WHERE due_ms <= ?3 AND claimed_ms <= ?3 AND channel >= ?1 AND channel < ?2 LIMIT ?4";
/// Epoch and tail of the channel, and with each row one event; one row without an event if there is
/// none.
pub(super) const PUSH_PAGE: &str = "SELECT c.epoch, coalesce((SELECT max(seq) FROM events WHERE channel = c.id), c.tail), e.seq, e.at_ms, e.data
     FROM channels c LEFT JOIN events e ON e.channel = c.id AND e.seq > ?2
     WHERE c.name = ?1 ORDER BY e.seq LIMIT ?3";

// All channels of a tenant, between two names.

macro_rules! tenant {
    ($begin:literal) => {
        concat!(
            $begin,
            "(SELECT id FROM channels WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3)"
        )
    };
}
/// Removes so many channels with everything in them, in this order.
pub(super) const ERASE_TENANT_EVENTS: &str = tenant!("DELETE FROM events WHERE channel IN ");
pub(super) const ERASE_TENANT_TALLIES: &str = tenant!("DELETE FROM producers WHERE channel IN ");
pub(super) const ERASE_TENANT_SNAPSHOTS: &str = tenant!("DELETE FROM snapshots WHERE channel IN ");
pub(super) const KEEP_TENANT_EPOCH: &str = "UPDATE store SET last_epoch = max(last_epoch, coalesce((SELECT max(epoch) FROM channels WHERE name >= ?1 AND name < ?2), 0))";
pub(super) const ERASE_TENANT_CHANNELS: &str = tenant!("DELETE FROM channels WHERE id IN ");
pub(super) const ERASE_TENANT_MEMBERS: &str =
    "DELETE FROM presence WHERE channel >= ?1 AND channel < ?2";
pub(super) const ERASE_TENANT_PUSH: &str = "DELETE FROM push WHERE channel >= ?1 AND channel < ?2";
pub(super) const TENANT_IS_LEFT: &str =
    "SELECT 1 FROM channels WHERE name >= ?1 AND name < ?2 LIMIT 1";

// Expired channels.

pub(super) const EXPIRED: &str = "SELECT id, epoch FROM channels WHERE coalesce(expires_at_ms, touched_at_ms + ttl_s * 1000) <= ? LIMIT ?";
pub(super) const SWEEP_EVENTS: &str = "DELETE FROM events WHERE channel = ?1 AND seq IN (SELECT seq FROM events WHERE channel = ?1 LIMIT ?2)";
pub(super) const SWEEP_TALLIES: &str = "DELETE FROM producers WHERE channel = ?1 AND id IN (SELECT id FROM producers WHERE channel = ?1 LIMIT ?2)";
pub(super) const SWEEP_PUSH: &str =
    "DELETE FROM push WHERE channel = (SELECT name FROM channels WHERE id = ?)";
pub(super) const SWEEP_CHANNEL: &str = "DELETE FROM channels WHERE id = ?1
     AND NOT EXISTS (SELECT 1 FROM events WHERE channel = ?1) AND NOT EXISTS (SELECT 1 FROM producers WHERE channel = ?1)";

// Keys of providers.

pub(super) const KEYS: &str =
    "SELECT keys, fetched_ms, asked_ms, is_asking FROM provider_keys WHERE url = ?";
pub(super) const CLAIM_KEYS: &str =
    "INSERT INTO provider_keys (url, asked_ms, is_asking) VALUES (?1, ?2, 1)
    ON CONFLICT (url) DO UPDATE SET asked_ms = ?2, is_asking = 1 WHERE asked_ms = ?3 RETURNING 1";
pub(super) const PUT_KEYS: &str =
    "UPDATE provider_keys SET is_asking = 0, fetched_ms = ?, keys = ? WHERE url = ?";
pub(super) const RELEASE_KEYS: &str = "UPDATE provider_keys SET is_asking = 0 WHERE url = ?";
