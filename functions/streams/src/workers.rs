//! The raw log on Cloudflare Workers.

use tidewire_workers::{channel_object, serve};
// `channel_object!` below needs `wasm_bindgen`.
use worker::{Env, Request, Response, Result, wasm_bindgen};

use crate::{PATH, Streams};

channel_object!(StreamsChannel, Streams);

/// Serves the log below `base`, or below [`PATH`].
pub async fn fetch(request: Request, env: &Env, base: Option<&str>) -> Result<Response> {
    serve::<Streams>(request, env, "STREAMS_CHANNEL", Some(base.unwrap_or(PATH))).await
}

#[cfg(feature = "entrypoint")]
#[worker::event(fetch)]
async fn main(request: Request, env: Env, _: worker::Context) -> Result<Response> {
    fetch(request, &env, None).await
}
