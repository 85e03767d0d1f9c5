//! Tidewire on Cloudflare Workers.
//!
//! A request reaches the Worker first ([`serve`]), which parses and checks it and, for SSE and long
//! poll, holds it. Each channel is a Durable Object ([`channel_object!`]) with the log in its
//! SQLite and hibernating WebSockets for its readers, so that a quiet channel sleeps however many
//! listen. Empty on other targets than `wasm32-unknown-unknown`.
#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]

mod answer;
mod bridge;
mod clock;
mod close;
mod handover;
mod head;
mod long_poll;
mod object;
mod outgoing;
mod placement;
mod post;
mod provider_keys;
mod readers;
mod refusal;
mod request_rate;
mod respond;
mod route;
mod serve;
mod settings;
mod sockets;
mod store;
mod through_channel;
mod web_crypto;
mod window;

pub use close::answer_close;
pub use object::ChannelObject;
pub use serve::{serve, serve_assets, serve_routes};

/// Declares a function's Durable Object class: one instance is one channel.
///
/// Needs `worker` and `worker::wasm_bindgen` in scope.
///
/// ```ignore
/// channel_object!(FeedChannel, Feed);
/// ```
///
/// Give each function its own class, and never rename it after a release: name and migration decide
/// where the data is.
#[macro_export]
macro_rules! channel_object {
    ($class:ident, $function:ty) => {
        /// The function's channels, one object each.
        #[worker::durable_object]
        pub struct $class($crate::ChannelObject);

        impl worker::DurableObject for $class {
            fn new(state: worker::State, env: worker::Env) -> Self {
                $class($crate::ChannelObject::new::<$function>(stringify!($class), state, &env))
            }

            async fn fetch(&self, request: worker::Request) -> worker::Result<worker::Response> {
                self.0.fetch(request).await
            }

            async fn websocket_message(
                &self,
                socket: worker::WebSocket,
                message: worker::WebSocketIncomingMessage,
            ) -> worker::Result<()> {
                self.0.websocket_message(&socket, message)
            }

            async fn websocket_close(
                &self,
                socket: worker::WebSocket,
                code: usize,
                _: String,
                _: bool,
            ) -> worker::Result<()> {
                self.0.websocket_closed(&socket, code as u16).await;
                Ok(())
            }

            async fn websocket_error(
                &self,
                socket: worker::WebSocket,
                _: worker::Error,
            ) -> worker::Result<()> {
                self.0.websocket_failed(&socket);
                Ok(())
            }

            async fn alarm(&self) -> worker::Result<worker::Response> {
                self.0.alarm().await
            }
        }
    };
}
