//! Progress on Spin, below its route in `spin.toml`.

use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use tidewire_core::Result;
use tidewire_spin::{Answer, Call, serve_routes};

use crate::Progress;
use crate::upload::{Object, upload};

#[http_service]
async fn handle(request: Request) -> Answer {
    serve_routes::<Progress>(request, async |Call { routed, body, channel, settings }| {
        upload(
            &routed,
            body,
            &|change, body| channel.send(change, body).boxed_local(),
            now_ms,
            settings.upload_max_bytes,
            None::<Infallible>,
        )
        .await
    })
    .await
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Spin has no bucket: an upload is hashed and counted.
impl Object for Infallible {
    async fn write(&mut self, _: &[u8]) -> Result<()> {
        match *self {}
    }

    async fn finish(&mut self) -> Result<()> {
        match *self {}
    }

    async fn abort(&mut self) {
        match *self {}
    }
}
