//! The gateway on Cloudflare Workers. It names every function's module, so that their Durable Object classes are exported.

use tidewire_chat::workers as chat;
use tidewire_devices::workers as devices;
use tidewire_feed::workers as feed;
use tidewire_notifications::workers as notifications;
use tidewire_progress::workers as progress;
use tidewire_status::workers as status;
use tidewire_streams::{PATH as STREAMS, workers as streams};
use tidewire_workers::serve_assets;
use worker::{Context, Env, Request, Response, Result, event};

use crate::{GALLERY, naive};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
    let path = request.path();
    match path.as_str() {
        path if path.starts_with(STREAMS) => streams::fetch(request, &env).await,
        path if below(path, "/chat") => chat::fetch(request, &env, Some("/chat/")).await,
        path if below(path, "/devices") => devices::fetch(request, &env, Some("/devices/")).await,
        path if below(path, "/feed") => feed::fetch(request, &env, Some("/feed/")).await,
        path if below(path, "/notifications") => notifications::fetch(request, &env, Some("/notifications/")).await,
        path if below(path, "/progress") => progress::fetch(request, &env, Some("/progress/")).await,
        path if below(path, "/status") => status::fetch(request, &env, Some("/status/")).await,
        path => match naive::room(path) {
            Some(room) => naive::workers::fetch(request, &env, room).await,
            None => serve_assets(&request, GALLERY),
        },
    }
}

/// Whether a path is `/name` or below it.
fn below(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
