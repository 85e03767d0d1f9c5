//! The control port: through it tests read counters and disturb the host.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use wasmtime::Result;
use wasmtime_wasi_http::WasiBody;

use crate::clock::Clock;
use crate::counters::Counters;
use crate::instance::Instances;
use crate::server::{Server, text};

pub struct Control {
    pub counters: Arc<Counters>,
    pub instances: Arc<Instances>,
    pub server: Arc<Server>,
    pub clock: Clock,
}

impl Control {
    /// Answers in JSON; refusals are plain text.
    pub fn answer<B>(&self, request: &Request<B>) -> Result<Response<WasiBody>> {
        let query = request.uri().query().unwrap_or_default();
        let parameter = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
                .map(|(_, value)| value)
        };
        let answer = match (request.method(), request.uri().path()) {
            (&Method::GET, "/counters") => serde_json::to_value(&*self.counters)?,
            (&Method::POST, "/trap") => {
                serde_json::json!({ "trapped": u8::from(self.instances.trap(parameter("component"))) })
            }
            (&Method::POST, "/recycle") => {
                self.server.recycle();
                serde_json::json!({ "recycled": self.counters.instances_active.get() })
            }
            (&Method::POST, "/clock") => match parameter("shift_ms").map(str::parse) {
                Some(Ok(shift)) => {
                    self.clock.shift_ms(shift);
                    serde_json::json!({ "shift_ms": shift })
                }
                _ => {
                    return Ok(text(
                        StatusCode::BAD_REQUEST,
                        "shift_ms must be a whole number of milliseconds\n",
                    ));
                }
            },
            _ => {
                return Ok(text(
                    StatusCode::NOT_FOUND,
                    "GET /counters, POST /trap, POST /recycle, POST /clock?shift_ms=N\n",
                ));
            }
        };
        Ok(text(StatusCode::OK, answer.to_string()))
    }
}
