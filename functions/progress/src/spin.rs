//! Progress on Spin, below its route in `spin.toml`.

use spin_sdk::http::Request;
use spin_sdk::http_service;
use tidewire_spin::{Answer, serve_routes};

use crate::Progress;
use crate::upload::upload;

/// Spin has no bucket: an upload is hashed and counted.
#[http_service]
async fn handle(request: Request) -> Answer {
    serve_routes::<Progress>(request, async |call| upload(call, None).await).await
}
