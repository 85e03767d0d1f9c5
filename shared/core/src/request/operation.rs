//! Operations on one channel.

use form_urlencoded::parse;
use serde::{Deserialize, Serialize};

use super::awareness::{Asked, Awareness};
use super::change::{Append, Change, Create};
use super::precondition::Precondition;
use super::snapshot::SnapshotRead;
use super::transport::{Transport, offers_subprotocol};
use crate::access::{Grant, Right};
use crate::channel::{ChannelName, Expiry, Offset, Start};
use crate::error::{Error, ErrorKind, Result};
use crate::http::fields::{is_id, list};
use crate::http::{ContentType, RequestHead, fields};
use crate::publish::Producer;
use crate::publish::producer::check_id;

/// A parsed and well-formed request, with the rights of the client that sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelRequest {
    /// The channel.
    pub channel: ChannelName,
    /// The operation.
    pub operation: Operation,
    /// The rights of the client, including those of its later frames on an open connection.
    pub grant: Grant,
}

/// The operations of Durable Streams, and the transports as ways to read.
///
/// Serializable: on Workers the edge parses a request once and passes the operation to the
/// channel's object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Flat")]
pub enum Operation {
    /// `HEAD`.
    Head,
    /// `GET`, on any transport.
    Read(Read),
    /// `GET` of the members.
    Members,
    /// `POST` of a member: joins, changes its state, renews its lease, leaves.
    Announce,
    /// `POST` of a revocation: ends the access of a ticket or a user.
    Revoke,
    /// `GET` of the figures for operators.
    Stats {
        /// As text for Prometheus, not as JSON.
        is_text: bool,
    },
    /// `GET` of the list of versions, where snapshots stand for the past.
    Versions,
    /// `GET` of the state at an offset; without one, of the present.
    Version {
        /// The offset.
        at: Option<Offset>,
    },
    /// Any method at the awareness of a document.
    Awareness(Awareness),
    /// `GET` of a document's snapshot.
    Snapshot(SnapshotRead),
    /// An operation that changes the channel. In JSON it is one operation among the others.
    #[serde(untagged)]
    Change(Change),
}

/// The JSON of an [`Operation`]. The derived code for an untagged variant would read the same, from
/// a copy of the JSON, and weigh 10 KB more.
#[derive(Deserialize)]
enum Flat {
    Head,
    Read(Read),
    Members,
    Announce,
    Revoke,
    Stats {
        is_text: bool,
    },
    Versions,
    Version {
        at: Option<Offset>,
    },
    Awareness(Awareness),
    Snapshot(SnapshotRead),
    Create(Create),
    Append(Append),
    Delete {
        #[serde(default)]
        only_if: Precondition,
    },
    Erase {
        offset: Offset,
        by: Option<String>,
        #[serde(default)]
        only_if: Precondition,
    },
}

impl From<Flat> for Operation {
    fn from(flat: Flat) -> Operation {
        Operation::Change(match flat {
            Flat::Head => return Operation::Head,
            Flat::Read(read) => return Operation::Read(read),
            Flat::Members => return Operation::Members,
            Flat::Announce => return Operation::Announce,
            Flat::Revoke => return Operation::Revoke,
            Flat::Stats { is_text } => return Operation::Stats { is_text },
            Flat::Versions => return Operation::Versions,
            Flat::Version { at } => return Operation::Version { at },
            Flat::Awareness(awareness) => return Operation::Awareness(awareness),
            Flat::Snapshot(read) => return Operation::Snapshot(read),
            Flat::Create(create) => Change::Create(create),
            Flat::Append(append) => Change::Append(append),
            Flat::Delete { only_if } => Change::Delete { only_if },
            Flat::Erase { offset, by, only_if } => Change::Erase { offset, by, only_if },
        })
    }
}

/// A read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// The transport.
    pub transport: Transport,
    /// Where it starts.
    pub start: Start,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// The cursor of the client's last answer.
    pub cursor: Option<u64>,
    /// `view=latest`, for a poll: only the newest event of each key.
    #[serde(default)]
    pub latest: bool,
}

impl Operation {
    /// Whether it has a body.
    pub fn has_body(&self) -> bool {
        matches!(
            self,
            Operation::Change(Change::Create(_) | Change::Append(_))
                | Operation::Announce
                | Operation::Revoke
        ) || matches!(self, Operation::Awareness(awareness) if awareness.has_body())
    }

