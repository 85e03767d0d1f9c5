//! What a client asks of one channel.

use form_urlencoded::parse;
use serde::{Deserialize, Serialize};

use crate::transport::accepts;
use crate::{ChannelName, ContentType, Error, ErrorKind, Expiry, Grant, Offset, Policy, Producer, Result, Right, Start, Tally, Transport, Visit};

/// A request that was parsed and found well-formed.
///
/// Serializable: on Workers the edge parses it once and hands it to the channel's object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The channel.
    pub channel: ChannelName,
    /// What to do with it.
    pub operation: Operation,
    /// What the client may do, those with an open connection later on included.
    pub grant: Grant,
}

/// The operations of Durable Streams, and the transports as ways to read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operation {
    /// `PUT`.
    Create {
        /// `Content-Type`, if given.
        content_type: Option<ContentType>,
        /// `Stream-Closed: true`: finished as soon as it is made.
        closed: bool,
        /// When it is to end by itself.
        expiry: Option<Expiry>,
        /// Value of `Location` in the answer: the address it was asked at.
        location: String,
    },
    /// `POST`.
    Append(Append),
    /// `DELETE`.
    Delete,
    /// `DELETE` with `offset`: one event.
    Erase {
        /// The event's own offset.
        offset: Offset,
        /// `Producer-Id` of who asks: it has to be the event's. `None` for who manages the channel.
        by: Option<String>,
    },
    /// `HEAD`.
    Head,
    /// `GET`, on any transport.
    Read(Read),
    /// `GET` of those present.
    Members,
    /// `POST` to those present: joins, changes its state, renews its lease, leaves.
    Announce,
    /// `POST` of a revocation: ends somebody's access.
    Revoke,
    /// `GET` of the figures for who operates it.
    Stats {
        /// As text for Prometheus, not as JSON.
        is_text: bool,
    },
}

/// An append.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// `Content-Type`, if given.
    pub content_type: Option<ContentType>,
    /// `Stream-Seq`: must rise as text from append to append.
    pub stream_seq: Option<String>,
    /// `Stream-Closed: true`: finished after this append.
    pub closed: bool,
    /// Who appends, where it is to be stored once however often it is sent.
    pub producer: Option<Producer>,
}

/// A read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// How events are to reach the reader.
    pub transport: Transport,
    /// Where it begins.
    pub start: Start,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// The cursor that the client got last.
    pub cursor: Option<u64>,
    /// `view=latest`: of a poll, the newest event of each key and nothing of their past.
    #[serde(default)]
    pub latest: bool,
}

impl Operation {
    /// Who publishes by it, as far as the channel must remember that; see [`Policy::tallies`].
    pub fn tallies(&self, grant: &Grant, policy: &Policy) -> Vec<Tally> {
        match self {
            Operation::Append(append) => policy.tallies(grant, append.producer.as_ref()),
            _ => Vec::new(),
        }
    }

    /// Whether a body belongs to it.
    pub fn has_body(&self) -> bool {
        matches!(self, Operation::Create { .. } | Operation::Append(_) | Operation::Announce | Operation::Revoke)
    }

    /// Whether it puts off the end of a channel with a sliding TTL. `HEAD` only looks.
    pub fn slides(&self) -> bool {
        matches!(self, Operation::Append(_) | Operation::Read(_))
    }

    /// The rights that it takes, all of them.
    pub fn rights(&self) -> &'static [Right] {
        match self {
            Operation::Create { .. } | Operation::Delete | Operation::Erase { by: None, .. } | Operation::Revoke | Operation::Stats { .. } => &[Right::Manage],
            Operation::Append(Append { closed: true, .. }) => &[Right::Publish, Right::Manage],
            Operation::Append(_) | Operation::Erase { .. } => &[Right::Publish],
            Operation::Head | Operation::Read(_) | Operation::Members => &[Right::Read],
            Operation::Announce => &[Right::Presence],
        }
    }
}

