//! The naive room on Cloudflare Workers: an object that sends each event to its current readers.
//!
//! The object itself writes its SSE streams. Therefore it never sleeps while a stream is open, and
//! is billed for it.

use std::cell::RefCell;

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::StreamExt;
use tidewire_workers::answer_close;
use worker::{
    DurableObject, Env, Error, Method, Request, Response, ResponseBuilder, Result, State,
    WebSocket, WebSocketIncomingMessage, WebSocketPair, durable_object, wasm_bindgen,
};

use super::{HEADERS, MAX_EVENT_BYTES, frame};

/// A room, one object each.
#[durable_object]
pub struct NaiveRoom {
    state: State,
    streams: RefCell<Vec<UnboundedSender<String>>>,
}

impl DurableObject for NaiveRoom {
    fn new(state: State, _: Env) -> Self {
        NaiveRoom { state, streams: RefCell::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        if request.headers().get("upgrade")?.is_some() {
            let pair = WebSocketPair::new()?;
            self.state.accept_web_socket(&pair.server);
            return Response::from_websocket(pair.client);
        }
        if request.method() == Method::Get {
            let (sender, receiver) = unbounded();
            self.streams.borrow_mut().push(sender);
            return answer()?
                .with_header("content-type", "text/event-stream")?
                .from_stream(receiver.map(Ok::<_, Error>));
        }
        let event = request.text().await?;
        if event.len() > MAX_EVENT_BYTES {
            return answer()?.error("too long", 413);
        }
        for socket in self.state.get_websockets() {
            // Readers that have left do not get the event: that is the point.
            let _ = socket.send_with_str(&event);
        }
        self.streams.borrow_mut().retain(|stream| stream.unbounded_send(frame(&event)).is_ok());
        Ok(answer()?.with_status(204).empty())
    }

    // The SDK's own function panics, which ends the isolate.
    async fn websocket_message(&self, _: WebSocket, _: WebSocketIncomingMessage) -> Result<()> {
        Ok(())
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        code: usize,
        _: String,
        _: bool,
    ) -> Result<()> {
        answer_close(&socket, code as u16).await;
        Ok(())
    }

    async fn websocket_error(&self, _: WebSocket, _: Error) -> Result<()> {
        Ok(())
    }
}

fn answer() -> Result<ResponseBuilder> {
    HEADERS
        .into_iter()
        .try_fold(Response::builder(), |answer, (name, value)| answer.with_header(name, value))
}

/// Passes the request to its room.
pub async fn fetch(request: Request, env: &Env, room: &str) -> Result<Response> {
    env.durable_object("NAIVE_ROOM")?.get_by_name(room)?.fetch_with_request(request).await
}
