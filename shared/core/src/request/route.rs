//! Routing: from the head of an HTTP request to the action of a function.

use std::borrow::Cow;

use http::StatusCode;
use http::header;
use percent_encoding::{CONTROLS, utf8_percent_encode};

use super::assets;
use super::change::Change;
use super::operation::{ChannelRequest, METHODS, Operation};
use super::precondition::Precondition;
use super::tenant::Tenant;
use crate::access::{Grant, Identity, Right};
use crate::channel::{ChannelName, NameShape, SnapshotUse};
use crate::error::{Error, ErrorKind, Result};
use crate::function::{Asset, Function, Route};
use crate::http::fields::{digits, list};
use crate::http::headers::{preflight, reply, set};
use crate::http::{PAGE_POLICY, Reply, RequestHead};
use crate::policy::Policy;
use crate::settings::Settings;

/// The next step for a request.
#[derive(Debug)]
pub enum Target {
    /// Answer it: a page, a redirect, a preflight.
    Reply(Reply),
    /// Pass it to its channel, once the client is identified.
    Channel(UnauthorizedRequest),
    /// Carry it out in the function's own code, once the client is identified.
    Route(Routed),
    /// Erase channels of a tenant, once the client is identified.
    EraseTenant(Tenant),
}

/// A request at one of a function's own [routes](crate::Route).
#[derive(Clone, Debug)]
pub struct Routed {
    /// Name of the route.
    pub route: &'static str,
    /// Its channel.
    pub channel: ChannelName,
    /// The rights of the client in the channel: none until [`authorize`](Routed::authorize).
    pub grant: Grant,
    /// `Content-Length` in bytes, if the client knows it.
    pub length: Option<u64>,
    rights: &'static [Right],
    query: String,
}

impl Routed {
    /// Checks the identity's rights, before anything else.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CredentialMissing`] or [`ErrorKind::AccessDenied`] without the rights that the
    /// route demands.
    pub fn authorize<F: Function>(
        self,
        identity: &Identity,
        settings: &Settings,
    ) -> Result<Routed> {
        let grant = Grant::new(identity, F::authorize(identity, &self.channel, settings));
        self.rights.iter().try_for_each(|right| grant.demand(*right))?;
        Ok(Routed { grant, ..self })
    }

