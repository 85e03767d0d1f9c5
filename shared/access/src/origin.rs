//! Which pages may use a visitor's credential.

use tidewire_core::{Error, ErrorKind, RequestHead, Result, Settings};

use crate::credential::{Carrier, Credential};

/// Headers that every answer to the request carries besides its own: add `vary`; the others replace
/// headers of the same name.
///
/// Only pages of an allowed origin can read answers to requests with cookies. All others get the
/// public headers, with which a browser withholds such an answer.
pub fn cors(head: &RequestHead<'_>, settings: &Settings) -> Vec<(&'static str, String)> {
    if settings.allowed_origins.is_empty() {
        return Vec::new();
    }
    let mut headers = vec![("vary", "Origin".to_owned())];
    if let Some(origin) = allowed_origin(head, settings) {
        headers.extend([
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true".to_owned()),
        ]);
    }
    headers
}

/// The origin of the requesting page, if `ALLOWED_ORIGINS` lists it.
fn allowed_origin(head: &RequestHead<'_>, settings: &Settings) -> Option<String> {
    (head.headers)("origin").filter(|origin| settings.allowed_origins.contains(origin))
}

/// Checks that the requesting page may use the credential. A browser sends cookies, and opens
/// WebSockets, for pages of any origin.
///
/// # Errors
///
/// [`ErrorKind::OriginDenied`].
pub(crate) fn check(
    head: &RequestHead<'_>,
    credential: Option<&Credential>,
    is_upgrade: bool,
    settings: &Settings,
) -> Result<()> {
    let is_cookie = credential.is_some_and(|credential| credential.carrier == Carrier::Cookie);
    let is_guarded =
        is_cookie || is_upgrade && (credential.is_some() || !settings.allowed_origins.is_empty());
    if !is_guarded
        || allowed_origin(head, settings).is_some()
        || is_same_origin(head, is_cookie, is_upgrade)
    {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::OriginDenied,
        "pages of this origin may not use the visitor's credential or open WebSockets: add the origin to ALLOWED_ORIGINS",
    ))
}

fn is_same_origin(head: &RequestHead<'_>, is_cookie: bool, is_upgrade: bool) -> bool {
    let scheme = |url: &str| {
        url.split_once("://").map(|(scheme, rest)| {
            (scheme.to_owned(), rest.split('/').next().unwrap_or_default().to_owned())
        })
    };
    if let Some(origin) = (head.headers)("origin") {
        let Some((page, host)) = scheme(&origin) else { return false };
        let own = (head.headers)("host").or_else(|| scheme(head.url).map(|(_, host)| host));
        // A proxy may end TLS before us, never begin it: an insecure page does not count as the
        // same origin as the secure one.
        let is_downgraded = page == "http" && head.url.starts_with("https:");
        return !is_downgraded && own.is_some_and(|own| own.eq_ignore_ascii_case(&host));
    }
    match (head.headers)("sec-fetch-site") {
        Some(site) => matches!(site.as_str(), "same-origin" | "none"),
        // Current browsers send this field. Older ones send `Origin` with every request that
        // changes something.
        None => !is_cookie || !is_upgrade && matches!(head.method, "GET" | "HEAD"),
    }
}
