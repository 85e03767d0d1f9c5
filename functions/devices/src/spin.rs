//! Devices on Spin, below its route in `spin.toml`.

use spin_sdk::http::Request;
use spin_sdk::http_service;
use tidewire_spin::{Answer, serve};

use crate::Devices;

#[http_service]
async fn handle(request: Request) -> Answer {
    serve::<Devices>(request).await
}
