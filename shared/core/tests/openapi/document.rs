//! The document: the operations written down here, the errors taken from the core's table.
//!
//! A new operation is an entry of [`document`]'s paths and its name in [`EVERY`]; a new
//! header is a line of [`HEADERS`] or [`parameters`].

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidewire_core::{ErrorKind, SUBPROTOCOL};

/// Headers of answers: name, type, meaning.
const HEADERS: &[(&str, &str, &str)] = &[
    ("Accept-Encoding", "string", "`identity`: send the body without an encoding."),
    ("Allow", "string", "The methods that this address allows."),
    ("Cache-Control", "string", "What a cache may do with the answer."),
    ("ETag", "string", "Tag of the answer, for `If-None-Match`, and `If-Match` of a change."),
    ("Location", "string", "Address of the channel."),
    ("Producer-Epoch", "integer", "Epoch of the producer, as the channel has it."),
    ("Producer-Expected-Seq", "integer", "Number that the next append must have."),
    ("Producer-Received-Seq", "integer", "Number of the append that was refused."),
    (
        "Producer-Seq",
        "integer",
        "Highest number that the channel accepted from the producer in its epoch.",
    ),
    ("Retry-After", "integer", "Seconds to wait before the next request."),
    ("Sec-WebSocket-Protocol", "string", "The subprotocol, when it was offered."),
    ("Stream-Closed", "string", "`true` at the end of a finished channel."),
    ("Stream-Cursor", "string", "Cache key to send back as `cursor` with the next long poll."),
    ("Stream-Expires-At", "string", "When the channel ends (RFC 3339)."),
    (
        "Stream-Next-Offset",
        "string",
        "The offset to resume from. Opaque, below 128 bytes, sorts as text in channel order.",
    ),
    (
        "Stream-Snapshot",
        "string",
        "Offset of the snapshot that the answer begins with, in the place of every event up to it.",
    ),
    ("Stream-SSE-Data-Encoding", "string", "`base64` when the channel holds bytes."),
    ("Stream-TTL", "integer", "Seconds after the last read or append at which the channel ends."),
    ("WWW-Authenticate", "string", "`Bearer`, where a credential is needed."),
    ("Stream-Up-To-Date", "string", "`true` when nothing newer exists."),
];

/// The parameters by name.
fn parameters() -> Value {
    let query = |name: &str, schema: Value, about: &str| json!({"name": name, "in": "query", "schema": schema, "description": about});
    let header = |name: &str, schema: Value, about: &str| json!({"name": name, "in": "header", "schema": schema, "description": about});
    let text = || json!({"type": "string"});
    let offset = || json!({"type": "string", "minLength": 1, "maxLength": 127});
    let id = || json!({"type": "string", "pattern": "^[!-~]{1,255}$"});
    let number = || json!({"type": "integer", "minimum": 0, "maximum": (1_u64 << 53) - 1});
    let all = [
        json!({
            "name": "channel", "in": "path", "required": true,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^(?!\.{1,2}$)[A-Za-z0-9._~:@][A-Za-z0-9._~:@-]*$"},
            "description": "Name of the channel. The function `streams` also takes `/` between segments, which OpenAPI cannot say.",
        }),
        query(
            "offset",
            offset(),
            "Reading begins after this offset; `-1` is the beginning, `now` the tail. Required with `live`, unless `Last-Event-ID` or `last_event_id` is sent.",
        ),
        query(
            "at",
            offset(),
            "The offset whose state to return, from the list of versions or of any event that is kept. Without it: the present state.",
        ),
        query(
            "last_event_id",
            offset(),
            "Replaces `offset`. Polyfills of `EventSource` send it as `lastEventId`. An empty value is ignored.",
        ),
        query(
            "live",
            json!({"type": "string", "enum": ["sse", "long-poll"]}),
            "Transport of later events. Without it: an `EventSource` by `Accept: text/event-stream`, else one page.",
        ),
        query("id", text(), "Id of a subscription of Web Push, as GET lists it."),
        query("cursor", text(), "The last `Stream-Cursor`."),
        query(
            "view",
            json!({"type": "string", "enum": ["latest"]}),
            "`latest`, of a plain read: leaves out each event whose keys all occur again in later events. 501 where events have no keys.",
        ),
        header(
            "If-Match",
            text(),
            "Of a change: the `ETag` of a page that ends where the channel ends now, or `*` for any channel that exists; 412 otherwise.",
        ),
        header(
            "If-None-Match",
            text(),
            "Of a read: the `ETag` of an earlier answer. Of a change: an `ETag` that the channel must not have any more, or `*` for a channel that must not exist; 412 otherwise.",
        ),
        header(
            "Last-Event-ID",
            offset(),
            "Replaces `offset` and `last_event_id`: an `EventSource` sends it when it reconnects. An empty value is ignored.",
        ),
        header(
            "Producer-Epoch",
            number(),
            "Epoch of the idempotent producer; a later one fences off the earlier. Send all three `Producer-` headers, or leave all three out.",
        ),
        header("Producer-Id", id(), "Name of the idempotent producer, unique within the channel."),
        header(
            "Producer-Seq",
            number(),
            "Number of the append, from 0 within an epoch: an append that was stored before is acknowledged again and not stored again.",
        ),
        header("Sec-WebSocket-Protocol", text(), &format!("`{SUBPROTOCOL}` to have it echoed.")),
        header(
            "Stream-Closed",
            text(),
            "`true` finishes the channel: nothing can be appended afterwards. Any other value is ignored.",
        ),
        header(
            "Stream-Expires-At",
            json!({"type": "string", "format": "date-time"}),
            "When the channel ends. Refused together with `Stream-TTL`.",
        ),
        header(
            "Stream-TTL",
            number(),
            "Seconds after the last read or append at which the channel ends.",
        ),
        header(
            "Stream-Seq",
            id(),
            "Must be greater than that of the append before, compared as text.",
        ),
        header(
            "Upgrade",
            text(),
            &format!(
                "`websocket` reads and publishes over a WebSocket, in frames of `{SUBPROTOCOL}`; a document without this subprotocol speaks y-websocket. Any other value is ignored."
            ),
        ),
    ];
    all.into_iter()
        .map(|parameter| (parameter["name"].as_str().unwrap().to_owned(), parameter))
        .collect::<Map<_, _>>()
        .into()
}

