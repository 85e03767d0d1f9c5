//! Shared documents on Spin, below their route in `spin.toml`.

use spin_sdk::http::Request;
use spin_sdk::http_service;
use tidewire_spin::{Answer, serve};

use crate::Collab;

#[http_service]
async fn handle(request: Request) -> Answer {
    serve::<Collab>(request).await
}
