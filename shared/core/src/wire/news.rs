//! The answer to a long poll, encoded by the channel and sent to the place where the request waits.
//!
//! All waiting long polls are at the tail, so one encoding answers them all, and none has to read
//! the store.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::body::joined_text;
use super::page_reply::PageHead;
use crate::channel::{Channel, Event, Offset};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ContentType, Reply};

#[derive(Serialize, Deserialize)]
struct News {
    after: String,
    end: String,
    is_up_to_date: bool,
    is_final: bool,
    revision: u64,
    /// Text unchanged, other bytes as base64.
    body: String,
}

/// Encodes the events after a position, for [`news_reply`].
pub(crate) fn news(channel: &Channel, after: u64, events: &[Event]) -> String {
    let head = PageHead::new(channel, after, events.last().map_or(after, |event| event.seq));
    let body = joined_text(events, &channel.content_type);
    let news = News {
        after: head.after.to_string(),
        end: head.end.to_string(),
        is_up_to_date: head.is_up_to_date,
        is_final: head.is_final,
        revision: head.revision,
        body,
    };
    // Strings and booleans only: serializing them cannot fail.
    serde_json::to_string(&news).unwrap_or_default()
}

/// The answer of a long poll that waited at the tail of a channel, from a batch in
/// [`Framing::News`](crate::Framing::News).
///
/// # Errors
///
/// [`ErrorKind::Internal`] when `text` is not such a batch.
pub fn news_reply(text: &str, content_type: &ContentType, cursor: u64) -> Result<Reply> {
    let fault = || {
        Error::new(
            ErrorKind::Internal,
            "an internal message between a channel and its readers does not parse",
        )
    };
    let News { after, end, is_up_to_date, is_final, revision, body } =
        serde_json::from_str(text).map_err(|_| fault())?;
    let offset = |text: &str| text.parse::<Offset>().map_err(|_| fault());
    let head = PageHead {
        content_type: content_type.clone(),
        after: offset(&after)?,
        end: offset(&end)?,
        is_up_to_date,
        is_final,
        revision,
    };
    // The channel was finished without a further event.
    if after == end {
        return Ok(head.reply(StatusCode::NO_CONTENT, Some(cursor), Vec::new()));
    }
    let body = if content_type.is_text() {
        body.into_bytes()
    } else {
        BASE64_STANDARD.decode(body).map_err(|_| fault())?
    };
    Ok(head.reply(StatusCode::OK, Some(cursor), body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waited(content_type: ContentType, data: &[&[u8]], closed: bool) -> Reply {
        let tail = 4 + data.len() as u64;
        let channel = Channel { tail, closed, ..Channel::new(9, content_type.clone()) };
        let events: Vec<_> =
            data.iter().zip(5..).map(|(data, seq)| Event { seq, data: data.to_vec() }).collect();
        news_reply(&news(&channel, 4, &events), &content_type, 7).unwrap()
    }

    #[test]
    fn answers_as_a_read_would() {
        let reply = waited(ContentType::json(), &[b"1", br#"{"a":"\u00e9"}"#], false);
        assert_eq!(
            (reply.status(), reply.body().as_slice()),
            (StatusCode::OK, &br#"[1,{"a":"\u00e9"}]"#[..])
        );
        assert_eq!(reply.headers()["stream-next-offset"], "000000000009_00000000000006");
        assert_eq!(reply.headers()["stream-cursor"], "7");
        let reply = waited(ContentType::octet_stream(), &[&[0, 255], &[10]], true);
        assert_eq!(
            (reply.body().as_slice(), &reply.headers()["stream-closed"]),
            (&[0, 255, 10][..], &"true".parse::<http::HeaderValue>().unwrap())
        );
    }

    #[test]
    fn tells_the_end_without_a_body() {
        let reply = waited(ContentType::json(), &[], true);
        assert_eq!((reply.status(), reply.body().len()), (StatusCode::NO_CONTENT, 0));
        assert_eq!(reply.headers()["stream-closed"], "true");
    }

    #[test]
    fn refuses_what_is_no_news() {
        assert_eq!(
            news_reply("+", &ContentType::json(), 7).unwrap_err().kind(),
            ErrorKind::Internal
        );
    }
}