const PUT: &str = "createChannel";
const POST: &str = "append";
const GET: &str = "read";
const HEAD: &str = "head";
const DELETE: &str = "deleteChannel";
const OPTIONS: &str = "preflight";
const PRESENT: &str = "presence";
const PRESENT_HEAD: &str = "presenceHead";
const ANNOUNCE: &str = "announcePresence";
const REVOKE: &str = "revokeAccess";
const STATS: &str = "stats";
const STATS_HEAD: &str = "statsHead";
const VERSIONS: &str = "versions";
const VERSION: &str = "version";
const PUSH_LIST: &str = "pushSubscriptions";
const PUSH_HEAD: &str = "pushSubscriptionsHead";
const PUSH_PUT: &str = "subscribePush";
const PUSH_DELETE: &str = "unsubscribePush";
const PUSH_SWEEP: &str = "sweepPush";
/// The preflight first, for [`BEHIND_ACCESS`].
const EVERY: &[&str] = &[
    OPTIONS,
    PUT,
    POST,
    GET,
    HEAD,
    DELETE,
    PRESENT,
    PRESENT_HEAD,
    ANNOUNCE,
    REVOKE,
    STATS,
    STATS_HEAD,
    VERSIONS,
    VERSION,
    PUSH_LIST,
    PUSH_HEAD,
    PUSH_PUT,
    PUSH_DELETE,
    PUSH_SWEEP,
];
/// Operations on a channel, for which a client needs access; a preflight comes without a credential.
const BEHIND_ACCESS: &[&str] = EVERY.split_at(1).1;
/// Answers to them have no body.
const HEADS: &[&str] = &[HEAD, PRESENT_HEAD, STATS_HEAD, PUSH_HEAD];

