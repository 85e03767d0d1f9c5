//! The head of a client's request, which crosses from JavaScript in one call.

use tidewire_core::fields::list;
use tidewire_core::{Error, ErrorKind, RequestHead, SUBPROTOCOL};
use wasm_bindgen::prelude::*;
use worker::Request;

// No part of a head contains a line break. The SDK's own method parses the address in the module,
// with tables of 60 KB gzipped, and turns every unknown method into GET.
#[wasm_bindgen(inline_js = "
export function read_head(request) {
    const { href, pathname, search } = new URL(request.url);
    let head = `${request.method}\\n${href}\\n${pathname}\\n${search}`;
    for (const [name, value] of request.headers) head += `\\n${name}\\n${value}`;
    return head;
}")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn read_head(request: &web_sys::Request) -> Result<String, JsValue>;
}

/// The head of a request.
pub(crate) struct Head {
    method: String,
    url: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn read(request: &Request) -> Result<Head, Error> {
        let text = read_head(request.inner()).map_err(|cause| {
            let cause = worker::Error::from(cause);
            Error::new(ErrorKind::RouteNotFound, format!("the address does not parse: {cause}"))
        })?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().unwrap_or_default().to_owned();
        let (method, url, path, search) = (line(), line(), line(), line());
        let query = search.strip_prefix('?').unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
            headers.push((name.to_owned(), value.to_owned()));
        }
        Ok(Head { method, url, path, query, headers })
    }

    /// The value of a header by its lower-case name; repeated ones are joined.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// For the core, with a look-up that borrows this head.
    pub(crate) fn borrow<'a>(
        &'a self,
        headers: &'a dyn Fn(&str) -> Option<String>,
    ) -> RequestHead<'a> {
        RequestHead {
            method: &self.method,
            url: &self.url,
            path: &self.path,
            query: &self.query,
            headers,
        }
    }

    /// The announced length of the body, in bytes. HTTP holds a body to it.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// Whether the client offers our subprotocol.
    pub(crate) fn offers_subprotocol(&self) -> bool {
        self.header("sec-websocket-protocol")
            .is_some_and(|offered| list(offered).any(|name| name == SUBPROTOCOL))
    }
}
