//! Passes a request from outside to the component of its route.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use wasmtime::error::Context;
use wasmtime::{Result, ensure};
use wasmtime_wasi_http::handler::ProxyHandler;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::counters::Counters;
use crate::instance::Component;
use crate::route::{Match, Router};

/// The host itself answers the paths below this prefix.
const WELL_KNOWN: &str = "/.well-known/spin/";

pub struct Server {
    pub router: Router,
    pub components: BTreeMap<String, Mutex<ProxyHandler<Component>>>,
    pub counters: Arc<Counters>,
}

impl Server {
    /// # Errors
    ///
    /// When the request does not name its host; the connection ends, as in Spin.
    pub async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> Result<Response<WasiBody>> {
        let path = request.uri().path().to_owned();
        if let Some(known) = path.strip_prefix(WELL_KNOWN) {
            return Ok(if known == "health" {
                text(StatusCode::OK, "OK")
            } else {
                text(StatusCode::NOT_FOUND, "")
            });
        }
        let Some(found) = self.router.find(&path) else {
            return Ok(text(StatusCode::NOT_FOUND, ""));
        };
        let mut request = request.map(|body| body.map_err(Error::from).boxed_unsync());
        set_address(&mut request)?;
        let id = &found.route.component;
        if let Err(error) = set_headers(&mut request, &found, client) {
            eprintln!("[{id}] {path}: {error:#}");
            return Ok(text(StatusCode::INTERNAL_SERVER_ERROR, ""));
        }

        let open = Open::new(&self.counters);
        let handler = lock(&self.components[id]).clone();
        let response = match handler.handle((), request).await {
            Ok(response) if response.status().is_informational() => {
                eprintln!("[{id}] answered {}, which only a server may send", response.status());
                text(StatusCode::INTERNAL_SERVER_ERROR, "")
            }
            Ok(response) => response,
            Err(error) => {
                eprintln!("[{id}] {path}: {error:#}");
                text(StatusCode::INTERNAL_SERVER_ERROR, "")
            }
        };
        // The body owns the count: both are dropped when the body ends or the client leaves.
        Ok(response.map(|body| body.map_frame(move |frame| open.passing(frame)).boxed_unsync()))
    }

    /// From now on every request gets a new instance. Living instances finish their requests, then
    /// end as idle instances do.
    ///
    /// If an instance only stopped accepting, it would keep its place in the handler's queue, and a
    /// request could wait behind it.
    pub fn recycle(&self) {
        for handler in self.components.values() {
            let mut handler = lock(handler);
            *handler = ProxyHandler::new(handler.state().clone());
        }
    }
}

fn lock(handler: &Mutex<ProxyHandler<Component>>) -> MutexGuard<'_, ProxyHandler<Component>> {
    handler.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Completes the address of a request with scheme and host.
fn set_address<B>(request: &mut Request<B>) -> Result<()> {
    let mut parts = request.uri().clone().into_parts();
    let named = match request.headers().get(header::HOST) {
        Some(host) => {
            Some(host.to_str()?.parse::<Authority>().context("the Host header is not a host")?)
        }
        None => None,
    };
    if let (Some(named), Some(authority)) = (&named, &parts.authority) {
        ensure!(named == authority, "the Host header differs from the host of the request line");
    }
    parts.authority = Some(named.or(parts.authority).context("the request names no host")?);
    parts.scheme = Some(Scheme::HTTP);
    *request.uri_mut() = Uri::from_parts(parts)?;
    Ok(())
}

/// Adds the headers with which Spin describes the request, after headers of the same names from the
/// client, and removes `Connection`.
///
/// # Errors
///
/// When a value is not UTF-8; then Spin answers 500.
fn set_headers<B>(request: &mut Request<B>, found: &Match<'_>, client: SocketAddr) -> Result<()> {
    request.headers_mut().remove(header::CONNECTION);
    for (name, value) in request.headers() {
        str::from_utf8(value.as_bytes())
            .with_context(|| format!("the header {name} is not UTF-8"))?;
    }
    let route = found.route;
    let host = request
        .headers()
        .get(header::HOST)
        .map_or("localhost", |host| host.to_str().unwrap_or_default());
    let path_and_query = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut added = vec![
        ("spin-path-info".to_owned(), found.path_info.clone()),
        ("spin-full-url".to_owned(), format!("http://{host}{path_and_query}")),
        ("spin-matched-route".to_owned(), route.path()),
        ("spin-base-path".to_owned(), "/".to_owned()),
        ("spin-raw-component-route".to_owned(), route.raw.clone()),
        ("spin-component-route".to_owned(), route.prefix().to_owned()),
        ("spin-client-addr".to_owned(), client.to_string()),
    ];
    added.extend(found.named.iter().map(|(name, value)| {
        (format!("spin-path-match-{}", name.to_lowercase()), (*value).to_owned())
    }));
    for (name, value) in added {
        request.headers_mut().append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(())
}

/// One request in flight.
struct Open(Arc<Counters>);

impl Open {
    fn new(counters: &Arc<Counters>) -> Self {
        counters.requests.add();
        counters.open_requests.add();
        Self(Arc::clone(counters))
    }

    fn passing<T>(&self, frame: T) -> T {
        frame
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open_requests.subtract();
    }
}

/// An answer of the host itself.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<WasiBody> {
    let mut response = Response::new(Full::new(body.into()).map_err(Error::from).boxed_unsync());
    *response.status_mut() = status;
    response
}