    /// Whether it extends the life of a channel with a sliding TTL. `HEAD` does not.
    pub fn slides(&self) -> bool {
        matches!(self, Operation::Change(Change::Append(_)) | Operation::Read(_))
    }

    /// The change that it is, if it is one.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Operation::Change(change) => Some(change),
            _ => None,
        }
    }

    /// Whether it may make the channel, itself or by what the client sends over its connection.
    pub fn creates(&self, grant: &Grant) -> bool {
        match self {
            Operation::Change(change) => matches!(change, Change::Create(_) | Change::Append(_)),
            Operation::Read(read) => {
                read.transport.is_socket() && grant.rights.allow(Right::Publish)
            }
            _ => false,
        }
    }

    /// The rights that it demands, all of them.
    pub fn rights(&self) -> &'static [Right] {
        match self {
            Operation::Change(change) => change.rights(),
            Operation::Revoke | Operation::Stats { .. } => &[Right::Manage],
            Operation::Head
            | Operation::Read(_)
            | Operation::Members
            | Operation::Versions
            | Operation::Version { .. }
            | Operation::Snapshot(_) => &[Right::Read],
            Operation::Announce => &[Right::Presence],
            Operation::Awareness(awareness) => awareness.rights(),
        }
    }
}

/// The methods of a channel, for `OPTIONS`.
pub(crate) const METHODS: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

/// Headers of Durable Streams that this version refuses: ignoring them would break a promise.
const NOT_SUPPORTED: &[&str] =
    &["stream-forked-from", "stream-fork-offset", "stream-fork-sub-offset"];

impl Operation {
    /// Reads the operation from method, query and headers.
    pub(crate) fn parse(head: &RequestHead<'_>) -> Result<Operation> {
        match head.method {
            "GET" => Ok(Operation::Read(Read::parse(head)?)),
            "HEAD" => Ok(Operation::Head),
            "DELETE" => {
                let only_if = Precondition::parse(head)?;
                // With `offset` a `DELETE` must never delete the channel: an offset that does not
                // parse is an error.
                let Some(offset) = Query::parse(head.query)?.offset else {
                    return Ok(Operation::Change(Change::Delete { only_if }));
                };
                let by = head.header("producer-id");
                by.as_deref().map_or(Ok(()), check_id)?;
                Ok(Operation::Change(Change::Erase { offset: offset.parse()?, by, only_if }))
            }
            "PUT" => {
                refuse_unsupported(head)?;
                Ok(Operation::Change(Change::Create(Create {
                    content_type: ContentType::of(head)?,
                    closed: closed(head),
                    expiry: Expiry::parse(head)?,
                    location: head.url.split(['?', '#']).next().unwrap_or_default().into(),
                    only_if: Precondition::parse(head)?,
                    opens: false,
                })))
            }
            "POST" => {
                refuse_unsupported(head)?;
                let stream_seq = head.header("stream-seq");
                if stream_seq.as_ref().is_some_and(|seq| !is_id(seq)) {
                    return Err(Error::new(
                        ErrorKind::HeaderInvalid,
                        "Stream-Seq must be 1 to 255 visible ASCII characters",
                    ));
                }
                Ok(Operation::Change(Change::Append(Append {
                    content_type: ContentType::of(head)?,
                    stream_seq,
                    closed: closed(head),
                    producer: Producer::parse(head)?,
                    only_if: Precondition::parse(head)?,
                })))
            }
            other => Err(Error::method_not_allowed(other, METHODS)),
        }
    }
}