/// Headers of Durable Streams that this version refuses rather than ignores, since ignoring them would break a promise.
const NOT_SUPPORTED: &[&str] = &["stream-forked-from", "stream-fork-offset", "stream-fork-sub-offset"];

impl Operation {
    /// Reads the operation from method, query and headers.
    pub(crate) fn parse(visit: &Visit<'_>) -> Result<Operation> {
        match visit.method {
            "GET" => Ok(Operation::Read(Read::parse(visit)?)),
            "HEAD" => Ok(Operation::Head),
            "DELETE" => match Query::parse(visit.query)?.offset {
                Some(offset) => Ok(Operation::Erase { offset: offset.parse()?, by: visit.header("producer-id") }),
                None => Ok(Operation::Delete),
            },
            "PUT" => {
                refuse_unsupported(visit)?;
                Ok(Operation::Create { content_type: content_type(visit)?, closed: closed(visit), expiry: Expiry::parse(visit)?, location: visit.url.into() })
            }
            "POST" => {
                refuse_unsupported(visit)?;
                let stream_seq = visit.header("stream-seq");
                if stream_seq.as_ref().is_some_and(|seq| seq.is_empty() || seq.len() > 255) {
                    return Err(Error::new(ErrorKind::HeaderInvalid, "Stream-Seq has 1 to 255 bytes"));
                }
                Ok(Operation::Append(Append { content_type: content_type(visit)?, stream_seq, closed: closed(visit), producer: Producer::parse(visit)? }))
            }
            other => Err(Error::new(ErrorKind::MethodNotAllowed, format!("a channel takes no {other:?}"))),
        }
    }
}

impl Operation {
    /// Reads what is asked of those present.
    pub(crate) fn parse_presence(method: &str) -> Result<Operation> {
        match method {
            "GET" => Ok(Operation::Members),
            "POST" => Ok(Operation::Announce),
            _ => Err(Error::new(ErrorKind::MethodNotAllowed, "those present are asked by GET, and told by POST")),
        }
    }

    /// Reads what is to be done about somebody's access.
    pub(crate) fn parse_revocation(method: &str) -> Result<Operation> {
        match method {
            "POST" => Ok(Operation::Revoke),
            _ => Err(Error::new(ErrorKind::MethodNotAllowed, "access is revoked by POST")),
        }
    }

    /// Reads how the figures are asked for.
    pub(crate) fn parse_stats(visit: &Visit<'_>) -> Result<Operation> {
        if visit.method != "GET" {
            return Err(Error::new(ErrorKind::MethodNotAllowed, "stats are asked for by GET"));
        }
        let accept = visit.header("accept").unwrap_or_default();
        Ok(Operation::Stats { is_text: accepts(&accept, "text/plain") || accepts(&accept, "application/openmetrics-text") })
    }
}

impl Read {
    fn parse(visit: &Visit<'_>) -> Result<Read> {
        let query = Query::parse(visit.query)?;
        let upgrade = visit.header("upgrade");
        let transport = Transport::choose(upgrade.as_deref(), query.live.as_deref(), visit.header("accept").as_deref())?;
        let latest = match query.view.as_deref() {
            None => false,
            Some("latest") if transport == Transport::Poll => true,
            Some(_) => {
                let why = "there is `view=latest`, of a plain GET; from its Stream-Next-Offset every transport goes on";
                return Err(Error::new(ErrorKind::NotSupported, why));
            }
        };
        let last_event_id = visit.header("last-event-id");
        let start = Start::choose(last_event_id.as_deref(), query.last_event_id.as_deref(), query.offset.as_deref())?;
        if start.is_none() && transport.needs_start() {
            return Err(Error::new(ErrorKind::OffsetMissing, "give `offset=`: -1, now, or one that this channel returned"));
        }
        // A cursor is only a cache key: one that is not a number is as good as none.
        let cursor = query.cursor.and_then(|cursor| cursor.parse().ok());
        Ok(Read { transport, start: start.unwrap_or(Start::Beginning), if_none_match: visit.header("if-none-match"), cursor, latest })
    }
}

