//! What a function's own route has of Workers: the body as it arrives, and the way to its channel.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::AsyncReadExt;
use http::{HeaderName, HeaderValue};
use js_sys::futures::{JsFuture, future_to_promise};
use tidewire_core::{
    Call, Change, ChannelName, ChannelRequest, Error, Grant, LocalFuture, Operation, Platform,
    Reply, Result, Routed, Settings,
};
use wasm_bindgen::prelude::*;
use wasm_streams::readable::IntoAsyncRead;
use worker::{Env, Request, Response};

use crate::clock::now_ms;
use crate::handover::Handover;
use crate::placement::Body;
use crate::respond::{internal, respond};

#[wasm_bindgen(module = "cloudflare:workers")]
extern "C" {
    #[wasm_bindgen(js_name = waitUntil)]
    fn wait_until(promise: &js_sys::Promise);
}

/// Longest chunk of a body, in bytes: the platform's default is 4 KiB, and each chunk costs CPU.
const CHUNK_BYTES: usize = 64 * 1024;

/// The body of a call, and the channel to publish to.
struct RouteChannel {
    body: Option<IntoAsyncRead<'static>>,
    env: Env,
    binding: String,
    settings: Rc<Settings>,
    channel: ChannelName,
}

impl Platform for RouteChannel {
    fn chunk(&mut self) -> LocalFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(async {
            let Some(body) = &mut self.body else { return Ok(None) };
            let mut chunk = vec![0; CHUNK_BYTES];
            let length = body.read(&mut chunk).await.map_err(Error::body_incomplete)?;
            chunk.truncate(length);
            Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
        })
    }

    fn send(&self, change: Change, grant: Grant, body: Vec<u8>) -> LocalFuture<'_, Result<Reply>> {
        Box::pin(async move {
            let handover = Handover {
                env: &self.env,
                binding: &self.binding,
                settings: &self.settings,
                offers_subprotocol: false,
            };
            let (channel, operation) = (self.channel.clone(), Operation::Change(change));
            let request = ChannelRequest { channel, operation, grant };
            let response = handover.send(&request, Body::Bytes(&body), None).await?;
            reply(response).await.map_err(|cause| internal(&cause))
        })
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }
}

async fn reply(mut response: Response) -> worker::Result<Reply> {
    let mut reply = Reply::new(response.bytes().await?);
    *reply.status_mut() = http::StatusCode::from_u16(response.status_code())
        .map_err(|cause| worker::Error::RustError(cause.to_string()))?;
    for (name, value) in response.headers() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            reply.headers_mut().insert(name, value);
        }
    }
    Ok(reply)
}

/// The call of a route: its rights are checked.
pub(crate) fn call(
    request: &Request,
    routed: Routed,
    handover: &Handover<'_>,
    settings: Rc<Settings>,
) -> Call {
    let body = request.inner().body();
    let channel = RouteChannel {
        body: body.map(|body| wasm_streams::ReadableStream::from_raw(body).into_async_read()),
        env: handover.env.clone(),
        binding: handover.binding.into(),
        settings: Rc::clone(&settings),
        channel: routed.channel.clone(),
    };
    Call::new(routed, settings, channel)
}

/// Carries a call to its end even if its client leaves: the platform gives it 30 s more.
pub(crate) fn to_the_end(
    own: LocalFuture<'static, Result<Reply>>,
) -> LocalFuture<'static, Result<Response>> {
    Box::pin(async {
        let answer = Rc::new(RefCell::new(None));
        let done = future_to_promise({
            let answer = Rc::clone(&answer);
            async move {
                *answer.borrow_mut() = Some(own.await);
                Ok(JsValue::UNDEFINED)
            }
        });
        wait_until(&done);
        JsFuture::from(done).await.map_err(|cause| internal(&cause.into()))?;
        let reply = answer
            .take()
            .unwrap_or_else(|| Err(internal(&"a route of the function gave no answer".into())))?;
        respond(reply).map_err(|cause| internal(&cause))
    })
}
