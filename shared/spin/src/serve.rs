//! The way of a request on Spin.

use futures_util::{Stream, StreamExt};
use http::HeaderMap;
use spin_sdk::http::Request;
use spin_sdk::http::body::IncomingBodyExt;
use tidewire_access::{cors, identify};
use tidewire_core::{
    Asset, Call, Error, ErrorKind, Function, Operation, Reply, RequestHead, Scope, Target, Tenant,
    Trace, Transport, decide_announce, decide_head, decide_revoke, decide_stats, fault, file,
    policy_of, route, without_websocket,
};

use crate::access::check_access;
use crate::activity::{count, counted, instance};
use crate::change::{carry_out, members};
use crate::clock::{entropy, now_ms};
use crate::database::shared;
use crate::provider_keys::provider_keys;
use crate::read::{kept, read_channel};
use crate::respond::{Answer, Outgoing, internal, refuse, respond, send};
use crate::route::RouteChannel;
use crate::settings::settings;
use crate::store::Store;
use crate::tenant::erase;

/// How many more bytes of a too large body are read, and dropped, before it is refused: the
/// platform closes the connection with the answer, and a client that is still writing would see a
/// broken pipe instead of 413.
const HEARD_OUT_BYTES: usize = 32 * 1024 * 1024;

/// Serves a function below its route in `spin.toml`, or below the variable `base_path`.
pub async fn serve<F: Function>(request: Request) -> Answer {
    serve_routes::<F>(request, async |_| {
        Err(Error::new(ErrorKind::RouteNotFound, "this function has no routes of its own"))
    })
    .await
}

/// The same for a function with [`Function::ROUTES`]: `own` carries out a request at one of them
/// and answers.
pub async fn serve_routes<F: Function>(
    request: Request,
    own: impl AsyncFnOnce(Call) -> Result<Reply, Error>,
) -> Answer {
    let (mut headers, mut trace) = (Vec::new(), None);
    let outgoing =
        answer::<F>(request, &mut headers, &mut trace, own).await.unwrap_or_else(|error| {
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
    own: impl AsyncFnOnce(Call) -> Result<Reply, Error>,
) -> Result<Outgoing, Error> {
    let (parts, body) = request.into_parts();
    let settings = settings(&base(&parts.headers)).await?;
    // The platform would take the first of several values of a header; joined, all are visible.
    // HTTP/2 splits cookies (RFC 9113, section 8.2.3).
    let header = |name: &str| {
        let values: Vec<_> = parts
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (!values.is_empty()).then(|| values.join(if name == "cookie" { "; " } else { ", " }))
    };
    let url = told(&parts.headers, "spin-full-url").unwrap_or_default();
    let head = RequestHead {
        method: parts.method.as_str(),
        url,
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
    let identity = async || identify(F::NAME, &head, &settings, now_ms, provider_keys).await;
    let asked = match route::<F>(&head, &settings)? {
        Target::Reply(reply) => return Ok(respond(without_websocket(reply))),
        Target::Channel(asked) => asked.authorize::<F>(&identity().await?, &settings)?,
        Target::EraseTenant(tenant) => {
            let tenant = tenant.authorize::<F>(&identity().await?, &settings)?;
            return erase(F::NAME, &tenant)
                .await
                .map(|is_done| respond(Tenant::erased(is_done)))
                .map_err(internal);
        }
        Target::Route(routed) => {
            let routed = routed.authorize::<F>(&identity().await?, &settings)?;
            let policy = policy_of::<F>(Some(&routed.channel), &settings);
            let store = Store::new(F::NAME, routed.channel.as_str(), policy.presence.is_some());
            let channel = RouteChannel { body: Box::pin(body.stream()), store, policy };
            return own(Call::new(routed, settings, channel)).await.map(respond);
        }
    };
    let policy = policy_of::<F>(Some(&asked.channel), &settings);
    let store = Store::new(F::NAME, asked.channel.as_str(), policy.presence.is_some());
    let bytes = if asked.operation.has_body() {
        read_body(
            body.stream().map(|chunk| chunk.map_err(Error::body_incomplete)),
            settings.max_body_bytes,
        )
        .await?
    } else {
        Vec::new()
    };
    // The channel as it is, for a client that still has access to it.
    let admitted = async || {
        let look = store.load().await.map_err(internal)?;
        check_access(&*shared().await.map_err(internal)?, &store, &look, &asked.grant).await?;
        Ok::<_, Error>(look)
    };
    let reply = match &asked.operation {
        Operation::Read(read) if read.transport == Transport::WebSocket => {
            return Err(Error::new(
                ErrorKind::WebSocketUnsupported,
                "Spin does not support WebSockets: read this address as SSE (Accept: text/event-stream), publish with POST",
            ));
        }
        Operation::Read(read) => {
            return read_channel(store.clone(), read, &asked.grant, trace, &policy, settings)
                .await
                .inspect_err(|error| {
                    count(&store, |activity| activity.count_refused(None, error));
                });
        }
        Operation::Change(change) => {
            carry_out(&store, change, &asked.grant, &bytes, &policy).await?
        }
        Operation::Head => decide_head(admitted().await?.channel(), &policy)?,
        Operation::Members => {
            admitted().await?;
            members(&store, policy.presence()?, None).await?
        }
        Operation::Announce => {
            admitted().await?;
            let (presence, said) = decide_announce(&bytes, &asked.grant, &policy)?;
            members(&store, presence, Some(said)).await?
        }
        Operation::Revoke => {
            admitted().await?;
            let (revocation, reply) = decide_revoke(&bytes, now_ms())?;
            store.put_revocation(&revocation).await.map_err(internal)?;
            reply
        }
        Operation::Stats { is_text } => {
            let look = kept(&store, &policy).await?;
            check_access(&*shared().await.map_err(internal)?, &store, &look, &asked.grant).await?;
            decide_stats(*is_text, look.channel())?.reply(
                F::NAME,
                asked.channel.as_str(),
                Scope::Instance(instance()),
                &counted(&store),
            )
        }
    };
    Ok(respond(reply))
}

/// Reads a body, no further than it may be long.
async fn read_body(
    mut chunks: impl Stream<Item = Result<impl AsRef<[u8]>, Error>> + Unpin,
    longest: u64,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(chunk?.as_ref());
        if bytes.len() as u64 > longest {
            let mut heard = 0;
            while heard < HEARD_OUT_BYTES
                && let Some(Ok(chunk)) = chunks.next().await
            {
                heard += chunk.as_ref().len();
            }
            return Err(Error::body_too_large(longest));
        }
    }
    Ok(bytes)
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