    /// A query parameter, decoded; the first of several.
    pub fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// A request for a channel from a client that is not yet identified: pages and preflights need no
/// credential, so credentials are read only afterwards.
#[derive(Debug)]
pub struct UnauthorizedRequest {
    channel: ChannelName,
    operation: Operation,
}

impl UnauthorizedRequest {
    /// Checks the identity's rights, before the request reaches the channel.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CredentialMissing`] or [`ErrorKind::AccessDenied`] without the right.
    pub fn authorize<F: Function>(
        mut self,
        identity: &Identity,
        settings: &Settings,
    ) -> Result<ChannelRequest> {
        let grant = Grant::new(identity, F::authorize(identity, &self.channel, settings));
        if let Operation::Change(Change::Erase { by, .. }) = &mut self.operation
            && grant.rights.allow(Right::Manage)
        {
            *by = None;
        }
        self.operation.rights().iter().try_for_each(|right| grant.demand(*right))?;
        Ok(ChannelRequest { channel: self.channel, operation: self.operation, grant })
    }
}

/// Routes a request below the function's base path and parses it.
///
/// # Errors
///
/// Any error of the request head.
pub fn route<F: Function>(head: &RequestHead<'_>, settings: &Settings) -> Result<Target> {
    let own = Addresses {
        names: F::CHANNEL_NAMES,
        assets: F::ASSETS,
        page_policy: F::PAGE_POLICY,
        routes: F::ROUTES,
        has_push: F::WEB_PUSH,
        policy: F::policy,
    };
    route_to(&own, head, settings)
}

/// What a function says of its addresses. With it one Worker of many functions routes them all by
/// the same code.
struct Addresses {
    names: NameShape,
    assets: &'static [Asset],
    page_policy: &'static str,
    routes: &'static [Route],
    has_push: bool,
    policy: fn(&Settings) -> Policy,
}

fn route_to(own: &Addresses, head: &RequestHead<'_>, settings: &Settings) -> Result<Target> {
    let base = settings.base_path.as_str();
    let Some(rest) = head.path.strip_prefix(base) else {
        return match base.strip_suffix('/') {
            Some(bare) if bare == head.path => Ok(Target::Reply(redirect(bare, head.query))),
            _ => Err(Error::new(
                ErrorKind::RouteNotFound,
                format!("the path must begin with {base}"),
            )),
        };
    };
    let address = Address::below(rest, own, settings);
    let methods = address.methods();
    // A preflight comes without a credential, and a browser hides the answer to the request itself
    // if its preflight fails.
    if head.method == "OPTIONS" {
        return Ok(Target::Reply(preflight(&methods)));
    }
    if let Address::File(assets, page_policy) = address {
        return assets::file(assets, rest, head.method, page_policy).map(Target::Reply);
    }
    if !list(&methods).any(|method| method == head.method) {
        return Err(Error::method_not_allowed(head.method, &methods));
    }
    // Only pages of a channel have an ETag. Ignoring a condition would lose the update that it
    // guards.
    if !is_safe(head.method) && !matches!(address, Address::Channel(_)) {
        Precondition::refuse(head)?;
    }
    if matches!(head.method, "POST" | "PUT") {
        refuse_encoded(head)?;
    }
    target(address, head, own.names)
}

/// The target of a request whose method its address allows.
fn target(address: Address<'_>, head: &RequestHead<'_>, names: NameShape) -> Result<Target> {
    let name = |name| ChannelName::from_path(name, names);
    let (channel, operation) = match address {
        Address::Route(route, channel) => {
            let length = head.header("content-length").and_then(|length| digits(&length));
            let routed = Routed {
                route: route.name,
                channel: name(channel)?,
                grant: Grant::default(),
                length,
                rights: route.rights,
                query: head.query.into(),
            };
            return Ok(Target::Route(routed));
        }
        Address::Tenant(tenant) => {
            return Tenant::parse(tenant, head.method).map(Target::EraseTenant);
        }
        Address::Presence(channel) if is_safe(head.method) => (channel, Ok(Operation::Members)),
        Address::Presence(channel) => (channel, Ok(Operation::Announce)),
        Address::Revocations(channel) => (channel, Ok(Operation::Revoke)),
        Address::Stats(channel) => (channel, Ok(Operation::parse_stats(head))),
        Address::Push(channel) => (channel, Operation::parse_push(head)),
        Address::Versions(channel) => (channel, Ok(Operation::Versions)),
        Address::Version(channel) => (channel, Operation::parse_version(head)),
        Address::Channel(channel) if names == NameShape::Document => {
            (channel, Operation::parse_document(head))
        }
        Address::Channel(channel) => (channel, Operation::parse(head)),
        Address::File(..) => {
            return Err(Error::new(ErrorKind::RouteNotFound, "there is no file at this address"));
        }
    };
    let operation = operation?;
    if matches!(operation, Operation::Read(_) | Operation::Version { .. }) && would_run(head) {
        return Err(Error::new(
            ErrorKind::AccessDenied,
            "the contents of a channel must not be loaded as a script, a worker or a style: read them with fetch",
        ));
    }
    Ok(Target::Channel(UnauthorizedRequest { channel: name(channel)?, operation }))
}

/// Whether the method only reads.
fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

/// Whether a browser would run the answer (Fetch Metadata; Service Workers, section 4.1): with the
/// rights of our origin, although a stranger may have stored it. No content policy of an answer
/// prevents a script from running.
fn would_run(head: &RequestHead<'_>) -> bool {
    const RUNS: &[&str] = &[
        "audioworklet",
        "embed",
        "object",
        "paintworklet",
        "script",
        "serviceworker",
        "sharedworker",
        "style",
        "worker",
        "xslt",
    ];
    head.header("sec-fetch-dest").is_some_and(|destination| RUNS.contains(&destination.as_str()))
        || head.header("service-worker").is_some()
}

/// The target of an address below a function's base path.
#[derive(Clone, Copy)]
enum Address<'a> {
    Channel(&'a str),
    Presence(&'a str),
    Revocations(&'a str),
    Stats(&'a str),
    Push(&'a str),
    Versions(&'a str),
    Version(&'a str),
    Tenant(&'a str),
    Route(&'static Route, &'a str),
    /// With the policy for its pages.
    File(&'static [Asset], &'static str),
}

impl<'a> Address<'a> {
    fn below(rest: &'a str, own: &Addresses, settings: &Settings) -> Address<'a> {
        let Some(beside) = rest.strip_prefix("-/") else {
            return if rest.is_empty() {
                Address::File(own.assets, own.page_policy)
            } else {
                Address::Channel(rest)
            };
        };
        let (kind, name) = beside.split_once('/').unwrap_or_default();
        if let Some(route) = own.routes.iter().find(|route| route.name == kind) {
            return Address::Route(route, name);
        }
        let has_versions = || {
            let snapshots = (own.policy)(settings).snapshots;
            snapshots.is_some_and(|snapshots| snapshots.stands_for() == SnapshotUse::Past)
        };
        match kind {
            "presence" if (own.policy)(settings).presence.is_some() => Address::Presence(name),
            "push" if own.has_push => Address::Push(name),
            "versions" if has_versions() => Address::Versions(name),
            "version" if has_versions() => Address::Version(name),
            "revoke" => Address::Revocations(name),
            "stats" => Address::Stats(name),
            "tenant" => Address::Tenant(name),
            _ if beside.starts_with("inspector") => Address::File(assets::INSPECTOR, PAGE_POLICY),
            _ => Address::File(own.assets, own.page_policy),
        }
    }

    /// The allowed methods, as a list.
    fn methods(self) -> Cow<'static, str> {
        match self {
            Address::Channel(_) => METHODS.into(),
            Address::Presence(_) => "GET, HEAD, POST, OPTIONS".into(),
            Address::Revocations(_) => "POST, OPTIONS".into(),
            Address::Stats(_) | Address::Versions(_) | Address::Version(_) => {
                "GET, HEAD, OPTIONS".into()
            }
            Address::Push(_) => "GET, HEAD, POST, PUT, DELETE, OPTIONS".into(),
            Address::Tenant(_) => "DELETE, OPTIONS".into(),
            Address::Route(route, _) => format!("{}, OPTIONS", route.method).into(),
            Address::File(..) => assets::FILE_METHODS.into(),
        }
    }
}

/// Refuses an encoded body: stored unchanged, it would not be what its sender meant.
fn refuse_encoded(head: &RequestHead<'_>) -> Result<()> {
    let encoding = head.header("content-encoding").unwrap_or_default();
    if list(&encoding).all(|coding| coding.eq_ignore_ascii_case("identity")) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::ContentUnsupported,
        "the body must not be encoded: send it without Content-Encoding",
    )
    .with_header(header::ACCEPT_ENCODING, "identity"))
}

/// Relative, so that it holds under any prefix that a proxy removes.
fn redirect(bare: &str, query: &str) -> Reply {
    let last = bare.rsplit('/').next().unwrap_or_default();
    let mut reply = reply(StatusCode::PERMANENT_REDIRECT, "");
    // Unchanged, except for characters that a header cannot hold.
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", utf8_percent_encode(query, CONTROLS))
    };
    set(&mut reply, header::LOCATION, &format!("{last}/{query}"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Rights;
    use crate::channel::Offset;
    use crate::function::Route;
    use crate::http::problem;
    use crate::policy::Creation;
    use crate::presence::Presence;

    struct Notes;

    impl Function for Notes {
        const NAME: &'static str = "notes";
        const ASSETS: &'static [Asset] = &[
            Asset { path: "", content_type: "text/html", body: "<p>" },
            Asset { path: "-/notes.css", content_type: "text/css", body: "p{}" },
        ];
        const ROUTES: &'static [Route] =
            &[Route { name: "scan", method: "PUT", rights: &[Right::Publish] }];

        fn policy(settings: &Settings) -> Policy {
            Policy {
                presence: Some(Presence::from_settings(settings)),
                ..Policy::new(Creation::OnPut, settings)
            }
        }

        fn authorize(_: &Identity, channel: &ChannelName, _: &Settings) -> Rights {
            if channel.as_str() == "public" { Right::Read | Right::Publish } else { Rights::NONE }
        }
    }

    fn settings() -> Settings {
        Settings { base_path: "/a/notes/".into(), ..Settings::default() }
    }

    fn at(method: &str, path: &str, query: &str, headers: &[(&str, &str)]) -> Result<Target> {
        let headers = |name: &str| {
            headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.to_string())
        };
        route::<Notes>(
            &RequestHead { method, url: "", path, query, headers: &headers },
            &settings(),
        )
    }

    fn replied(method: &str, path: &str) -> Reply {
        match at(method, path, "", &[]).unwrap() {
            Target::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// The request of nobody in particular.
    fn requested(
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Result<ChannelRequest> {
        match at(method, path, query, headers)? {
            Target::Channel(asked) => asked.authorize::<Notes>(&Identity::Anonymous, &settings()),
            other => panic!("{other:?}"),
        }
    }

    fn refused(method: &str, path: &str, headers: &[(&str, &str)]) -> ErrorKind {
        requested(method, path, "", headers).unwrap_err().kind()
    }

    #[test]
    fn serves_files_below_any_prefix() {
        assert_eq!(replied("GET", "/a/notes/").body(), b"<p>");
        assert_eq!(
            replied("GET", "/a/notes/-/notes.css").headers()[header::CONTENT_TYPE],
            "text/css"
        );
        assert!(replied("HEAD", "/a/notes/").body().is_empty());
        assert_eq!(refused("GET", "/a/notes/-/other.css", &[]), ErrorKind::RouteNotFound);
        assert_eq!(refused("POST", "/a/notes/", &[]), ErrorKind::MethodNotAllowed);
        assert_eq!(
            assets::file(Notes::ASSETS, "", "OPTIONS", PAGE_POLICY).unwrap().headers()
                [header::ALLOW],
            assets::FILE_METHODS
        );
    }

    #[test]
    fn a_page_has_a_policy_of_its_own_and_a_channel_one_that_runs_nothing() {
        for path in ["/a/notes/", "/a/notes/-/notes.css", "/a/notes/-/inspector"] {
            let headers = replied("GET", path).headers().clone();
            assert_eq!(headers[header::CONTENT_SECURITY_POLICY], PAGE_POLICY, "{path}");
            assert_eq!(headers[header::CACHE_CONTROL], "public, no-cache", "{path}");
        }
        let redirect = replied("GET", "/a/notes");
        assert_eq!(
            redirect.headers()[header::CONTENT_SECURITY_POLICY],
            "sandbox; default-src 'none'"
        );
        assert_eq!(redirect.headers()[header::CACHE_CONTROL], "private, no-cache, no-transform");
    }

    #[test]
    fn what_a_channel_holds_is_never_run() {
        for destination in ["script", "serviceworker", "worker", "sharedworker", "style", "object"]
        {
            assert_eq!(
                refused("GET", "/a/notes/public", &[("sec-fetch-dest", destination)]),
                ErrorKind::AccessDenied,
                "{destination}"
            );
        }
        assert_eq!(
            refused("GET", "/a/notes/public", &[("service-worker", "script")]),
            ErrorKind::AccessDenied
        );
        for destination in ["empty", "document", "iframe", "image", "video"] {
            assert!(
                requested("GET", "/a/notes/public", "", &[("sec-fetch-dest", destination)]).is_ok(),
                "{destination}"
            );
        }
        // The function's own files are what a page runs.
        assert!(at("GET", "/a/notes/-/notes.css", "", &[("sec-fetch-dest", "style")]).is_ok());
    }

    #[test]
    fn tells_a_page_what_its_server_does_not_offer() {
        let told = |content_type: &'static str, body: &'static str, method: &str| {
            let assets = &[Asset { path: "", content_type, body }];
            String::from_utf8(
                assets::without_websocket(assets::file(assets, "", method, PAGE_POLICY).unwrap())
                    .into_body(),
            )
            .unwrap()
        };
        let html = "text/html; charset=utf-8";
        let page = "<html><head><title>a<head></title></head>";
        assert_eq!(
            told(html, page, "GET"),
            r#"<html><head><meta name="tidewire-transports" content="sse long-poll poll"><title>a<head></title></head>"#
        );
        assert_eq!(told(html, page, "HEAD"), "");
        for (content_type, body) in
            [(html, "<p>"), (html, ""), ("text/javascript", page), ("text/css", page)]
        {
            assert_eq!(told(content_type, body, "GET"), body);
        }
        assert_eq!(
            assets::without_websocket(replied("GET", "/a/notes")).headers()[header::LOCATION],
            "notes/"
        );
    }

    #[test]
    fn knows_only_what_is_below_its_base() {
        assert_eq!(replied("GET", "/a/notes").headers()[header::LOCATION], "notes/");
        for other in ["/", "/notes/", "/a/notesx/public", "/public"] {
            assert_eq!(refused("GET", other, &[]), ErrorKind::RouteNotFound, "{other}");
        }
    }

    #[test]
    fn the_way_to_the_slash_keeps_the_query() {
        for (query, location) in
            [("room=x&a=%20", "notes/?room=x&a=%20"), ("é\n", "notes/?%C3%A9%0A"), ("", "notes/")]
        {
            let Ok(Target::Reply(reply)) = at("GET", "/a/notes", query, &[]) else {
                panic!("no reply")
            };
            assert_eq!(
                (reply.status(), reply.headers()[header::LOCATION].to_str().unwrap()),
                (StatusCode::PERMANENT_REDIRECT, location)
            );
        }
    }

    #[test]
    fn each_address_lists_exactly_the_methods_that_it_takes() {
        let every =
            ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", ""];
        for path in [
            "public",
            "-/presence/public",
            "-/revoke/public",
            "-/stats/public",
            "-/tenant/team",
            "-/scan/public",
            "",
            "-/notes.css",
            "-/inspector",
        ] {
            let path = format!("/a/notes/{path}");
            let allow =
                replied("OPTIONS", &path).headers()[header::ALLOW].to_str().unwrap().to_owned();
            assert_eq!(
                replied("OPTIONS", &path).headers()[header::ACCESS_CONTROL_ALLOW_METHODS],
                allow
            );
            let taken: Vec<_> =
                every.into_iter().filter(|method| at(method, &path, "", &[]).is_ok()).collect();
            let listed: Vec<_> = every
                .into_iter()
                .filter(|method| list(&allow).any(|listed| listed == *method))
                .collect();
            assert_eq!(taken, listed, "{path}");
            for method in every.into_iter().filter(|method| !taken.contains(method)) {
                let error = at(method, &path, "", &[]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::MethodNotAllowed, "{method} {path}");
                assert_eq!(problem(&error).headers()[header::ALLOW], allow, "{method} {path}");
            }
        }
    }

    #[test]
    fn head_of_what_is_beside_a_channel_is_like_get() {
        for path in ["/a/notes/-/presence/public", "/a/notes/-/stats/public"] {
            let operation = |method| match at(method, path, "", &[]).unwrap() {
                Target::Channel(asked) => asked.operation,
                other => panic!("{other:?}"),
            };
            assert_eq!(operation("HEAD"), operation("GET"), "{path}");
        }
    }

    #[test]
    fn an_encoded_body_is_refused() {
        for path in ["public", "-/presence/public", "-/revoke/public"] {
            let with = |encoding| {
                at("POST", &format!("/a/notes/{path}"), "", &[("content-encoding", encoding)])
                    .map(|_| ())
                    .map_err(|error| error.kind())
            };
            for good in ["", "identity", "Identity, identity"] {
                assert_eq!(with(good), Ok(()), "{path} {good:?}");
            }
            for bad in ["gzip", "identity, br", "x"] {
                assert_eq!(with(bad), Err(ErrorKind::ContentUnsupported), "{path} {bad:?}");
            }
        }
        assert!(at("GET", "/a/notes/public", "", &[("content-encoding", "gzip")]).is_ok());
        assert_eq!(
            at("PUT", "/a/notes/-/scan/public", "", &[("content-encoding", "gzip")])
                .unwrap_err()
                .kind(),
            ErrorKind::ContentUnsupported
        );
    }

    #[test]
    fn a_precondition_beside_a_channel_is_refused() {
        for field in ["if-match", "if-none-match", "if-unmodified-since"] {
            for (method, path) in [
                ("POST", "-/presence/public"),
                ("POST", "-/revoke/public"),
                ("DELETE", "-/tenant/team"),
                ("PUT", "-/scan/public"),
            ] {
                let refused =
                    at(method, &format!("/a/notes/{path}"), "", &[(field, "\"x\"")]).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::NotSupported, "{field} {path}");
            }
            assert!(at("GET", "/a/notes/-/presence/public", "", &[(field, "\"x\"")]).is_ok());
        }
    }

    #[test]
    fn names_the_channel_below_its_base() {
        assert_eq!(
            requested("GET", "/a/notes/pub%6Cic", "", &[]).unwrap().channel.as_str(),
            "public"
        );
    }

    #[test]
    fn demands_every_right_of_an_operation() {
        assert!(requested("POST", "/a/notes/public", "", &[]).is_ok());
        assert_eq!(
            refused("POST", "/a/notes/public", &[("stream-closed", "true")]),
            ErrorKind::CredentialMissing
        );
        for method in ["PUT", "DELETE"] {
            assert_eq!(
                refused(method, "/a/notes/public", &[]),
                ErrorKind::CredentialMissing,
                "{method}"
            );
        }
        for method in ["GET", "HEAD", "POST"] {
            assert_eq!(
                refused(method, "/a/notes/other", &[]),
                ErrorKind::CredentialMissing,
                "{method}"
            );
        }
    }

    #[test]
    fn an_event_is_erased_by_its_producer_and_never_with_the_whole_channel() {
        let at = |query: &str, id: Option<&str>| {
            let headers: Vec<_> = id.map(|id| ("producer-id", id)).into_iter().collect();
            requested("DELETE", "/a/notes/public", query, &headers).map_err(|error| error.kind())
        };
        assert_eq!(
            at("offset=-1", Some("p")).unwrap().operation,
            Operation::Change(Change::Erase {
                offset: Offset::BEGINNING,
                by: Some("p".into()),
                only_if: Precondition::default()
            })
        );
        assert_eq!(at("offset=-1", None).unwrap_err(), ErrorKind::CredentialMissing);
        assert_eq!(at("offset=", Some("p")).unwrap_err(), ErrorKind::OffsetMalformed);
        assert_eq!(at("offset=now", Some("p")).unwrap_err(), ErrorKind::OffsetMalformed);
        assert_eq!(at("offset=-1&offset=-1", Some("p")).unwrap_err(), ErrorKind::ParameterRepeated);
    }

    #[test]
    fn those_present_are_asked_beside_their_channel() {
        let operation = |method| match requested(method, "/a/notes/-/presence/public", "", &[]) {
            Ok(request) => Ok((request.channel.to_string(), request.operation)),
            Err(error) => Err(error.kind()),
        };
        assert_eq!(operation("GET"), Ok(("public".into(), Operation::Members)));
        assert_eq!(operation("POST"), Err(ErrorKind::CredentialMissing));
        assert_eq!(operation("PUT"), Err(ErrorKind::MethodNotAllowed));
        assert_eq!(refused("GET", "/a/notes/-/presence/other", &[]), ErrorKind::CredentialMissing);
        assert_eq!(refused("GET", "/a/notes/-/presence/", &[]), ErrorKind::ChannelNameInvalid);
    }

    #[test]
    fn a_route_of_the_function_takes_its_method_and_its_rights() {
        let routed = |method, path, headers: &[_]| match at(
            method,
            path,
            "x=1&name=a%20b+c&name=d",
            headers,
        )? {
            Target::Route(routed) => routed.authorize::<Notes>(&Identity::Anonymous, &settings()),
            other => panic!("{other:?}"),
        };
        let scan = routed("PUT", "/a/notes/-/scan/public", &[("content-length", "7")]).unwrap();
        assert_eq!((scan.route, scan.channel.as_str(), scan.length), ("scan", "public", Some(7)));
        assert!(scan.grant.rights.allow(Right::Publish));
        assert_eq!(
            (scan.parameter("name").as_deref(), scan.parameter("other")),
            (Some("a b c"), None)
        );
        let refused = |method, path| routed(method, path, &[]).unwrap_err().kind();
        assert_eq!(refused("POST", "/a/notes/-/scan/public"), ErrorKind::MethodNotAllowed);
        assert_eq!(refused("PUT", "/a/notes/-/scan/other"), ErrorKind::CredentialMissing);
        assert_eq!(refused("PUT", "/a/notes/-/scan/"), ErrorKind::ChannelNameInvalid);
        assert_eq!(refused("PUT", "/a/notes/-/scan"), ErrorKind::RouteNotFound);
    }

    #[test]
    fn who_manages_a_channel_erases_any_event() {
        let Ok(Target::Channel(asked)) =
            at("DELETE", "/a/notes/public", "offset=-1", &[("producer-id", "p")])
        else {
            panic!("refused")
        };
        struct Open;
        impl Function for Open {
            const NAME: &'static str = "open";
            fn policy(settings: &Settings) -> Policy {
                Policy::new(Creation::OnPut, settings)
            }
            fn authorize(_: &Identity, _: &ChannelName, _: &Settings) -> Rights {
                Rights::ALL
            }
        }
        let request = asked.authorize::<Open>(&Identity::Anonymous, &settings()).unwrap();
        assert_eq!(
            request.operation,
            Operation::Change(Change::Erase {
                offset: Offset::BEGINNING,
                by: None,
                only_if: Precondition::default()
            })
        );
    }

    #[test]
    fn every_function_has_the_inspector() {
        for (path, kind) in [
            ("", "text/html; charset=utf-8"),
            (".css", "text/css; charset=utf-8"),
            (".js", "text/javascript; charset=utf-8"),
        ] {
            assert_eq!(
                replied("GET", &format!("/a/notes/-/inspector{path}")).headers()
                    [header::CONTENT_TYPE],
                kind
            );
        }
        assert_eq!(
            at("GET", "/a/notes/-/inspector/room", "", &[]).unwrap_err().kind(),
            ErrorKind::RouteNotFound
        );
    }

    #[test]
    fn every_function_has_the_client() {
        let reply = replied("GET", "/a/notes/-/client.js");
        assert_eq!(
            (reply.status(), reply.body().as_slice()),
            (StatusCode::OK, assets::CLIENT.body.as_bytes())
        );
        assert_eq!(
            at("GET", "/a/notes/-/client.js/room", "", &[]).unwrap_err().kind(),
            ErrorKind::RouteNotFound
        );
    }

    #[test]
    fn stats_are_for_who_manages_the_channel() {
        assert_eq!(refused("GET", "/a/notes/-/stats/public", &[]), ErrorKind::CredentialMissing);
        assert_eq!(refused("POST", "/a/notes/-/stats/public", &[]), ErrorKind::MethodNotAllowed);
        for (accept, is_text) in [
            ("*/*", false),
            ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4", true),
        ] {
            let Ok(Target::Channel(asked)) =
                at("GET", "/a/notes/-/stats/public", "", &[("accept", accept)])
            else {
                panic!("no channel is asked")
            };
            assert_eq!(asked.operation, Operation::Stats { is_text });
        }
    }

    #[test]
    fn access_is_revoked_beside_its_channel() {
        assert_eq!(refused("POST", "/a/notes/-/revoke/public", &[]), ErrorKind::CredentialMissing);
        assert_eq!(refused("GET", "/a/notes/-/revoke/public", &[]), ErrorKind::MethodNotAllowed);
        assert_eq!(refused("POST", "/a/notes/-/revoke/", &[]), ErrorKind::ChannelNameInvalid);
    }

    #[test]
    fn answers_a_preflight_to_anyone() {
        assert_eq!(replied("OPTIONS", "/a/notes/other").status(), StatusCode::NO_CONTENT);
    }
}
