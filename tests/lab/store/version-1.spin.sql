-- What version 1 of the schema left in the database: three events of a text channel, the last two by a producer.
CREATE TABLE channels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    closed INTEGER NOT NULL,
    stream_seq TEXT,
    tail INTEGER NOT NULL,
    total INTEGER NOT NULL
);
CREATE TABLE events (
    channel INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    total INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (channel, seq)
) WITHOUT ROWID;
CREATE TABLE producers (
    channel INTEGER NOT NULL,
    id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (channel, id)
) WITHOUT ROWID;
CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), schema_version INTEGER NOT NULL, last_epoch INTEGER NOT NULL);
INSERT INTO store VALUES (1, 1, 0);
INSERT INTO channels VALUES (7, 'streams/demo-store', 1700000000000, 'text/plain', 0, 'm', 0, 0);
INSERT INTO events VALUES (7, 1, 1700000000001, 2, X'6120'), (7, 2, 1700000000002, 4, X'6220'), (7, 3, 1700000000003, 6, X'6320');
INSERT INTO producers VALUES (7, 'p', 4, 1);
