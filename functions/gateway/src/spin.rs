//! The gallery on Spin. There the manifest's routes choose the function, and each function is its
//! own component.

use spin_sdk::http::Request;
use spin_sdk::http_service;
use tidewire_core::PAGE_POLICY;
use tidewire_spin::{Answer, serve_assets};

use crate::{GALLERY, naive};

#[http_service]
async fn handle(request: Request) -> Answer {
    let path = request.uri().path().to_owned();
    match naive::room(&path) {
        Some(room) => naive::spin::serve(request, room).await,
        None => serve_assets(request, GALLERY, PAGE_POLICY).await,
    }
}
