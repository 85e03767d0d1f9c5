//! The way of a request on Spin.
//!
//! Generic code here is compiled with the function. An `async fn` that it awaits would be compiled
//! there once more, with everything that it awaits itself. So the steps below are plain functions
//! with a boxed future, and a component has each of them once.

use http::HeaderMap;
use spin_sdk::http::Request;
use spin_sdk::http::body::IncomingBodyExt;
use tidewire_access::cors;
use tidewire_core::{
    Asset, Call, ChannelName, Error, ErrorKind, Function, NameShape, Reply, RequestHead, Result,
    Target, Tenant, Trace, fault, file, policy_of, route, without_websocket,
};

use crate::clock::{entropy, now_ms};
use crate::document::DocumentCode;
use crate::identity::identity;
use crate::operation::Operating;
use crate::push::Pusher;
use crate::respond::{Answer, Outgoing, refuse, respond, send};
use crate::route::RouteChannel;
use crate::settings::settings;
use crate::store::{ChannelStore, Store};
use crate::tenant::erase;

/// Serves a function below its route in `spin.toml`, or below the variable `base_path`.
pub async fn serve<F: Function>(request: Request) -> Answer {
    serve_routes::<F>(request, async |_| {
        Err(Error::new(ErrorKind::RouteNotFound, "this function has no routes of its own"))
    })
    .await
}

/// Serves a function with [`Function::ROUTES`]: `own` carries out a request at one of these routes
/// and answers.
pub async fn serve_routes<F: Function>(
    request: Request,
    own: impl AsyncFnOnce(Call) -> Result<Reply>,
) -> Answer {
    let (mut headers, mut trace) = (Vec::new(), None);
    let outgoing =
        answer::<F>(request, &mut headers, &mut trace, own).await.unwrap_or_else(|error| {
            let error = error.of_document(F::CHANNEL_NAMES == NameShape::Document);
            println!(
                "{}",
                trace.map_or_else(|| fault(None, &error), |trace| trace.refused(&error, now_ms()))
            );
            refuse(&error)
        });
    send(outgoing, headers)
}

/// Serves files below the component's route: the gallery.
pub async fn serve_assets(request: Request, assets: &[Asset], policy: &str) -> Answer {
    let base = base(request.headers());
    let path = request.uri().path().strip_prefix(base.as_str()).unwrap_or_default();
    let reply = file(assets, path, request.method().as_str(), policy);
    send(
        reply.map_or_else(|error| refuse(&error), |file| respond(without_websocket(file))),
        Vec::new(),
    )
}

async fn answer<F: Function>(
    request: Request,
    headers: &mut Vec<(&'static str, String)>,
    trace: &mut Option<Trace>,
    own: impl AsyncFnOnce(Call) -> Result<Reply>,
) -> Result<Outgoing> {
    let (parts, body) = request.into_parts();
    let body = Box::pin(body.stream());
    let settings = settings(&base(&parts.headers)).await?;
    let header = |name: &str| joined(&parts.headers, name);
    let head = RequestHead {
        method: parts.method.as_str(),
        url: told(&parts.headers, "spin-full-url").unwrap_or_default(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &header,
    };
    *headers = cors(&head, &settings);
    let trace = trace.insert(Trace::new::<F>(
        &head,
        &settings,
        u64::from(entropy()) << 32 | u64::from(entropy()),
        now_ms(),
    ));
    let identity = || identity(F::NAME, &head, &settings);
    let channel_of = |name: &ChannelName| {
        let policy = policy_of::<F>(Some(name), &settings);
        (ChannelStore::new(F::NAME, name.as_str(), &policy), policy)
    };
    match route::<F>(&head, &settings)? {
        Target::Reply(reply) => Ok(respond(without_websocket(reply))),
        Target::Channel(asked) => {
            let asked = asked.authorize::<F>(&identity().await?, &settings)?;
            let (store, policy) = channel_of(&asked.channel);
            let pusher = if F::WEB_PUSH { Some(Pusher::NEW) } else { None };
            let has_documents = matches!(F::CHANNEL_NAMES, NameShape::Document);
            let document_code = if has_documents { Some(DocumentCode::NEW) } else { None };
            let function = F::NAME;
            Operating { function, asked, policy, store, settings, trace, pusher, document_code }
                .answer(body)
                .await
        }
        Target::EraseTenant(tenant) => {
            let tenant = tenant.authorize::<F>(&identity().await?, &settings)?;
            erase(F::NAME, &tenant).await.map(|is_done| respond(Tenant::erased(is_done)))
        }
        Target::Route(routed) => {
            let routed = routed.authorize::<F>(&identity().await?, &settings)?;
            let (store, policy) = channel_of(&routed.channel);
            own(Call::new(routed, settings, RouteChannel { body, store, policy }))
                .await
                .map(respond)
        }
    }
}

/// All values of a header: the platform would take the first of several. HTTP/2 splits cookies (RFC
/// 9113, section 8.2.3).
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    (!values.is_empty()).then(|| values.join(if name == "cookie" { "; " } else { ", " }))
}

/// A header that Spin itself sets. It comes after any header of this name from the client.
fn told<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(name).iter().next_back().and_then(|value| str::from_utf8(value.as_bytes()).ok())
}

/// The part of the route before its wildcard: `/feed/` for `/feed/...`.
fn base(headers: &HeaderMap) -> String {
    let route = told(headers, "spin-matched-route").unwrap_or("/...");
    let base = route.strip_suffix("...").unwrap_or(route);
    if base.ends_with('/') { base.into() } else { format!("{base}/") }
}
