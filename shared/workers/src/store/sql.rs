//! All statements of the store, and its tables.

/// Version of the tables below; a store of a newer version is refused, because this code cannot
/// know its form.
pub(super) const SCHEMA_VERSION: u64 = 2;

/// One row of `channel`, and one row of `events` for each event kept. The newest event gives tail
/// and total, the oldest gives the dropped bytes. So an append writes only its events; `channel` is
/// written when something else changes, or when no event is left.
pub(super) const SCHEMA: &str = "
CREATE TABLE channel (
    schema_version INTEGER NOT NULL,
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
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    total INTEGER NOT NULL,
    data BLOB NOT NULL,
    producer TEXT
);";

/// One row for each publisher that must be remembered, created with the first of them. Not subject
/// to retention: a late repetition must be recognised.
pub(super) const PRODUCERS: &str = "
CREATE TABLE producers (
    id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    busy_until_ms INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID";

/// Carries out a `Forgetting`. A producer without a time may still be active.
pub(super) const FORGET: &str =
    "DELETE FROM producers WHERE busy_until_ms BETWEEN 1 AND ?1 OR busy_until_ms BETWEEN 1 AND ?2
    AND id IN (SELECT id FROM producers ORDER BY busy_until_ms DESC LIMIT -1 OFFSET ?3)";

/// From version 1 to 2; the rows stay where they are.
pub(super) const UPGRADE: &str = "
ALTER TABLE channel ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN ttl_s INTEGER;
ALTER TABLE channel ADD COLUMN expires_at_ms INTEGER;
ALTER TABLE channel ADD COLUMN touched_at_ms INTEGER;
ALTER TABLE events ADD COLUMN producer TEXT;
UPDATE channel SET schema_version = 2";
pub(super) const UPGRADE_PRODUCERS: &str =
    "ALTER TABLE producers ADD COLUMN busy_until_ms INTEGER NOT NULL DEFAULT 0";

/// Members that joined over HTTP; the first of them creates the table.
pub(super) const PRESENCE: &str = "
CREATE TABLE IF NOT EXISTS presence (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    until_ms INTEGER NOT NULL
) WITHOUT ROWID";

/// Revocations; the first of them creates the table: the revoked ticket or user as JSON, and until
/// when the row is kept.
pub(super) const REVOCATIONS: &str = "
CREATE TABLE IF NOT EXISTS revocations (
    of TEXT PRIMARY KEY,
    until_ms INTEGER NOT NULL
) WITHOUT ROWID";
/// Snapshots, in parts; the first of them creates the table. Each part repeats what is known of the
/// whole, so that one row tells it.
pub(super) const SNAPSHOTS: &str = "
CREATE TABLE IF NOT EXISTS snapshots (
    seq INTEGER NOT NULL,
    part INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    total INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (seq, part)
) WITHOUT ROWID";
/// Subscriptions of Web Push; the first of them creates the table.
pub(super) const PUSH: &str = "
CREATE TABLE IF NOT EXISTS push (
    id TEXT PRIMARY KEY,
    due_ms INTEGER,
    until_ms INTEGER,
    data TEXT NOT NULL
) WITHOUT ROWID";
/// Table of the tenant's registry object, which is not a channel itself.
pub(super) const TENANT: &str = "CREATE TABLE IF NOT EXISTS tenant (name TEXT PRIMARY KEY, mark INTEGER NOT NULL) WITHOUT ROWID";

// The channel.

pub(super) const TABLE_EXISTS: &str = "SELECT 1 FROM sqlite_master WHERE name = ?";
pub(super) const VERSION: &str = "SELECT schema_version FROM channel";
pub(super) const CHANNEL: &str = "SELECT epoch, content_type, closed, stream_seq, tail, total, revision, ttl_s, expires_at_ms, touched_at_ms FROM channel";
/// An append writes only its events, so the newest event has the current tail and total.
pub(super) const NEWEST: &str = "SELECT seq, total FROM events ORDER BY seq DESC LIMIT 1";
pub(super) const OLDEST: &str =
    "SELECT seq, at_ms, max(total - length(data), 0) FROM events ORDER BY seq LIMIT 1";
pub(super) const DELETE_CHANNEL: &str = "DELETE FROM channel";
pub(super) const INSERT_CHANNEL: &str = "INSERT INTO channel (schema_version, epoch, content_type, closed, stream_seq, tail, total, revision, ttl_s, expires_at_ms, touched_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
pub(super) const TOUCH: &str = "UPDATE channel SET touched_at_ms = ?";
/// Everything of a channel but its revocations.
pub(super) const DROP_CHANNEL: [&str; 6] = [
    "DROP TABLE IF EXISTS channel",
    "DROP TABLE IF EXISTS events",
    "DROP TABLE IF EXISTS producers",
    "DROP TABLE IF EXISTS presence",
    "DROP TABLE IF EXISTS snapshots",
    "DROP TABLE IF EXISTS push",
];

// Its events.

pub(super) const PAGE: &str = "SELECT seq, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?";
pub(super) const EVENT: &str = "SELECT data, producer FROM events WHERE seq = ?";
pub(super) const INSERT_EVENT: &str =
    "INSERT INTO events (seq, at_ms, total, data, producer) VALUES (?, ?, ?, ?, ?)";
pub(super) const ERASE_EVENT: &str = "UPDATE events SET data = ? WHERE seq = ?";
pub(super) const SIZES: &str = "SELECT seq, at_ms, total FROM events ORDER BY seq";
pub(super) const CUT: &str = "DELETE FROM events WHERE seq < ?";
pub(super) const DELETE_EVENTS: &str = "DELETE FROM events";

// Its snapshots.

pub(super) const SNAPSHOT_HEAD: &str =
    "SELECT seq, total, bytes FROM snapshots ORDER BY seq DESC LIMIT 1";
pub(super) const SNAPSHOT: &str = "SELECT data FROM snapshots WHERE seq = ? ORDER BY part";
pub(super) const VERSIONS: &str =
    "SELECT seq, at_ms, bytes FROM snapshots WHERE part = 0 ORDER BY seq";
pub(super) const INSERT_SNAPSHOT: &str =
    "INSERT INTO snapshots (seq, part, at_ms, total, bytes, data) VALUES (?, ?, ?, ?, ?, ?)";
pub(super) const FORGET_SNAPSHOTS: &str = "DELETE FROM snapshots WHERE seq < (SELECT min(seq) FROM (SELECT seq FROM snapshots WHERE part = 0 ORDER BY seq DESC LIMIT ?))";
pub(super) const DELETE_SNAPSHOTS: &str = "DELETE FROM snapshots";

// Its publishers.

pub(super) const TALLY: &str = "SELECT epoch, seq, busy_until_ms FROM producers WHERE id = ?";
pub(super) const PUT_TALLY: &str =
    "INSERT OR REPLACE INTO producers (id, epoch, seq, busy_until_ms) VALUES (?, ?, ?, ?)";
pub(super) const DELETE_TALLIES: &str = "DELETE FROM producers";

// Its members, and its revocations.

pub(super) const LEASES: &str = "SELECT id, state, until_ms FROM presence";
pub(super) const PUT_MEMBER: &str =
    "INSERT OR REPLACE INTO presence (id, state, until_ms) VALUES (?, ?, ?)";
pub(super) const REMOVE_MEMBER: &str = "DELETE FROM presence WHERE id = ?";
pub(super) const REVOKED: &str = "SELECT of, until_ms FROM revocations";
pub(super) const REVOKE: &str = "INSERT OR REPLACE INTO revocations (of, until_ms) VALUES (?, ?)";
pub(super) const FORGET_REVOCATIONS: &str = "DELETE FROM revocations WHERE until_ms <= ?";

// Its subscriptions of Web Push.

pub(super) const PUSH_ROWS: &str = "SELECT id, due_ms, until_ms, data FROM push";
pub(super) const NEXT_PUSH: &str =
    "SELECT min(at) FROM (SELECT due_ms AS at FROM push UNION ALL SELECT until_ms FROM push)";
pub(super) const PUT_PUSH: &str =
    "INSERT OR REPLACE INTO push (id, due_ms, until_ms, data) VALUES (?, ?, ?, ?)";
pub(super) const SAVE_PUSH: &str = "UPDATE push SET due_ms = ?, data = ? WHERE id = ?";
/// Those that are not due yet; the first of a burst writes, the others find nothing to write.
pub(super) const OWE_PUSH: &str = "UPDATE push SET due_ms = ? WHERE due_ms IS NULL";
pub(super) const REMOVE_PUSH: &str = "DELETE FROM push WHERE id = ?";
pub(super) const FORGET_PUSH: &str = "DELETE FROM push WHERE until_ms <= ?";
pub(super) const DELETE_PUSH: &str = "DELETE FROM push";
pub(super) const PUSH_PAGE: &str =
    "SELECT seq, at_ms, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?";

// The channels of a tenant.

/// Marks cross JavaScript exactly.
pub(super) const REGISTER: &str =
    "INSERT OR REPLACE INTO tenant (name, mark) VALUES (?, abs(random() % 9007199254740991))";
pub(super) const REGISTERED: &str = "SELECT name, mark FROM tenant LIMIT ?";
pub(super) const FORGET_REGISTERED: &str = "DELETE FROM tenant WHERE name = ? AND mark = ?";
