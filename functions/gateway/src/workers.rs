//! The gateway on Cloudflare Workers. It names every function's module, so that their Durable
//! Object classes are exported.

use tidewire_chat::workers as chat;
use tidewire_collab::workers as collab;
use tidewire_core::PAGE_POLICY;
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
    // All of them may be below one path of a site.
    let base = env.var("BASE_PATH").map_or_else(|_| "/".to_owned(), |base| base.to_string());
    let path = request.path();
    let rest = path.strip_prefix(&base).unwrap_or_default();
    let name = rest.split('/').next().unwrap_or_default();
    let at = format!("{base}{name}/");
    let at = Some(at.as_str());
    match name {
        "chat" => chat::fetch(request, &env, at).await,
        "collab" => collab::fetch(request, &env, at).await,
        "devices" => devices::fetch(request, &env, at).await,
        "feed" => feed::fetch(request, &env, at).await,
        "notifications" => notifications::fetch(request, &env, at).await,
        "progress" => progress::fetch(request, &env, at).await,
        "status" => status::fetch(request, &env, at).await,
        "v1" => {
            streams::fetch(request, &env, Some(&format!("{}{STREAMS}", base.trim_end_matches('/'))))
                .await
        }
        _ => match naive::room(&path) {
            Some(room) => naive::workers::fetch(request, &env, room).await,
            None => serve_assets(&request, &base, GALLERY, PAGE_POLICY),
        },
    }
}
