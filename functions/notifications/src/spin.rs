//! The notifications on Spin, below their route in `spin.toml`.

use spin_sdk::http::Request;
use spin_sdk::http_service;
use tidewire_spin::{Answer, serve};

use crate::Notifications;

#[http_service]
async fn handle(request: Request) -> Answer {
    serve::<Notifications>(request).await
}
