//! The `spin:*` interfaces, generated from the WIT files of Spin's own SDK.

wasmtime::component::bindgen!({
    path: "wit",
    world: "host",
    imports: { default: async | trappable },
    with: { "spin:sqlite/sqlite.connection": crate::sqlite::Connection },
});

pub use spin::sqlite::sqlite;
pub use spin::variables::variables;
