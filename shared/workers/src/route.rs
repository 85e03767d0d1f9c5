//! The arguments of a function's own route: the body as it arrives, and the channel to publish to.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

use futures_util::{AsyncReadExt, Stream, stream};
use http::{HeaderName, HeaderValue};
use js_sys::futures::{JsFuture, future_to_promise};
use tidewire_core::{
    Change, ChannelName, ChannelRequest, Error, ErrorKind, Grant, Operation, Reply, Routed,
    Settings,
};
use wasm_bindgen::prelude::*;
use worker::{Env, Request, Response};

use crate::handover::Handover;
use crate::respond::{internal, refuse, respond};

#[wasm_bindgen(module = "cloudflare:workers")]
extern "C" {
    #[wasm_bindgen(js_name = waitUntil)]
    fn wait_until(promise: &js_sys::Promise);
}

/// A request at one of a function's own routes. Its rights are checked.
pub struct Call {
    /// The request.
    pub routed: Routed,
    /// The body, chunk by chunk; the next chunk is read from the client when this one is done. Ends
    /// with [`ErrorKind::BodyIncomplete`] if the client leaves.
    pub body: Body,
    /// The channel, to publish to.
    pub channel: Publisher,
    /// The settings in force.
    pub settings: Rc<Settings>,
}

/// Longest chunk of a body, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// The body of a [`Call`].
pub type Body = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Error>>>>;

/// One channel, for the function's own code.
pub struct Publisher {
    env: Env,
    binding: String,
    settings: Rc<Settings>,
    channel: ChannelName,
    grant: Grant,
    has_begun: Cell<bool>,
}

impl Publisher {
    /// Has the channel carry out a change, and returns its answer, refusals included. Checks no
    /// rights: the route did. Whether they were channel knows the revocations, so it checks them
    /// with the first operation; an operation that has begun continues when the client's right
    /// ends.
    pub async fn send(&self, change: Change, body: Vec<u8>) -> Reply {
        let handover = Handover {
            env: &self.env,
            binding: &self.binding,
            settings: &self.settings,
            offers_subprotocol: false,
        };
        let until_ms = self.grant.until_ms.filter(|_| !self.has_begun.replace(true));
        let grant = Grant { until_ms, ..self.grant.clone() };
        let request = ChannelRequest {
            channel: self.channel.clone(),
            operation: Operation::Change(change),
            grant,
        };
        let reply = async { reply(handover.send(&request, body, None).await?).await };
        reply.await.unwrap_or_else(|cause| tidewire_core::problem(&internal(&cause)))
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

/// The body in large pieces: the platform's default is 4 KiB, and each piece costs CPU.
fn chunks(body: web_sys::ReadableStream) -> Body {
    let reader = wasm_streams::ReadableStream::from_raw(body).into_async_read();
    Box::pin(stream::unfold(reader, async |mut reader| {
        let mut chunk = vec![0; CHUNK_BYTES];
        match reader.read(&mut chunk).await {
            Ok(0) => None,
            Ok(length) => {
                chunk.truncate(length);
                Some((Ok(chunk), reader))
            }
            Err(cause) => Some((
                Err(Error::new(
                    ErrorKind::BodyIncomplete,
                    format!("the body is incomplete: {cause}"),
                )),
                reader,
            )),
        }
    }))
}

/// Carries a call to its end even if its client leaves: the platform gives it 30 s more.
pub(crate) async fn carry_out(
    request: &mut Request,
    routed: Routed,
    handover: &Handover<'_>,
    settings: Rc<Settings>,
    own: impl AsyncFnOnce(Call) -> Result<Reply, Error> + 'static,
) -> worker::Result<Response> {
    let body = match request.inner().body() {
        Some(body) => chunks(body),
        None => Box::pin(stream::empty()),
    };
    let (channel, grant) = (routed.channel.clone(), routed.grant.clone());
    let (env, binding, kept) =
        (handover.env.clone(), handover.binding.into(), Rc::clone(&settings));
    let channel =
        Publisher { env, binding, settings: kept, channel, grant, has_begun: Cell::default() };
    let answer = Rc::new(RefCell::new(None));
    let done = future_to_promise({
        let answer = Rc::clone(&answer);
        async move {
            *answer.borrow_mut() = Some(own(Call { routed, body, channel, settings }).await);
            Ok(JsValue::UNDEFINED)
        }
    });
    wait_until(&done);
    JsFuture::from(done).await?;
    match answer.take() {
        Some(Ok(reply)) => respond(reply),
        Some(Err(error)) => refuse(&error),
        None => Err(worker::Error::RustError("a route of the function gave no answer".into())),
    }
}
