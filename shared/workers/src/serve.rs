//! The Worker: the way of a request before and around its channel.
//!
//! What is generic here is compiled with each function. An `async fn` that it awaits is compiled
//! there once more, with all that it awaits itself, so the steps below are plain functions with a
//! boxed future: a Worker has each of them once, however many functions it serves.

use std::future::ready;
use std::rc::Rc;

use futures_util::StreamExt;
use tidewire_access::{cors, identify};
use tidewire_core::{
    Asset, Call, ChannelRequest, Error, ErrorKind, Framing, Function, Identity, LocalFuture,
    Operation, Reply, RequestHead, Routed, Settings, Target, Tenant, Trace, Transport, fault, file,
    route,
};
use worker::{Env, Request, Response, Result};

use crate::bridge;
use crate::clock::{entropy, now_ms};
use crate::handover::{Handover, SWITCHING_PROTOCOLS, Subscribed, Task, tenant_object};
use crate::long_poll;
use crate::provider_keys::provider_keys;
use crate::refusal::{offers_subprotocol, refuse_upgrade};
use crate::request_rate::check_request_rate;
use crate::respond::{internal, refuse, respond, with_headers};
use crate::route::{call, to_the_end};
use crate::settings::settings;

/// Serves a function below `base`, or below the setting `BASE_PATH`; `binding` names its Durable
/// Object namespace.
pub async fn serve<F: Function>(
    request: Request,
    env: &Env,
    binding: &str,
    base: Option<&str>,
) -> Result<Response> {
    serve_with::<F>(
        request,
        env,
        binding,
        base,
        Box::new(|_, _, _, _| {
            let why = "this function has no routes of its own";
            Box::pin(ready(Err(Error::new(ErrorKind::RouteNotFound, why))))
        }),
    )
    .await
}

/// The same for a function with [`Function::ROUTES`]: `own` carries out a request at one of them
/// and answers.
pub async fn serve_routes<F: Function>(
    request: Request,
    env: &Env,
    binding: &str,
    base: Option<&str>,
    own: impl AsyncFnOnce(Call) -> Result<Reply, Error> + 'static,
) -> Result<Response> {
    serve_with::<F>(
        request,
        env,
        binding,
        base,
        Box::new(|request, routed, handover, settings| {
            let call = call(request, routed, handover, settings);
            to_the_end(Box::pin(async move { own(call).await }))
        }),
    )
    .await
}

/// Carries out a request at one of a function's own routes. A Worker without routes has none of the
/// code for them.
type Own = Box<
    dyn FnOnce(
        &Request,
        Routed,
        &Handover<'_>,
        Rc<Settings>,
    ) -> LocalFuture<'static, Result<Response, Error>>,
>;

async fn serve_with<F: Function>(
    mut request: Request,
    env: &Env,
    binding: &str,
    base: Option<&str>,
    own: Own,
) -> Result<Response> {
    let offers_subprotocol = offers_subprotocol(request.headers())?;
    let is_upgrade = Transport::is_upgrade(request.headers().get("upgrade")?.as_deref());
    let (mut headers, mut trace) = (Vec::new(), None);
    let answered = answer::<F>(
        &mut request,
        Served { env, binding, base, offers_subprotocol },
        &mut headers,
        &mut trace,
        own,
    )
    .await;
    if let Err(error) = &answered {
        worker::console_log!(
            "{}",
            trace.map_or_else(|| fault(None, error), |trace| trace.refused(error, now_ms()))
        );
    }
    match answered {
        Err(error) if is_upgrade => refuse_upgrade(&error, offers_subprotocol),
        Err(error) => with_headers(refuse(&error)?, &headers),
        Ok(response) => with_headers(response, &headers),
    }
}

/// Serves files below `base`: the gallery. `policy` is the `Content-Security-Policy` of its pages.
pub fn serve_assets(
    request: &Request,
    base: &str,
    assets: &[Asset],
    policy: &str,
) -> Result<Response> {
    let path = request.path();
    // A path outside of it is not a file: no asset has this name.
    match file(assets, path.strip_prefix(base).unwrap_or("/"), &request.inner().method(), policy) {
        Ok(reply) => respond(reply),
        Err(error) => refuse(&error),
    }
}

/// The path of a function, and the binding of its channels.
#[derive(Clone, Copy)]
struct Served<'a> {
    env: &'a Env,
    binding: &'a str,
    base: Option<&'a str>,
    offers_subprotocol: bool,
}

