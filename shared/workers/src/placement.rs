//! The call of an object, and its placement: each is decided in one place.
//!
//! An object stays where it was first called. An object in a jurisdiction differs from the object
//! of the same name without one: decide before the first launch, because data stored before is
//! unreachable afterwards.

use js_sys::Promise;
use js_sys::futures::JsFuture;
use tidewire_core::{Error, Settings};
use wasm_bindgen::prelude::*;
use worker::{Env, Request, Response};

use crate::respond::{internal, joined};

// One call: the SDK makes one for each step, and a `Request` that the platform then copies.
#[wasm_bindgen(inline_js = "
export function call_object(env, binding, jurisdiction, hint, name, head, bytes, request) {
    let namespace = env[binding];
    if (!namespace) throw new Error(`the binding ${binding} is missing`);
    if (jurisdiction) namespace = namespace.jurisdiction(jurisdiction);
    const object = hint ? namespace.getByName(name, { locationHint: hint }) : namespace.getByName(name);
    const lines = head.split('\\n');
    const headers = [];
    for (let at = 1; at < lines.length; at += 2) headers.push([lines[at - 1], lines[at]]);
    // An object reads only the headers of a request; the address is never resolved.
    const send = (body) => body?.byteLength > 0
        ? object.fetch('https://channel.invalid/', { method: 'POST', headers, body, redirect: 'manual' })
        : object.fetch('https://channel.invalid/', { headers, redirect: 'manual' });
    // The memory of the module may move before the bytes are sent.
    if (!request) return send(bytes?.slice());
    return request.arrayBuffer().then(send, (cause) => cause);
}")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn call_object(
        env: &JsValue,
        binding: &str,
        jurisdiction: &str,
        hint: &str,
        name: &str,
        head: &str,
        bytes: Option<&[u8]>,
        request: Option<&web_sys::Request>,
    ) -> Result<Promise, JsValue>;
}

/// What an object gets beside the headers.
pub(crate) enum Body<'a> {
    Bytes(&'a [u8]),
    /// The body of this request, which is not read yet: it does not cross to this module.
    Of(&'a Request),
}

/// Calls the object of a name, by the settings `JURISDICTION` and `LOCATION_HINT`.
///
/// # Errors
///
/// [`ErrorKind::BodyIncomplete`](tidewire_core::ErrorKind::BodyIncomplete) if the body of a client
/// fails, else a logged fault of the platform.
pub(crate) async fn call(
    env: &Env,
    binding: &str,
    settings: &Settings,
    name: &str,
    headers: &[(&str, &str)],
    body: Body<'_>,
) -> Result<Response, Error> {
    let (bytes, request) = match body {
        Body::Bytes(bytes) => (Some(bytes), None),
        Body::Of(request) => (None, Some(request.inner())),
    };
    let Settings { jurisdiction, location_hint, .. } = settings;
    let fault = |cause: JsValue| internal(&cause.into());
    let head = joined(headers);
    let promise =
        call_object(env, binding, jurisdiction, location_hint, name, &head, bytes, request)
            .map_err(fault)?;
    match JsFuture::from(promise).await.map_err(fault)?.dyn_into::<web_sys::Response>() {
        Ok(response) => Ok(response.into()),
        Err(cause) => Err(Error::body_incomplete(worker::Error::from(cause))),
    }
}