impl Operation {
    /// The same for a shared document, which also has awareness and snapshots.
    pub(crate) fn parse_document(head: &RequestHead<'_>) -> Result<Operation> {
        match Awareness::parse(head, METHODS)? {
            Some(Asked::Once(asked)) => return Ok(Operation::Awareness(asked)),
            Some(Asked::Live) => {
                return Ok(Operation::Read(Read {
                    transport: Transport::Awareness,
                    start: Start::Tail,
                    if_none_match: None,
                    cursor: None,
                    latest: false,
                }));
            }
            None => {}
        }
        if let Some(asked) = SnapshotRead::parse(head)? {
            return Ok(Operation::Snapshot(asked));
        }
        let mut operation = Operation::parse(head)?;
        match &mut operation {
            Operation::Change(Change::Create(create)) => {
                create.opens = true;
                create.closed = false;
            }
            // The stock client of the protocol closes its producer when it disconnects, which would
            // end the document for everybody.
            Operation::Change(Change::Append(append)) => append.closed = false,
            // Our own frames are a choice of the client's.
            Operation::Read(read)
                if read.transport == Transport::WebSocket && !offers_subprotocol(head) =>
            {
                (read.transport, read.start) = (Transport::Yjs, Start::Tail);
            }
            _ => {}
        }
        Ok(operation)
    }

    /// Reads the wanted format of the figures: text if `Accept` prefers it to JSON.
    pub(crate) fn parse_stats(head: &RequestHead<'_>) -> Operation {
        let accept = head.header("accept").unwrap_or_default();
        let weight = |media| fields::weight(&accept, media);
        Operation::Stats {
            is_text: weight("text/plain").max(weight("application/openmetrics-text"))
                > weight("application/json"),
        }
    }
}

fn repeated(parameter: &str) -> Error {
    Error::new(
        ErrorKind::ParameterRepeated,
        format!("the parameter `{parameter}` is repeated: send it once"),
    )
}

impl Operation {
    /// Reads `at`, the offset of a version.
    pub(crate) fn parse_version(head: &RequestHead<'_>) -> Result<Operation> {
        let mut given = parse(head.query.as_bytes()).filter(|(name, _)| name == "at");
        let at = given.next().map(|(_, at)| at.parse()).transpose()?;
        if given.next().is_some() {
            return Err(repeated("at"));
        }
        Ok(Operation::Version { at })
    }
}

impl Read {
    fn parse(head: &RequestHead<'_>) -> Result<Read> {
        let query = Query::parse(head.query)?;
        let upgrade = head.header("upgrade");
        let transport = Transport::choose(
            upgrade.as_deref(),
            query.live.as_deref(),
            head.header("accept").as_deref(),
        )?;
        let latest = match query.view.as_deref() {
            None => false,
            Some("latest") if transport == Transport::Poll => true,
            Some(_) => {
                let why = "`view` must be `latest`, in a plain GET: resume from its Stream-Next-Offset on any transport";
                return Err(Error::new(ErrorKind::NotSupported, why));
            }
        };
        let last_event_id = head.header("last-event-id");
        let in_query = query.polyfilled_id.filter(|id| !id.is_empty()).or(query.last_event_id);
        let start =
            Start::choose(last_event_id.as_deref(), in_query.as_deref(), query.offset.as_deref())?;
        if start.is_none() && transport.needs_start() {
            return Err(Error::new(
                ErrorKind::OffsetMissing,
                "`offset` is missing: send -1, now, or an offset that this channel returned",
            ));
        }
        // A cursor is only a cache key: a cursor that is not a number counts as absent.
        let cursor = query.cursor.and_then(|cursor| cursor.parse().ok());
        Ok(Read {
            transport,
            start: start.unwrap_or(Start::Beginning),
            if_none_match: head.header("if-none-match"),
            cursor,
            latest,
        })
    }
}

#[derive(Default)]
struct Query {
    offset: Option<String>,
    last_event_id: Option<String>,
    /// The parameter that polyfills of `EventSource` add by themselves, even to an address with
    /// `last_event_id`.
    polyfilled_id: Option<String>,
    live: Option<String>,
    cursor: Option<String>,
    view: Option<String>,
}

impl Query {
    fn parse(text: &str) -> Result<Query> {
        let mut query = Query::default();
        for (name, value) in parse(text.as_bytes()) {
            let slot = match name.as_ref() {
                "offset" => &mut query.offset,
                "last_event_id" => &mut query.last_event_id,
                // Polyfills of `EventSource` resume with the first name, Mercure with the second.
                "lastEventId" | "lastEventID" => &mut query.polyfilled_id,
                "live" => &mut query.live,
                "cursor" => &mut query.cursor,
                "view" => &mut query.view,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(repeated(&name));
            }
        }
        Ok(query)
    }
}