async fn answer<F: Function>(
    request: &mut Request,
    served: Served<'_>,
    headers: &mut Vec<(&'static str, String)>,
    trace: &mut Option<Trace>,
    own: Own,
) -> Result<Response, Error> {
    let Served { env, binding, base, offers_subprotocol } = served;
    let settings = Rc::new(settings(env, base)?);
    let handover = Handover { env, binding, settings: &settings, offers_subprotocol };
    let url = request.url().map_err(|cause| {
        Error::new(ErrorKind::RouteNotFound, format!("the address does not parse: {cause}"))
    })?;
    // The SDK's own method turns every unknown method into GET.
    let method = request.inner().method();
    let header = |name: &str| request.headers().get(name).ok().flatten();
    let head = RequestHead {
        method: &method,
        url: url.as_str(),
        path: url.path(),
        query: url.query().unwrap_or_default(),
        headers: &header,
    };
    *headers = cors(&head, &settings);
    *trace = Some(Trace::new::<F>(&head, &settings, request_id(&head), now_ms()));
    let admitted = || admitted(F::NAME, env, &head, &settings);
    match route::<F>(&head, &settings)? {
        Target::Reply(reply) => respond(reply).map_err(|cause| internal(&cause)),
        Target::Channel(asked) => {
            let asked = asked.authorize::<F>(&admitted().await?, &settings)?;
            hand_over(request, asked, trace.as_ref(), &handover).await
        }
        Target::EraseTenant(tenant) => {
            let tenant = tenant.authorize::<F>(&admitted().await?, &settings)?;
            erase(&tenant, &handover).await
        }
        Target::Route(routed) => {
            let routed = routed.authorize::<F>(&admitted().await?, &settings)?;
            own(request, routed, &handover, Rc::clone(&settings)).await
        }
    }
}

/// Identifies the client and checks its rate.
fn admitted<'a>(
    function: &'a str,
    env: &'a Env,
    head: &'a RequestHead<'_>,
    settings: &'a Settings,
) -> LocalFuture<'a, Result<Identity, Error>> {
    Box::pin(async move {
        let identity = identify(function, head, settings, now_ms, provider_keys).await?;
        check_request_rate(env, &identity, head).await?;
        Ok(identity)
    })
}

fn erase<'a>(
    tenant: &'a Tenant,
    handover: &'a Handover<'_>,
) -> LocalFuture<'a, Result<Response, Error>> {
    Box::pin(async move {
        let object = tenant_object(tenant.beginning());
        let status =
            handover.task(&object, &Task::Erase).await.map_err(|cause| internal(&cause))?;
        respond(Tenant::erased(status == 204)).map_err(|cause| internal(&cause))
    })
}

/// Cloudflare's own id of the request, or a random one without it.
fn request_id(head: &RequestHead<'_>) -> u64 {
    let ray = (head.headers)("cf-ray");
    let ray = ray
        .as_deref()
        .and_then(|ray| ray.split('-').next())
        .and_then(|ray| u64::from_str_radix(ray, 16).ok());
    ray.unwrap_or_else(|| u64::from(entropy()) << 32 | u64::from(entropy()))
}

/// The body of a publish, read at most up to its limit.
async fn body(
    request: &mut Request,
    asked: &ChannelRequest,
    settings: &Settings,
) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    if !asked.operation.has_body() || request.inner().body().is_none() {
        return Ok(body);
    }
    let mut chunks = request.stream().map_err(Error::body_incomplete)?;
    while let Some(chunk) = chunks.next().await {
        body.extend(chunk.map_err(Error::body_incomplete)?);
        if body.len() as u64 > settings.max_body_bytes {
            return Err(Error::body_too_large(settings.max_body_bytes));
        }
    }
    Ok(body)
}

/// Reads the body of a request to a channel, and hands both over to the channel.
fn hand_over<'a>(
    request: &'a mut Request,
    asked: ChannelRequest,
    trace: Option<&'a Trace>,
    handover: &'a Handover<'_>,
) -> LocalFuture<'a, Result<Response, Error>> {
    Box::pin(async move {
        let body = body(request, &asked, handover.settings).await?;
        answer_of_channel(asked, body, trace, handover).await.map_err(|cause| internal(&cause))
    })
}

async fn answer_of_channel(
    asked: ChannelRequest,
    body: Vec<u8>,
    trace: Option<&Trace>,
    handover: &Handover<'_>,
) -> Result<Response> {
    let response = handover.send(&asked, body, trace).await?;
    // Without a socket it is a complete answer: history, an error, the end.
    let (SWITCHING_PROTOCOLS, Operation::Read(read)) = (response.status_code(), asked.operation)
    else {
        return Ok(response);
    };
    if read.transport == Transport::WebSocket {
        // From here on client and object talk directly, without the Worker.
        return Ok(response);
    }
    let subscribed = Subscribed::read(response.headers())?;
    let socket = response
        .websocket()
        .ok_or_else(|| worker::Error::RustError("an upgrade without a socket".into()))?;
    match read.transport {
        Transport::EventSource => bridge::stream(
            socket,
            Framing::EventSource,
            &subscribed,
            &asked.grant,
            handover.settings,
        ),
        Transport::DurableSse => bridge::stream(
            socket,
            Framing::DurableSse,
            &subscribed,
            &asked.grant,
            handover.settings,
        ),
        _ => long_poll::wait(socket, &subscribed, &asked.grant, handover.settings).await,
    }
}