/// The operations that can fail like this; a kind that is not named here stands at all of them.
fn operations_of(kind: ErrorKind) -> &'static [&'static str] {
    use ErrorKind::*;
    match kind {
        // Only a frame `error` has it.
        FrameInvalid => &[],
        SubscriptionInvalid => &[PUSH_PUT, PUSH_DELETE],
        SubscriptionsFull => &[PUSH_PUT],
        OffsetMalformed | ParameterRepeated => &[GET, DELETE, VERSION],
        EventNotFound => &[DELETE, VERSION],
        // Of shared documents, which `PROTOCOL.md` describes.
        AwarenessNotFound | SnapshotNotFound => &[GET],
        DocumentFull => &[PUT, POST],
        OffsetGone => &[GET, VERSION],
        OffsetMissing | LiveUnknown | WebSocketUnsupported | TooManyReaders => &[GET],
        BodyIncomplete | BodyTooLarge => &[PUT, POST, ANNOUNCE, REVOKE, PUSH_PUT],
        HeaderInvalid => &[PUT, POST, DELETE],
        PreconditionFailed => &[PUT, POST, DELETE],
        ContentUnsupported => &[PUT, POST, ANNOUNCE, REVOKE, PUSH_PUT, PUSH_SWEEP],
        BodyNotJson | BodyNotUtf8 | EventTooLarge | BatchTooLarge | EventRefused => &[PUT, POST],
        NotSupported => {
            &[PUT, POST, GET, DELETE, ANNOUNCE, REVOKE, PUSH_PUT, PUSH_DELETE, PUSH_SWEEP]
        }
        BodyEmpty | ContentTypeMissing | ContentTypeMismatch | SequenceNotRising | ProducerGap
        | ProducerFenced | ChannelClosed => &[POST],
        ConfigurationMismatch => &[PUT],
        PresenceInvalid | PresenceFull => &[ANNOUNCE],
        RevocationInvalid => &[REVOKE],
        ChannelNotFound => &[POST, GET, HEAD, DELETE, STATS, STATS_HEAD, VERSIONS, VERSION],
        ChannelNameInvalid | AccessDenied | CredentialMissing | CredentialInvalid
        | CredentialExpired | OriginDenied | KeysUnavailable | RateExceeded => BEHIND_ACCESS,
        // The page at a function's base takes GET and HEAD only.
        MethodNotAllowed => {
            &[PUT, POST, DELETE, ANNOUNCE, REVOKE, PUSH_PUT, PUSH_DELETE, PUSH_SWEEP]
        }
        _ => EVERY,
    }
}

/// Headers that tell a program what `detail` tells people.
fn headers_of(kind: ErrorKind) -> &'static [&'static str] {
    match kind {
        ErrorKind::MethodNotAllowed => &["Allow"],
        ErrorKind::ContentUnsupported => &["Accept-Encoding"],
        ErrorKind::ProducerFenced => &["Producer-Epoch"],
        ErrorKind::ProducerGap => &["Producer-Expected-Seq", "Producer-Received-Seq"],
        ErrorKind::ChannelClosed => &["Stream-Closed", "Stream-Next-Offset"],
        ErrorKind::CredentialMissing
        | ErrorKind::CredentialInvalid
        | ErrorKind::CredentialExpired => &["WWW-Authenticate"],
        ErrorKind::KeysUnavailable
        | ErrorKind::StoreUnavailable
        | ErrorKind::TooManyReaders
        | ErrorKind::RateExceeded
        | ErrorKind::PresenceFull => &["Retry-After"],
        _ => &[],
    }
}

