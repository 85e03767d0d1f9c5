//! Makes a manifest ready to run: compiles and links the components, resolves grants and variables,
//! orders the routes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::{Component as Wasm, Linker};
use wasmtime::error::Context;
use wasmtime::{Cache, CacheConfig, Config, Engine};
use wasmtime_wasi_http::handler::ProxyHandler;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::bindings;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::guest::{Guest, Settings};
use crate::instance::{Component, Instances};
use crate::manifest::{self, Manifest};
use crate::outbound::Grant;
use crate::redis::Redis;
use crate::route::{Route, Router};
use crate::server::Server;
use crate::sqlite::Sqlite;
use crate::variables::{self, Variables};

/// File of the database `default` in the state folder, as in Spin. A manifest may name no other
/// database.
const DATABASE: &str = "sqlite_db.db";

/// How often a busy guest yields its thread.
const TICK: Duration = Duration::from_millis(10);

/// The parts of the host that all components share.
pub struct Host<'a> {
    /// The folder of the manifest; the paths of sources are relative to it.
    pub directory: &'a Path,
    pub state: &'a Path,
    pub variables: &'a variables::Application,
    pub counters: &'a Arc<Counters>,
    pub instances: &'a Arc<Instances>,
    pub clock: &'a Clock,
}

/// # Errors
///
/// When a component cannot be compiled or linked, or the manifest names something that does not
/// exist.
pub fn load(manifest: &Manifest, host: &Host<'_>, cache: Option<&Path>) -> Result<Server> {
    let engine = engine(cache)?;
    let linker = linker(&engine)?;
    let mut components = BTreeMap::new();
    for (id, component) in &manifest.component {
        let pre = compile(&engine, &linker, component, host.directory)
            .with_context(|| format!("component {id:?}"))?;
        let settings =
            Arc::new(settings(id, component, host).with_context(|| format!("component {id:?}"))?);
        let instances = Arc::clone(host.instances);
        components.insert(
            id.clone(),
            Mutex::new(ProxyHandler::new(Component { pre, settings, instances })),
        );
    }
    Ok(Server { router: router(manifest)?, components, counters: Arc::clone(host.counters) })
}

fn engine(cache: Option<&Path>) -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true).epoch_interruption(true);
    if let Some(directory) = cache {
        let mut kept = CacheConfig::new();
        kept.with_directory(directory);
        config.cache(Some(Cache::new(kept)?));
    }
    let engine = Engine::new(&config)?;
    let ticking = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = ticking.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
    Ok(engine)
}

fn linker(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    bindings::redis::add_to_linker::<_, Redis>(&mut linker, |guest| guest)?;
    bindings::sqlite::add_to_linker::<_, Sqlite>(&mut linker, |guest| guest)?;
    bindings::variables::add_to_linker::<_, Variables>(&mut linker, |guest| guest)?;
    Ok(linker)
}

fn compile(
    engine: &Engine,
    linker: &Linker<Guest>,
    component: &manifest::Component,
    directory: &Path,
) -> Result<ServicePre<Guest>> {
    let path = directory.join(component.file()?);
    let bytes = std::fs::read(&path)
        .with_context(|| format!("cannot read {}; was it built?", path.display()))?;
    let wasm = Wasm::new(engine, bytes)
        .with_context(|| format!("{} is not a component", path.display()))?;
    let pre = linker
        .instantiate_pre(&wasm)
        .context("it imports an interface that this host does not offer")?;
    ServicePre::new(pre)
        .context("it does not export wasi:http/handler@0.3.0; build it with spin-sdk 7")
}

fn settings(id: &str, component: &manifest::Component, host: &Host<'_>) -> Result<Settings> {
    let mut values = variables::Values::new();
    for (name, template) in &component.variables {
        values.insert(name.clone(), host.variables.resolve(template)?);
    }
    let mut grants = Vec::new();
    for entry in &component.allowed_outbound_hosts {
        let entry = host
            .variables
            .resolve(entry)?
            .map_err(|missing| wasmtime::format_err!("allowed_outbound_hosts: {missing}"))?;
        grants.push(Grant::parse(&entry)?);
    }
    let file = |name: &String| (name.clone(), host.state.join(DATABASE));
    Ok(Settings {
        id: id.to_owned(),
        environment: component.environment.clone(),
        variables: values,
        databases: component.sqlite_databases.iter().map(file).collect(),
        grants: grants.into(),
        counters: Arc::clone(host.counters),
        clock: host.clock.clone(),
    })
}

fn router(manifest: &Manifest) -> Result<Router> {
    let mut routes = Vec::new();
    for trigger in manifest.triggers() {
        if let manifest::Route::Public(raw) = &trigger.route {
            routes.push(Route::new(raw, &trigger.component)?);
        }
    }
    let (router, replaced) = Router::new(routes);
    for route in replaced {
        eprintln!(
            "the route {} of {} is never used: a later trigger has the same route",
            route.raw, route.component
        );
    }
    Ok(router)
}
