//! The feed on Spin, below its route in `spin.toml`.

use spin_sdk::http::Request;
use spin_sdk::http_service;
use tidewire_spin::{Answer, serve};

use crate::Feed;

#[http_service]
async fn handle(request: Request) -> Answer {
    serve::<Feed>(request).await
}