/// The whole file.
pub(crate) fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidewire channels",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
            "description": "One channel over HTTP. `PROTOCOL.md` beside this file says it in words, and has the frames of the WebSocket. Headers, parameters, members and codes may be added: ignore what you do not know.",
        },
        "servers": [{
            "url": "/{base}",
            "description": "Where the function is served.",
            "variables": {"base": {"default": "v1/stream", "description": "`v1/stream` for `streams`, `feed` for `feed`; nothing where a function is deployed alone."}},
        }],
        "security": [{}, {"token": []}],
        "paths": {"/-/presence/{channel}": {
            "parameters": [reference("parameters", "channel")],
            "get": operation(PRESENT, "Lists the members of the channel, in a function with presence", &[], None, [members()]),
            "head": operation(PRESENT_HEAD, "As GET, without the body", &[], None, [response(200, "The function has presence.", &["Cache-Control"], &[])]),
            "post": operation(ANNOUNCE, "Joins, changes the state, renews the lease, or leaves", &[],
                Some("The member, as JSON of any content type: its id of 1 to 64 bytes, and its state, an object of at most 1,024 bytes; `null` leaves."), [members()]),
        }, "/-/push/{channel}": {
            "parameters": [reference("parameters", "channel")],
            "get": operation(PUSH_LIST, "Returns the key for subscriptions of Web Push, and lists the subscriptions of the channel", &[], None, [subscriptions()]),
            "head": operation(PUSH_HEAD, "As GET, without the body", &[], None, [response(200, "The function may have Web Push.", &["Cache-Control"], &[])]),
            "put": operation(PUSH_PUT, "Adds a subscription of Web Push, or replaces the subscription with its endpoint", &[],
                Some("`subscription.toJSON()` of a browser, as JSON of any content type; `name` of the device and `page` are optional members."), [
                response(200, "The subscription is stored.", &["Cache-Control"], &[("application/json", json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}))]),
            ]),
            "delete": operation(PUSH_DELETE, "Removes a subscription", &["id"], None, [response(200, "No subscription has this id.", &["Cache-Control"], &[])]),
            "post": operation(PUSH_SWEEP, "Sends the messages that are due and were not sent", &[], None, [response(200, "Each message that was due was tried.", &["Cache-Control"], &[])]),
        }, "/-/revoke/{channel}": {
            "parameters": [reference("parameters", "channel")],
            "post": operation(REVOKE, "Ends a ticket, or all access of a subject, for an hour", &[],
                Some("The ticket or the subject whose access ends, as JSON of any content type: `{\"ticket\":\"its jti\"}` or `{\"subject\":\"its sub\"}`."),
                [response(204, "The revocation is stored, and open connections with this access end.", &[], &[])]),
        }, "/-/stats/{channel}": {
            "parameters": [reference("parameters", "channel")],
            "get": operation(STATS, "Returns the readers of the channel, its size, and what happened since it woke, for its operator", &[], None, [stats()]),
            "head": operation(STATS_HEAD, "As GET, without the body", &[], None, [response(200, "The channel exists.", &["Cache-Control"], &[])]),
        }, "/-/version/{channel}": {
            "parameters": [reference("parameters", "channel")],
            "get": operation(VERSION, "Returns the state at an offset, where a snapshot stands for the past", &["at"], None, [
                response(200, "The state, as the data of one event.", &["Stream-Next-Offset"], &[("*/*", json!({}))]),
            ]),
        }, "/-/versions/{channel}": {
            "parameters": [reference("parameters", "channel")],
            "get": operation(VERSIONS, "Lists the offsets whose state can be read, where a snapshot stands for the past", &[], None, [versions()]),
        }, "/{channel}": {
            "parameters": [reference("parameters", "channel")],
            "put": operation(PUT, "Creates a channel", &["Stream-Closed", "Stream-TTL", "Stream-Expires-At", "If-Match", "If-None-Match"], Some("The first events; an empty body makes an empty channel. JSON arrays are batches, one level deep."), [
                response(201, "The channel was created.", &["Location", "Stream-Next-Offset", "Stream-Closed", "Stream-TTL", "Stream-Expires-At"], &[]),
                response(200, "The channel exists already, with this configuration.", &["Location", "Stream-Next-Offset", "Stream-Closed", "Stream-TTL", "Stream-Expires-At"], &[]),
            ]),
            "post": operation(POST, "Appends events", &["Stream-Seq", "Stream-Closed", "Producer-Id", "Producer-Epoch", "Producer-Seq", "If-Match", "If-None-Match"],
                Some("The events, in the channel's content type. JSON arrays are batches, one level deep; anything else is one event. Empty only with `Stream-Closed: true`."), [
                response(204, "The events are durable. With a producer: they were stored before.", &["Stream-Next-Offset", "Stream-Closed", "Producer-Epoch", "Producer-Seq"], &[]),
                response(200, "The events are durable, and this append of the producer was not stored before.", &["Stream-Next-Offset", "Stream-Closed", "Producer-Epoch", "Producer-Seq"], &[]),
            ]),
            "get": operation(GET, "Reads events, on any transport", &["offset", "last_event_id", "live", "cursor", "view", "Last-Event-ID", "If-None-Match", "Upgrade", "Sec-WebSocket-Protocol"], None, [
                response(101, &format!("A WebSocket with frames of `{SUBPROTOCOL}`. A refusal is a frame `error` and a close code."), &["Sec-WebSocket-Protocol"], &[]),
                response(200, "Events: one page of them, or a stream.", &["Stream-Next-Offset", "Stream-Snapshot", "Stream-Up-To-Date", "Stream-Closed", "Stream-Cursor", "Stream-SSE-Data-Encoding", "ETag", "Cache-Control", "Retry-After"], &[
                    ("application/json", json!({"type": "array", "description": "A page of a JSON channel."})),
                    ("text/event-stream", json!({"type": "string", "description": "Live, by `live=sse` or `Accept`: ends after a while, and the client resumes."})),
                    ("*/*", json!({"description": "A page of any other channel: its bytes, joined."})),
                ]),
                response(204, "A long poll that ended without an event, or the end of a finished channel.", &["Stream-Next-Offset", "Stream-Up-To-Date", "Stream-Closed", "Stream-Cursor", "ETag", "Cache-Control"], &[]),
                response(304, "The page still has the `ETag` of `If-None-Match`.", &["Stream-Next-Offset", "Stream-Snapshot", "Stream-Up-To-Date", "Stream-Closed", "ETag", "Cache-Control", "Retry-After"], &[]),
                response(426, "The platform's own answer to an upgrade that RFC 6455 does not allow.", &[], &[("text/plain", json!({"type": "string"}))]),
            ]),
            "head": operation(HEAD, "Returns the tail", &[], None, [
                response(200, "The channel exists, or the first publish creates it.", &["Stream-Next-Offset", "Stream-Closed", "Stream-TTL", "Stream-Expires-At", "Cache-Control"], &[]),
            ]),
            "delete": operation(DELETE, "Deletes the channel and ends its readers; with `offset`, erases one event instead", &["offset", "Producer-Id", "If-Match", "If-None-Match"], None, [
                response(204, "The channel is deleted. With `offset`: a tombstone has replaced the event.", &["Stream-Next-Offset"], &[]),
            ]),
            "options": operation(OPTIONS, "Answers a CORS preflight, without a credential", &[], None, [response(204, "The methods and headers that another origin may send.", &["Allow"], &[])]),
        }},
        "components": {
            "headers": HEADERS.iter().map(|(name, kind, about)| (name.to_string(), json!({"schema": {"type": kind}, "description": about}))).collect::<Map<_, _>>(),
            "parameters": parameters(),
            "schemas": {"Problem": problem()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "The function's `authorize` says what the token allows."}},
        },
    })
}

