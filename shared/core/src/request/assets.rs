//! The files that a function serves from memory, and the inspector and the client that every
//! function has.

use http::{HeaderName, StatusCode, header};

use crate::error::{Error, ErrorKind, Result};
use crate::function::Asset;
use crate::http::Reply;
use crate::http::headers::{preflight, reply, set};

const SERVICE_WORKER_ALLOWED: HeaderName = HeaderName::from_static("service-worker-allowed");

/// The methods of a file.
pub(crate) const FILE_METHODS: &str = "GET, HEAD, OPTIONS";

/// A page of every function. It needs no credential and shows nothing without one.
pub(crate) const INSPECTOR: &[Asset] = &[
    Asset {
        path: "-/inspector",
        content_type: "text/html; charset=utf-8",
        body: include_str!("../../inspector/inspector.html"),
    },
    Asset {
        path: "-/inspector.css",
        content_type: "text/css; charset=utf-8",
        body: include_str!("../../inspector/inspector.css"),
    },
    Asset {
        path: "-/inspector.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("../../inspector/inspector.js"),
    },
];

/// The client for pages, which every function and the gallery serve: `shared/client` in one file.
pub(crate) const CLIENT: Asset = Asset {
    path: "-/client.js",
    content_type: "text/javascript; charset=utf-8",
    body: include_str!("../../client/client.js"),
};

/// A file of a function, or of the gallery: the page and its files, and the client unless there is
/// another file of its name; `path` is the part after the base path. `page_policy` is the content
/// policy of pages, as [`Function::PAGE_POLICY`].
///
/// # Errors
///
/// [`ErrorKind::RouteNotFound`] and [`ErrorKind::MethodNotAllowed`].
pub fn file(assets: &[Asset], path: &str, method: &str, page_policy: &str) -> Result<Reply> {
    let asset =
        assets.iter().chain([&CLIENT]).find(|asset| asset.path == path).ok_or_else(|| {
            Error::new(ErrorKind::RouteNotFound, "there is no file at this address")
        })?;
    if method == "OPTIONS" {
        return Ok(preflight(FILE_METHODS));
    }
    if !matches!(method, "GET" | "HEAD") {
        return Err(Error::method_not_allowed(method, FILE_METHODS));
    }
    let mut reply = reply(StatusCode::OK, if method == "HEAD" { "" } else { asset.body });
    set(&mut reply, header::CONTENT_TYPE, asset.content_type);
    set(&mut reply, header::CONTENT_SECURITY_POLICY, page_policy);
    // Without it a service worker controls only what lies beside it.
    if asset.path.ends_with("-worker.js") {
        set(&mut reply, SERVICE_WORKER_ALLOWED, "../");
    }
    // The file belongs to the deployment and is the same for everyone: revalidate it each time,
    // since it is small.
    set(&mut reply, header::CACHE_CONTROL, "public, no-cache");
    Ok(reply)
}

/// The transports that a server without WebSocket offers to its pages.
const WITHOUT_WEBSOCKET: &[u8] =
    br#"<meta name="tidewire-transports" content="sse long-poll poll">"#;

/// Marks a page of a server without WebSocket. A browser cannot distinguish such a server from a
/// network that blocks WebSockets, and logs an error to the console for each attempt. Files that
/// are not pages stay unchanged.
pub fn without_websocket(mut page: Reply) -> Reply {
    let is_page = page
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    let head = page.body().windows(6).position(|part| part == b"<head>").filter(|_| is_page);
    if let Some(at) = head {
        page.body_mut().splice(at + 6..at + 6, WITHOUT_WEBSOCKET.iter().copied());
    }
    page
}
