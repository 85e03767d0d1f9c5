//! Decides when an instance starts, which requests it accepts and when it ends: Spin's rules, on
//! the handler that Spin uses.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant as Time};

use futures::task::AtomicWaker;
use tokio::time::Sleep;
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut, bail};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::counters::Counters;
use crate::guest::{Guest, Settings};

/// Number of requests that one instance accepts in its life.
const MAX_REQUESTS: usize = 128;

/// Number of requests of one instance whose response head may be outstanding.
const MAX_CONCURRENT: usize = 16;

/// How long the host keeps an idle instance.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Number of instances of the whole host. At the limit, a request that needs a new instance fails
/// at once.
const MAX_INSTANCES: usize = 1000;

/// A component that answers requests.
#[derive(Clone)]
pub struct Component {
    pub pre: ServicePre<Guest>,
    pub settings: Arc<Settings>,
    pub instances: Arc<Instances>,
}

impl HandlerState for Component {
    type StoreData = Guest;
    type WorkerExpiration = Expiration;
    type WorkerState = Policy;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Guest, Expiration, Policy>> {
        let registration = self.instances.admit(&self.settings.id)?;
        let mut store = Store::new(self.pre.engine(), Guest::new(Arc::clone(&self.settings)));
        store.limiter(|guest| &mut guest.memory);
        // A busy guest yields its thread at each tick. It still delays every request of its own
        // instance.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let proxy = Proxy::P3(self.pre.instantiate_async(&mut store).await?);
        let expiration = Expiration {
            life: Arc::clone(&registration.life),
            idle: Box::pin(tokio::time::sleep(IDLE_TIMEOUT)),
        };
        Ok(Instance {
            store,
            proxy,
            view: Guest::incoming,
            expiration,
            state: Policy(registration),
        })
    }
}

/// The living instances.
pub struct Instances {
    live: Mutex<Vec<Arc<Life>>>,
    counters: Arc<Counters>,
}

impl Instances {
    pub fn new(counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self { live: Mutex::default(), counters })
    }

    fn live(&self) -> MutexGuard<'_, Vec<Arc<Life>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(self: &Arc<Self>, component: &str) -> wasmtime::Result<Registration> {
        let mut live = self.live();
        if live.len() == MAX_INSTANCES {
            bail!("all {MAX_INSTANCES} instances are in use: try again later");
        }
        let life = Arc::new(Life { component: component.to_owned(), ..Life::default() });
        live.push(Arc::clone(&life));
        self.counters.instances_active.add();
        self.counters.instances_started.add();
        Ok(Registration { life, instances: Arc::clone(self) })
    }

    /// Ends one instance as a trap would: the instance of `component`, or of all if it is `None`,
    /// that has accepted most requests. Returns whether there was an instance.
    pub fn trap(&self, component: Option<&str>) -> bool {
        let live = self.live();
        let asked = live.iter().filter(|life| {
            component.is_none_or(|component| life.component == component)
                && !life.trapped.load(Relaxed)
        });
        let Some(life) = asked.max_by_key(|life| life.requests.load(Relaxed)) else { return false };
        life.trapped.store(true, Relaxed);
        life.waker.wake();
        true
    }
}

/// The shared state of one instance: the host reads it, and may request a trap.
#[derive(Default)]
struct Life {
    component: String,
    requests: AtomicUsize,
    trapped: AtomicBool,
    waker: AtomicWaker,
}

/// An entry in the list of living instances; its drop removes it.
struct Registration {
    life: Arc<Life>,
    instances: Arc<Instances>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.instances.live().retain(|life| !Arc::ptr_eq(life, &self.life));
        self.instances.counters.instances_active.subtract();
    }
}

/// Decides which requests an instance accepts.
pub struct Policy(Registration);

impl WorkerState for Policy {
    type StoreData = Guest;
    type RequestData = ();

    fn should_accept_request(&self, outstanding: usize, total: usize) -> ShouldAccept {
        if total >= MAX_REQUESTS {
            ShouldAccept::Never
        } else if outstanding >= MAX_CONCURRENT {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, Guest>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        self.0.life.requests.fetch_add(1, Relaxed);
        // A request has no time limit, as in Spin by default.
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<Guest>, result: Result<(), wasmtime::Error>) {
        let asked = self.0.life.trapped.load(Relaxed);
        if asked || result.is_err() {
            self.0.instances.counters.traps.add();
        }
        if let (false, Err(error)) = (asked, result) {
            eprintln!("[{}] instance trapped: {error:?}", store.data().component.id);
        }
    }
}

/// Decides when an instance ends: after a second without work, or when the control port requests a
/// trap.
pub struct Expiration {
    life: Arc<Life>,
    idle: Pin<Box<Sleep>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        since: Time,
    ) -> Poll<()> {
        // Register before the check, or a trap that is requested between the two is lost.
        self.life.waker.register(cx.waker());
        if self.life.trapped.load(Relaxed) {
            return Poll::Ready(());
        }
        if status != WorkerStatus::Idle {
            return Poll::Pending;
        }
        let deadline = (since + IDLE_TIMEOUT).into();
        if self.idle.deadline() != deadline {
            self.idle.as_mut().reset(deadline);
        }
        self.idle.as_mut().poll(cx)
    }
}
