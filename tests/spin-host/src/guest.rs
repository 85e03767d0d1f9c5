//! The data in the store of one instance, and the settings that all instances of a component share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::clock::Clock;
use crate::console::{Console, Sink};
use crate::counters::Counters;
use crate::memory::Memory;
use crate::outbound::{Grant, Incoming, Outbound};
use crate::variables::Values;

/// A component's part of the manifest, with its variables resolved.
pub struct Settings {
    pub id: String,
    pub environment: BTreeMap<String, String>,
    pub variables: Values,
    /// The name and the file of each granted database.
    pub databases: BTreeMap<String, PathBuf>,
    pub grants: Arc<[Grant]>,
    pub counters: Arc<Counters>,
    pub clock: Clock,
}

/// The data of one instance's store.
pub struct Guest {
    pub component: Arc<Settings>,
    pub table: ResourceTable,
    /// Number of SQLite connections that the instance holds open.
    pub connections: usize,
    /// Number of Redis connections that the instance holds open.
    pub redis_connections: usize,
    pub memory: Memory,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    incoming: Incoming,
    outbound: Outbound,
}

impl Guest {
    pub fn new(component: Arc<Settings>) -> Self {
        let wasi = WasiCtx::builder()
            .stdout(Console::new(Sink::Stdout, &component.id))
            .stderr(Console::new(Sink::Stderr, &component.id))
            .wall_clock(component.clock.clone())
            .envs(&component.environment.iter().collect::<Vec<_>>())
            .build();
        let outbound = Outbound { grants: Arc::clone(&component.grants) };
        let memory = Memory(Arc::clone(&component.counters));
        Self {
            component,
            table: ResourceTable::new(),
            connections: 0,
            redis_connections: 0,
            memory,
            wasi,
            http: WasiHttpCtx::new(),
            incoming: Incoming,
            outbound,
        }
    }

    /// The view for incoming requests. The view of the trait is for the guest's own requests.
    pub fn incoming(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.incoming, table: &mut self.table, ctx: &mut self.http }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}
