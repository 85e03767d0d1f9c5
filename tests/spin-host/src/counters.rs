//! The counters of the control port, since the start of the host.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Serialize, Serializer};

/// A number that any thread may increase or decrease.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub fn subtract(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// Sets it to this number, if that is larger.
    pub fn raise(&self, to: u64) {
        self.0.fetch_max(to, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.get())
    }
}

#[derive(Default, Serialize)]
pub struct Counters {
    pub instances_active: Count,
    pub instances_started: Count,
    /// Requests that reached a component.
    pub requests: Count,
    /// Requests whose response has not ended.
    pub open_requests: Count,
    pub sqlite: SqliteCounters,
    pub redis: RedisCounters,
    /// Bytes of linear memory of the instance that had most.
    pub memory_bytes: Count,
    /// Instances that ended by a trap, including traps through the control port.
    pub traps: Count,
}

#[derive(Default, Serialize)]
pub struct SqliteCounters {
    pub open: Count,
    /// Statements that return rows and change nothing.
    pub execute_read: Count,
    /// Statements that may change the database, `BEGIN IMMEDIATE` among them.
    pub execute_write: Count,
    /// `BEGIN`, `COMMIT` and the like.
    pub execute_other: Count,
}

#[derive(Default, Serialize)]
pub struct RedisCounters {
    pub open: Count,
    /// Commands sent, without those that open a connection.
    pub commands: Count,
}
