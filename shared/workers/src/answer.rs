//! The way of a request before its channel: route, identity, rate.
//!
//! What is generic here is compiled with each function. An `async fn` that it awaits is compiled
//! there once more, with all that it awaits itself, so the steps below are plain functions with a
//! boxed future: a Worker has each of them once, however many functions it serves.

use std::rc::Rc;

use tidewire_access::{cors, identify};
use tidewire_core::{
    Error, Function, Identity, LocalFuture, RequestHead, Routed, Settings, Target, Tenant, Trace,
    route,
};
use worker::{Env, Request, Response};

use crate::clock::{entropy, now_ms};
use crate::handover::{Handover, Task, tenant_object};
use crate::head::Head;
use crate::provider_keys::Provider;
use crate::request_rate::check_request_rate;
use crate::respond::{internal, respond};
use crate::settings::settings;
use crate::through_channel::through_channel;
use crate::web_crypto::WebCrypto;

/// The path of a function, and the binding of its channels.
#[derive(Clone, Copy)]
pub(crate) struct Served<'a> {
    pub(crate) env: &'a Env,
    pub(crate) binding: &'a str,
    pub(crate) base: Option<&'a str>,
    pub(crate) offers_subprotocol: bool,
}

/// Carries out a request at one of a function's own routes. A Worker without routes has none of the
/// code for them.
pub(crate) type OwnRoute = Box<
    dyn FnOnce(
        &Request,
        Routed,
        &Handover<'_>,
        Rc<Settings>,
    ) -> LocalFuture<'static, Result<Response, Error>>,
>;

/// Answers a request, itself or through its channel; what it finds out before it fails is in
/// `headers` and `trace`.
pub(crate) async fn answer<F: Function>(
    request: &mut Request,
    head: &Head,
    served: Served<'_>,
    headers: &mut Vec<(&'static str, String)>,
    trace: &mut Option<Trace>,
    own: OwnRoute,
) -> Result<Response, Error> {
    let Served { env, binding, base, offers_subprotocol } = served;
    let settings = settings(env, base)?;
    let handover = Handover { env, binding, settings: &settings, offers_subprotocol };
    let header = |name: &str| head.header(name).map(str::to_owned);
    let content_length = head.content_length();
    let head = head.borrow(&header);
    *headers = cors(&head, &settings);
    *trace = Some(Trace::new::<F>(&head, &settings, request_id(&head), now_ms()));
    let admitted = || admitted(F::NAME, env, &head, &settings);
    match route::<F>(&head, &settings)? {
        Target::Reply(reply) => respond(reply).map_err(|cause| internal(&cause)),
        Target::Channel(asked) => {
            let asked = asked.authorize::<F>(&admitted().await?, &settings)?;
            through_channel(request, content_length, asked, trace.as_ref(), &handover).await
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
        let identity = identify(function, head, settings, &Provider, &WebCrypto).await?;
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
