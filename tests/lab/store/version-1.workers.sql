-- What version 1 of the schema left in the object of a channel: three events of a text channel, the last two by a producer.
CREATE TABLE channel (
    schema_version INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    closed INTEGER NOT NULL,
    stream_seq TEXT,
    tail INTEGER NOT NULL,
    total INTEGER NOT NULL
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    total INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE producers (
    id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO channel VALUES (1, 1700000000000, 'text/plain', 0, 'm', 0, 0);
INSERT INTO events VALUES (1, 1700000000001, 2, X'6120'), (2, 1700000000002, 4, X'6220'), (3, 1700000000003, 6, X'6320');
INSERT INTO producers VALUES ('p', 4, 1);
