//! Requests for the awareness of a document, `?awareness=NAME` (`YJS-PROTOCOL.md` of
//! `y-durable-streams`).

use form_urlencoded::parse;
use serde::{Deserialize, Serialize};

use super::transport::Transport;
use crate::access::Right;
use crate::awareness::DEFAULT;
use crate::error::{Error, ErrorKind, Result};
use crate::http::RequestHead;

/// Longest name of a stream of awareness, in bytes: with the number of a client it fits the id of a
/// member.
const MAX_NAME_BYTES: usize = 40;

/// An operation on one stream of a document's awareness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awareness {
    /// Name of the stream.
    pub stream: String,
    /// What to do.
    pub action: AwarenessAction,
}

/// What a request asks of a stream of awareness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AwarenessAction {
    /// `HEAD`: whether it exists.
    Look,
    /// `GET`: the states.
    Read,
    /// `PUT`: creates it.
    Create,
    /// `POST`: the states of the client, and of neighbours in its browser.
    Say,
    /// `DELETE`: forgets it with its states.
    Forget,
}

/// What a request for awareness asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The states of the default stream, now and later.
    Live,
    /// One answer.
    Once(Awareness),
}

impl Awareness {
    /// Whether it has a body.
    pub(crate) fn has_body(&self) -> bool {
        self.action == AwarenessAction::Say
    }

    /// The rights that it demands, all of them.
    pub(crate) fn rights(&self) -> &'static [Right] {
        match self.action {
            AwarenessAction::Look | AwarenessAction::Read => &[Right::Read],
            AwarenessAction::Create | AwarenessAction::Say => &[Right::Presence],
            AwarenessAction::Forget => &[Right::Manage],
        }
    }

    /// What the request asks, if it is for awareness; `allow` are the methods of the address.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ChannelNameInvalid`] for the name of the stream, [`ErrorKind::NotSupported`].
    pub(crate) fn parse(head: &RequestHead<'_>, allow: &str) -> Result<Option<Asked>> {
        let parameter = |name| parse(head.query.as_bytes()).find(|(given, _)| given == name);
        let Some((_, stream)) = parameter("awareness") else { return Ok(None) };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~@-".contains(&byte);
        if !(1..=MAX_NAME_BYTES).contains(&stream.len()) || !stream.bytes().all(is_plain) {
            return Err(Error::new(
                ErrorKind::ChannelNameInvalid,
                format!(
                    "the name of an awareness stream must have 1 to {MAX_NAME_BYTES} letters, digits and . _ ~ @ -"
                ),
            ));
        }
        let action = match head.method {
            "HEAD" => AwarenessAction::Look,
            "GET" => match Transport::of(head)? {
                Transport::Poll => AwarenessAction::Read,
                Transport::DurableSse if stream == DEFAULT => return Ok(Some(Asked::Live)),
                _ => {
                    let why = "awareness is read with `live=sse`, of the stream `default`, or with a plain GET";
                    return Err(Error::new(ErrorKind::NotSupported, why));
                }
            },
            "PUT" => AwarenessAction::Create,
            "POST" => AwarenessAction::Say,
            "DELETE" => AwarenessAction::Forget,
            other => return Err(Error::method_not_allowed(other, allow)),
        };
        Ok(Some(Asked::Once(Awareness { stream: stream.into_owned(), action })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(method: &str, query: &str) -> Result<Option<Asked>, ErrorKind> {
        let head = RequestHead { method, url: "http://a/b", path: "/b", query, headers: &|_| None };
        Awareness::parse(&head, "GET").map_err(|error| error.kind())
    }

    #[test]
    fn each_method_asks_something_of_a_stream() {
        for (method, action) in [
            ("HEAD", AwarenessAction::Look),
            ("GET", AwarenessAction::Read),
            ("PUT", AwarenessAction::Create),
            ("POST", AwarenessAction::Say),
            ("DELETE", AwarenessAction::Forget),
        ] {
            let asked = Awareness { stream: "cursors".into(), action };
            assert_eq!(parsed(method, "awareness=cursors"), Ok(Some(Asked::Once(asked))));
        }
        assert_eq!(parsed("GET", "offset=now"), Ok(None));
    }

    #[test]
    fn the_default_stream_is_read_live_from_any_position() {
        for query in ["awareness=default&live=sse&offset=now", "awareness=default&live=sse"] {
            assert_eq!(parsed("GET", query), Ok(Some(Asked::Live)), "{query}");
        }
        for query in ["awareness=cursors&live=sse", "awareness=default&live=long-poll&offset=now"] {
            assert_eq!(parsed("GET", query), Err(ErrorKind::NotSupported), "{query}");
        }
    }

    #[test]
    fn refuses_a_name_that_could_mean_two_members() {
        for name in ["", "a:b", "a%2Fb", "a b", &"n".repeat(41)] {
            let parsed = parsed("GET", &format!("awareness={name}"));
            assert_eq!(parsed, Err(ErrorKind::ChannelNameInvalid), "{name:?}");
        }
    }
}
