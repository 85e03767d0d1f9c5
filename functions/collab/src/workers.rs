//! Shared documents on Cloudflare Workers.

use tidewire_workers::{channel_object, serve};
// `channel_object!` below needs `wasm_bindgen`.
use worker::{Env, Request, Response, Result, wasm_bindgen};

use crate::Collab;

channel_object!(CollabChannel, Collab);

/// Serves the documents below `base`, or below the setting `BASE_PATH`.
pub async fn fetch(request: Request, env: &Env, base: Option<&str>) -> Result<Response> {
    serve::<Collab>(request, env, "COLLAB_CHANNEL", base).await
}

#[cfg(feature = "entrypoint")]
#[worker::event(fetch)]
async fn main(request: Request, env: Env, _: worker::Context) -> Result<Response> {
    fetch(request, &env, None).await
}