fn reference(group: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{group}/{name}")})
}

fn references(names: &[&str]) -> Map<String, Value> {
    names.iter().map(|name| (name.to_string(), reference("headers", name))).collect()
}

/// An answer without problem details: status, meaning, headers, and the content by media type.
fn response(status: u16, about: &str, headers: &[&str], content: &[(&str, Value)]) -> (u16, Value) {
    let mut response = json!({"description": about, "headers": references(headers)});
    if !content.is_empty() {
        response["content"] = content
            .iter()
            .map(|(media, schema)| (media.to_string(), json!({"schema": schema})))
            .collect::<Map<_, _>>()
            .into();
    }
    (status, response)
}

fn members() -> (u16, Value) {
    let member = json!({"type": "object", "required": ["id", "state"], "properties": {"id": {"type": "string"}, "state": {"type": "object"}}});
    let schema = json!({"type": "object", "required": ["members"], "properties": {"members": {"type": "array", "items": member}}});
    response(
        200,
        "The members who are present, by id.",
        &["Cache-Control"],
        &[("application/json", schema)],
    )
}

fn versions() -> (u16, Value) {
    let version = json!({"type": "object", "required": ["offset", "at", "bytes"], "properties": {
        "offset": {"type": "string"},
        "at": {"type": "integer", "description": "When its last event was appended or its snapshot made, in milliseconds since 1970."},
        "bytes": {"type": "integer", "description": "Bytes of its snapshot, or of all events up to it."},
    }});
    let schema = json!({"type": "array", "maxItems": 200, "items": version});
    response(
        200,
        "The versions, the oldest first.",
        &["Cache-Control"],
        &[("application/json", schema)],
    )
}

fn subscriptions() -> (u16, Value) {
    let time = || json!({"type": ["integer", "null"]});
    let one = json!({"type": "object", "required": ["id", "name", "service", "createdAt", "lastSuccess", "lastFailure", "failure"], "properties": {
        "id": {"type": "string"}, "name": {"type": "string"}, "service": {"type": "string", "description": "Host of the push service."},
        "createdAt": {"type": "integer"}, "lastSuccess": time(), "lastFailure": time(), "failure": {"type": ["string", "null"]},
    }});
    let schema = json!({"type": "object", "required": ["key", "subscriptions"], "properties": {
        "key": {"type": ["string", "null"], "description": "`applicationServerKey`; null where Web Push is off."},
        "subscriptions": {"type": "array", "items": one},
    }});
    response(200, "Oldest first.", &["Cache-Control"], &[("application/json", schema)])
}