#[derive(Default)]
struct Query {
    offset: Option<String>,
    last_event_id: Option<String>,
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
                "live" => &mut query.live,
                "cursor" => &mut query.cursor,
                "view" => &mut query.view,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(Error::new(ErrorKind::ParameterRepeated, format!("`{name}` stands more than once")));
            }
        }
        Ok(query)
    }
}

fn refuse_unsupported(visit: &Visit<'_>) -> Result<()> {
    match NOT_SUPPORTED.iter().find(|name| visit.header(name).is_some()) {
        Some(name) => Err(Error::new(ErrorKind::NotSupported, format!("the header {name} is not supported yet"))),
        None => Ok(()),
    }
}

fn content_type(visit: &Visit<'_>) -> Result<Option<ContentType>> {
    match visit.header("content-type") {
        None => Ok(None),
        Some(value) => match ContentType::parse(&value) {
            Some(content_type) => Ok(Some(content_type)),
            None => Err(Error::new(ErrorKind::HeaderInvalid, "Content-Type is not of the form type/subtype")),
        },
    }
}

fn closed(visit: &Visit<'_>) -> bool {
    visit.header("stream-closed").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(method: &str, query: &str, headers: &[(&str, &str)]) -> Result<Operation> {
        let headers = |name: &str| headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.to_string());
        Operation::parse(&Visit { method, url: "http://a/b", path: "/b", query, headers: &headers })
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
        for (method, query) in
            [("GET", "live=sse&cursor=9"), ("GET", "offset=-1"), ("HEAD", ""), ("PUT", ""), ("POST", ""), ("DELETE", ""), ("DELETE", "offset=-1")]
        {
            let operation = parsed(method, query, &whole).unwrap();
            let json = serde_json::to_string(&operation).unwrap();
            assert_eq!(serde_json::from_str::<Operation>(&json).unwrap(), operation, "{json}");
        }
    }

    #[test]
    fn reads_all_that_a_read_may_carry() {
        let headers = [("accept", "text/event-stream"), ("if-none-match", "\"a\"")];
        let Operation::Read(read) = parsed("GET", "cursor=12&last_event_id=now&offset=x&unknown=1&unknown=2", &headers).unwrap() else { panic!("no read") };
        assert_eq!(read, Read { transport: Transport::EventSource, start: Start::Tail, if_none_match: Some("\"a\"".into()), cursor: Some(12), latest: false });
    }

    #[test]
    fn the_newest_of_each_key_is_asked_by_a_plain_get_alone() {
        let Operation::Read(read) = parsed("GET", "view=latest", &[]).unwrap() else { panic!("no read") };
        assert!(read.latest);
        for (query, headers) in [("view=latest&live=sse&offset=-1", &[][..]), ("view=latest", &[("upgrade", "websocket")][..]), ("view=", &[])] {
            assert_eq!(parsed("GET", query, headers).unwrap_err().kind(), ErrorKind::NotSupported, "{query}");
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
                assert_eq!(parsed(method, "", &[(header, "1")]).unwrap_err().kind(), ErrorKind::NotSupported, "{header}");
            }
            assert!(parsed("GET", "", &[(header, "1")]).is_ok());
        }
    }

    #[test]
    fn takes_a_sequence_of_1_to_255_bytes() {
        let with = |seq: &str| parsed("POST", "", &[("stream-seq", seq)]).map_err(|error| error.kind());
        assert!(with(&"s".repeat(255)).is_ok());
        for bad in ["", &"s".repeat(256)] {
            assert_eq!(with(bad).unwrap_err(), ErrorKind::HeaderInvalid);
        }
    }

    #[test]
    fn takes_methods_in_upper_case_only() {
        for method in ["get", "PATCH", "", "TRACE"] {
            assert_eq!(parsed(method, "", &[]).unwrap_err().kind(), ErrorKind::MethodNotAllowed, "{method:?}");
        }
    }
}