fn refuse_unsupported(head: &RequestHead<'_>) -> Result<()> {
    match NOT_SUPPORTED.iter().find(|name| head.header(name).is_some()) {
        Some(name) => Err(Error::new(
            ErrorKind::NotSupported,
            format!("the header {name} is not supported: send the request without it"),
        )),
        None => Ok(()),
    }
}

/// `Stream-Closed: true`; a repeated field counts if every value is `true`.
fn closed(head: &RequestHead<'_>) -> bool {
    head.header("stream-closed").is_some_and(|value| {
        list(&value).any(|_| true) && list(&value).all(|value| value.eq_ignore_ascii_case("true"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Rights;

    fn parsed(method: &str, query: &str, headers: &[(&str, &str)]) -> Result<Operation> {
        let headers = |name: &str| {
            headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.to_string())
        };
        Operation::parse(&RequestHead {
            method,
            url: "http://a/b",
            path: "/b",
            query,
            headers: &headers,
        })
    }

    #[test]
    fn survives_the_way_from_edge_to_object() {
        let whole = [
            ("content-type", "text/plain; charset=utf-8"),
            ("stream-seq", "7"),
            ("stream-closed", "true"),
            ("if-none-match", "\"a\""),
            ("last-event-id", "now"),
            ("stream-ttl", "60"),
        ];
        for (method, query) in [
            ("GET", "live=sse&cursor=9"),
            ("GET", "offset=-1"),
            ("HEAD", ""),
            ("PUT", ""),
            ("POST", ""),
            ("DELETE", ""),
            ("DELETE", "offset=-1"),
        ] {
            let operation = parsed(method, query, &whole).unwrap();
            let json = serde_json::to_string(&operation).unwrap();
            assert_eq!(serde_json::from_str::<Operation>(&json).unwrap(), operation, "{json}");
        }
    }

    #[test]
    fn a_worker_and_an_object_of_two_versions_understand_each_other() {
        let append = r#"{"Append":{"content_type":null,"stream_seq":null,"closed":true,"producer":null,"only_if":{"if_match":null,"if_none_match":null}}}"#;
        assert_eq!(
            serde_json::to_string(&parsed("POST", "", &[("stream-closed", "true")]).unwrap())
                .unwrap(),
            append
        );
        let delete: Operation = serde_json::from_str(r#"{"Delete":{}}"#).unwrap();
        assert_eq!(delete, Operation::Change(Change::Delete { only_if: Precondition::default() }));
        assert_eq!(serde_json::from_str::<Operation>("\"Head\"").unwrap(), Operation::Head);
    }

    #[test]
    fn reads_all_that_a_read_may_carry() {
        let headers = [("accept", "text/event-stream"), ("if-none-match", "\"a\"")];
        let Operation::Read(read) =
            parsed("GET", "cursor=12&last_event_id=now&offset=x&unknown=1&unknown=2", &headers)
                .unwrap()
        else {
            panic!("no read")
        };
        assert_eq!(
            read,
            Read {
                transport: Transport::EventSource,
                start: Start::Tail,
                if_none_match: Some("\"a\"".into()),
                cursor: Some(12),
                latest: false
            }
        );
    }

    #[test]
    fn the_newest_of_each_key_is_asked_by_a_plain_get_alone() {
        let Operation::Read(read) = parsed("GET", "view=latest", &[]).unwrap() else {
            panic!("no read")
        };
        assert!(read.latest);
        for (query, headers) in [
            ("view=latest&live=sse&offset=-1", &[][..]),
            ("view=latest", &[("upgrade", "websocket")][..]),
            ("view=", &[]),
        ] {
            assert_eq!(
                parsed("GET", query, headers).unwrap_err().kind(),
                ErrorKind::NotSupported,
                "{query}"
            );
        }
    }

    #[test]
    fn names_the_parameter_that_is_repeated() {
        let error = parsed("GET", "offset=-1&live=sse&%6Cive=sse", &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ParameterRepeated);
        assert!(error.detail().contains("`live`"), "{}", error.detail());
    }

    #[test]
    fn refuses_each_header_that_it_would_have_to_ignore() {
        for header in NOT_SUPPORTED {
            for method in ["PUT", "POST"] {
                assert_eq!(
                    parsed(method, "", &[(header, "1")]).unwrap_err().kind(),
                    ErrorKind::NotSupported,
                    "{header}"
                );
            }
            assert!(parsed("GET", "", &[(header, "1")]).is_ok());
        }
    }

    #[test]
    fn takes_a_sequence_of_1_to_255_visible_characters() {
        let with =
            |seq: &str| parsed("POST", "", &[("stream-seq", seq)]).map_err(|error| error.kind());
        assert!(with(&"s".repeat(255)).is_ok());
        for bad in ["", &"s".repeat(256), "a b", "1, 2", "é", "\u{fffd}", "\t"] {
            assert_eq!(with(bad).unwrap_err(), ErrorKind::HeaderInvalid);
        }
    }

    #[test]
    fn says_what_closes_a_channel() {
        for (value, expected) in [
            ("true", true),
            ("True", true),
            ("true, true", true),
            ("false", false),
            ("true, false", false),
            ("", false),
            ("1", false),
        ] {
            let Ok(Operation::Change(Change::Append(append))) =
                parsed("POST", "", &[("stream-closed", value)])
            else {
                panic!("no append")
            };
            assert_eq!(append.closed, expected, "{value:?}");
        }
    }

    #[test]
    fn a_channel_is_made_by_who_writes_or_may_write_over_the_connection() {
        let creates = |method: &str, headers: &[(&str, &str)], rights| {
            parsed(method, "", headers).unwrap().creates(&Grant { rights, ..Grant::default() })
        };
        let upgrade = [("upgrade", "websocket")];
        assert!(
            creates("PUT", &[], Rights::NONE)
                && creates("POST", &[], Rights::NONE)
                && creates("GET", &upgrade, Rights::ALL)
        );
        assert!(
            !creates("GET", &[], Rights::ALL)
                && !creates("GET", &upgrade, Right::Read.into())
                && !creates("DELETE", &[], Rights::ALL)
        );
    }

    #[test]
    fn an_address_does_not_keep_its_query() {
        let headers = |_: &str| None;
        let head = RequestHead {
            method: "PUT",
            url: "https://a.example/v1/stream/x?ticket=T&b#c",
            path: "/v1/stream/x",
            query: "ticket=T&b",
            headers: &headers,
        };
        let Ok(Operation::Change(Change::Create(Create { location, .. }))) =
            Operation::parse(&head)
        else {
            panic!("not created")
        };
        assert_eq!(location, "https://a.example/v1/stream/x");
    }

    #[test]
    fn resumes_an_event_source_that_is_not_the_browsers() {
        let token = "00000000000a_00000000000001";
        let start = |query: &str, header: Option<&str>| {
            let headers: Vec<_> = header
                .map(|value| ("last-event-id", value))
                .into_iter()
                .chain([("accept", "text/event-stream")])
                .collect();
            parsed("GET", query, &headers).map_err(|error| error.kind()).map(|read| match read {
                Operation::Read(read) => read.start,
                other => panic!("{other:?}"),
            })
        };
        let after = Ok(Start::After(token.parse().unwrap()));
        for name in ["last_event_id", "lastEventId", "lastEventID"] {
            assert_eq!(start(&format!("offset=-1&{name}={token}"), None), after, "{name}");
            assert_eq!(
                start(&format!("offset={token}&{name}="), None),
                after,
                "an empty {name} is none"
            );
        }
        assert_eq!(start(&format!("lastEventId={token}"), Some("")), after);
        assert_eq!(start("", Some("")), Ok(Start::Beginning));
        // A polyfill adds its own to whatever the page asked for.
        assert_eq!(
            start(&format!("last_event_id=-1&lastEventId={token}"), None),
            start(&format!("lastEventId={token}"), None)
        );
        assert_eq!(
            start(&format!("last_event_id={token}&lastEventId="), None),
            start(&format!("last_event_id={token}"), None)
        );
        assert_eq!(start("lastEventId=-1&lastEventID=-1", None), Err(ErrorKind::ParameterRepeated));
        assert_eq!(start("offset=", None), Err(ErrorKind::OffsetMalformed));
    }

    #[test]
    fn takes_methods_in_upper_case_only() {
        for method in ["get", "PATCH", "", "TRACE"] {
            assert_eq!(
                parsed(method, "", &[]).unwrap_err().kind(),
                ErrorKind::MethodNotAllowed,
                "{method:?}"
            );
        }
    }
}
