//! The `spin:*` interfaces, generated from the WIT files of Spin's own SDK.

wasmtime::component::bindgen!({
    path: "wit",
    world: "host",
    imports: { default: async | trappable },
    with: {
        "spin:redis/redis.connection": crate::redis::Connection,
        "spin:sqlite/sqlite.connection": crate::sqlite::Connection,
    },
});

pub use spin::redis::redis;
pub use spin::sqlite::sqlite;
pub use spin::variables::variables;
