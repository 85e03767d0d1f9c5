//! What a Worker calls: a request comes in, an answer goes out.

use std::future::ready;

use tidewire_core::{
    Asset, Call, Error, ErrorKind, Framing, Function, NameShape, Reply, Transport, fault, file,
};
use worker::{Env, Request, Response, Result};

use crate::answer::{OwnRoute, Served, answer};
use crate::clock::now_ms;
use crate::head::Head;
use crate::refusal::refuse_upgrade;
use crate::respond::{refuse, respond, with_headers};
use crate::route::{call, to_the_end};

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

async fn serve_with<F: Function>(
    mut request: Request,
    env: &Env,
    binding: &str,
    base: Option<&str>,
    own: OwnRoute,
) -> Result<Response> {
    let head = match Head::read(&request) {
        Ok(head) => head,
        Err(error) => {
            worker::console_log!("{}", fault(None, &error));
            return refuse(&error);
        }
    };
    let offers_subprotocol = head.offers_subprotocol();
    let is_upgrade = Transport::is_upgrade(head.header("upgrade"));
    let is_document = F::CHANNEL_NAMES == NameShape::Document;
    let (mut headers, mut trace) = (Vec::new(), None);
    let answered = answer::<F>(
        &mut request,
        &head,
        Served { env, binding, base, offers_subprotocol },
        &mut headers,
        &mut trace,
        own,
    )
    .await
    .map_err(|error| error.of_document(is_document));
    if let Err(error) = &answered {
        worker::console_log!(
            "{}",
            trace.map_or_else(|| fault(None, error), |trace| trace.refused(error, now_ms()))
        );
    }
    // Text would end the process of a client of Yjs.
    let framing =
        if is_document && !offers_subprotocol { Framing::Yjs } else { Framing::TidewireV1 };
    match answered {
        Err(error) if is_upgrade => refuse_upgrade(&error, framing, offers_subprotocol),
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
