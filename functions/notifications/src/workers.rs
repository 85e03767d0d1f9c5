//! The notifications on Cloudflare Workers.

use tidewire_workers::{channel_object, serve};
// `channel_object!` below needs `wasm_bindgen`.
use worker::{Env, Request, Response, Result, wasm_bindgen};

use crate::Notifications;

channel_object!(NotificationsChannel, Notifications);

/// Serves the notifications below `base`, or below the setting `BASE_PATH`.
pub async fn fetch(request: Request, env: &Env, base: Option<&str>) -> Result<Response> {
    serve::<Notifications>(request, env, "NOTIFICATIONS_CHANNEL", base).await
}

#[cfg(feature = "entrypoint")]
#[worker::event(fetch)]
async fn main(request: Request, env: Env, _: worker::Context) -> Result<Response> {
    fetch(request, &env, None).await
}