fn stats() -> (u16, Value) {
    let counts = |names: &[&str]| {
        let members: Map<String, Value> =
            names.iter().map(|name| (name.to_string(), json!({"type": "integer"}))).collect();
        json!({"type": "object", "required": names, "properties": members})
    };
    let schema = json!({
        "type": "object",
        "required": ["scope", "readers", "offset", "events", "storedBytes", "sinceWake"],
        "properties": {
            "scope": {"enum": ["channel", "instance"], "description": "Whose readers and counters these are: the channel's, or those of the instance that answers."},
            "readers": counts(&["websocket", "event-source", "durable-sse", "long-poll", "awareness", "y-websocket"]),
            "instance": {"type": "string", "description": "Name of the instance, where the scope is `instance`."},
            "offset": {"type": "string"},
            "events": {"type": "integer", "description": "How many events are kept."},
            "storedBytes": {"type": "integer"},
            "sinceWake": counts(&["drops", "gaps", "refusals"]),
            "pushes": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "Results of Web Push, if there are any."},
            "store": {
                "type": "object",
                "description": "The store, where the scope is `instance`.",
                "required": ["engine", "lookMs", "reconnects"],
                "properties": {
                    "engine": {"enum": ["sqlite", "redis"]},
                    "lookMs": {"type": "number", "description": "How long the last look at a channel took, in milliseconds."},
                    "reconnects": {"type": "integer", "description": "Connections that failed and were replaced, since the instance started."},
                },
            },
        },
    });
    let text = json!({"type": "string", "description": "Prometheus text format 0.0.4, for an `Accept` that wants it or OpenMetrics more than JSON."});
    response(
        200,
        "The figures.",
        &["Cache-Control"],
        &[("application/json", schema), ("text/plain", text)],
    )
}

fn operation<const N: usize>(
    id: &str,
    summary: &str,
    parameters: &[&str],
    body: Option<&str>,
    answers: [(u16, Value); N],
) -> Value {
    let mut responses: Map<String, Value> =
        answers.into_iter().map(|(status, response)| (status.to_string(), response)).collect();
    responses.extend(errors(id));
    let mut operation = json!({
        "operationId": id,
        "summary": summary,
        "parameters": parameters.iter().map(|name| reference("parameters", name)).collect::<Vec<_>>(),
        "responses": responses,
    });
    if let Some(about) = body {
        operation["requestBody"] = json!({"description": about, "content": {"application/json": {"schema": {}}, "*/*": {"schema": {}}}});
    }
    operation
}

/// The errors of an operation by status.
fn errors(id: &str) -> impl Iterator<Item = (String, Value)> {
    let mut kinds: BTreeMap<u16, Vec<ErrorKind>> = BTreeMap::new();
    for &kind in ErrorKind::ALL.iter().filter(|&&kind| operations_of(kind).contains(&id)) {
        kinds.entry(kind.status().as_u16()).or_default().push(kind);
    }
    kinds.into_iter().map(move |(status, kinds)| {
        let headers: Vec<&str> = kinds.iter().flat_map(|&kind| headers_of(kind)).copied().collect();
        let lines: Vec<String> = kinds.iter().map(|kind| format!("`{}`: {}.", kind.code(), kind.title())).collect();
        let mut response = json!({"description": lines.join("\n\n"), "headers": references(&headers)});
        // An answer to HEAD has no body.
        if !HEADS.contains(&id) {
            let types: Vec<String> = kinds.iter().map(|kind| urn(*kind)).collect();
            let schema = json!({"allOf": [reference("schemas", "Problem"), {"properties": {"type": {"enum": types}, "status": {"const": status}}}]});
            response["content"] = json!({"application/problem+json": {"schema": schema}});
        }
        (status.to_string(), response)
    })
}

fn problem() -> Value {
    let types: Vec<String> = ErrorKind::ALL.iter().map(|kind| urn(*kind)).collect();
    json!({
        "type": "object",
        "description": "Problem details (RFC 9457).",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "enum": types, "description": "The code to match on is its last part."},
            "title": {"type": "string", "description": "Each code has one title."},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What was wrong and what to send, for people."},
            "earliest": {"type": "string", "description": "The offset to resume from, of `offset-gone`."},
        },
    })
}

fn urn(kind: ErrorKind) -> String {
    format!("urn:tidewire:{}", kind.code())
}
