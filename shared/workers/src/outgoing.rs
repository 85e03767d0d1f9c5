//! Requests that the Worker and its objects make themselves.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use worker::{Headers, Request, Result};

// The builder of the SDK would link the options of images and caches, and call for each option.
#[wasm_bindgen(inline_js = "
export function make_request(url, method, headers, body) {
    return new Request(url, { method, headers, body, redirect: 'manual' });
}")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn make_request(
        url: &str,
        method: &str,
        headers: &web_sys::Headers,
        body: Option<Uint8Array>,
    ) -> Result<web_sys::Request, JsValue>;
}

/// A `POST` of this body, or a `GET`. A redirect is an answer like any other.
pub(crate) fn request(url: &str, headers: &Headers, body: Option<&[u8]>) -> Result<Request> {
    let method = if body.is_some() { "POST" } else { "GET" };
    Ok(make_request(url, method, &headers.0, body.map(Uint8Array::from))?.into())
}
