//! The answer with a page of events: to a poll, and to a long poll that found events.

use std::borrow::Cow;

use http::{StatusCode, header};

use super::body::joined;
use crate::channel::etag::etag;
use crate::channel::latest::Latest;
use crate::channel::snapshot::unpack;
use crate::channel::{Channel, Offset, Page, PageLimit};
use crate::error::Result;
use crate::http::fields::{entity_tags, is_any};
use crate::http::headers::{self, reply, set};
use crate::http::{ContentType, Polling, Reply};

/// An answer that needs a page of the store.
#[derive(Clone, Debug)]
pub struct PagePlan {
    /// Position after which to read.
    pub after: u64,
    /// Whether there is nothing to read: the answer needs no store.
    pub is_at_tail: bool,
    /// The snapshot to read first, by its number; the log is then read after it.
    pub snapshot: Option<u64>,
    pub(crate) if_none_match: Option<String>,
    pub(crate) cursor: Option<u64>,
    pub(crate) is_cacheable: bool,
    /// For a short poll only.
    pub(crate) polling: Option<Polling>,
    pub(crate) latest: Option<Latest>,
}

impl PagePlan {
    /// The answer to a long poll that waited at a position, once there is an event after it.
    pub fn after_wait(after: u64, cursor: u64) -> PagePlan {
        PagePlan {
            after,
            is_at_tail: false,
            snapshot: None,
            if_none_match: None,
            cursor: Some(cursor),
            is_cacheable: true,
            polling: None,
            latest: None,
        }
    }

    /// The number of the event after which to read the log.
    pub fn log_after(&self) -> u64 {
        self.snapshot.unwrap_or(self.after)
    }

    /// The page of a plan with a [snapshot](PagePlan::snapshot), of its data and of the page of the
    /// log after it. `page` is the size of a page.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) for data that is not a snapshot.
    pub fn with_snapshot(
        &self,
        seq: u64,
        data: Vec<u8>,
        log: Page,
        channel: &Channel,
        page: PageLimit,
    ) -> Result<Page> {
        if self.latest.is_none() {
            return Ok(Page::with_past(seq, data, log, page));
        }
        // The newest event of a key counts as long as it is kept.
        let from = channel.first.max(self.after + 1);
        let mut events = unpack(&data)?;
        events.retain(|event| event.seq >= from);
        events.extend(log.events);
        Ok(Page { after: self.after, events })
    }

    /// How much to read for it, where `page` is the size of a page.
    pub fn limit(&self, page: PageLimit) -> PageLimit {
        if self.latest.is_some() { PageLimit::NONE } else { page }
    }

    /// The answer with this page: JSON events as an array, others joined.
    pub fn reply(&self, channel: &Channel, page: &Page) -> Reply {
        let (events, end) = match self.latest {
            Some(latest) => {
                let (events, end) = latest.view(page);
                // A snapshot may cover events after the newest that it holds.
                let is_whole = end == page.end();
                (events, if is_whole { end.max(self.log_after()) } else { end })
            }
            None => (Cow::from(&page.events), page.end()),
        };
        let head = PageHead::new(channel, page.after, end);
        let etag = head.etag();
        // The events that a view omits also depend on those that follow.
        let is_cacheable = self.is_cacheable && (self.latest.is_none() || head.is_up_to_date);
        if is_cacheable && self.if_none_match.as_deref().is_some_and(|seen| matches(seen, &etag)) {
            let mut reply = self.marked(channel, &head, StatusCode::NOT_MODIFIED, Vec::new());
            headers::remove_content_type(&mut reply);
            return reply;
        }
        let body = joined(&events, &channel.content_type);
        let mut reply = self.marked(channel, &head, StatusCode::OK, body);
        if !is_cacheable {
            reply.headers_mut().remove(header::ETAG);
            set(&mut reply, header::CACHE_CONTROL, "no-store");
        }
        reply
    }

    fn marked(
        &self,
        channel: &Channel,
        head: &PageHead,
        status: StatusCode,
        body: Vec<u8>,
    ) -> Reply {
        let mut reply = head.reply(status, self.cursor, body);
        if let Some(seq) = self.snapshot.filter(|_| self.latest.is_none()) {
            set(&mut reply, headers::SNAPSHOT, &channel.offset(seq).to_string());
        }
        if let Some(polling) = self.polling {
            polling.mark(&mut reply, head.is_up_to_date && !head.is_final);
        }
        reply
    }
}

/// The values for the headers of a page.
pub(crate) struct PageHead {
    pub(crate) content_type: ContentType,
    pub(crate) after: Offset,
    pub(crate) end: Offset,
    pub(crate) is_up_to_date: bool,
    pub(crate) is_final: bool,
    pub(crate) revision: u64,
}

impl PageHead {
    pub(crate) fn new(channel: &Channel, after: u64, end: u64) -> PageHead {
        let is_up_to_date = end >= channel.tail;
        PageHead {
            content_type: channel.content_type.clone(),
            after: channel.offset(after),
            end: channel.offset(end),
            is_up_to_date,
            is_final: is_up_to_date && channel.closed,
            revision: channel.revision,
        }
    }

    fn etag(&self) -> String {
        etag(self.after, self.end, self.is_up_to_date, self.is_final, self.revision)
    }

    pub(crate) fn reply(&self, status: StatusCode, cursor: Option<u64>, body: Vec<u8>) -> Reply {
        let mut reply = reply(status, body);
        headers::set_content_type(&mut reply, &self.content_type);
        self.end.set(&mut reply);
        if self.is_up_to_date {
            set(&mut reply, headers::UP_TO_DATE, "true");
        }
        if self.is_final {
            set(&mut reply, headers::CLOSED, "true");
        }
        if let Some(cursor) = cursor {
            set(&mut reply, headers::CURSOR, &cursor.to_string());
        }
        set(&mut reply, header::ETAG, &self.etag());
        reply
    }
}

/// `If-None-Match` (RFC 9110, section 13.1.2), compared weakly.
fn matches(header: &str, etag: &str) -> bool {
    is_any(header) || entity_tags(header).any(|(_, tag)| tag == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_etags_weakly() {
        assert!(
            matches("\"a\"", "\"a\"")
                && matches("W/\"a\"", "\"a\"")
                && matches("\"b\" , \"a\"", "\"a\"")
                && matches("*", "\"a\"")
        );
        assert!(
            !matches("\"b,*,c\"", "\"a\"")
                && !matches("\"b\", *", "\"a\"")
                && matches("\"b,\", \"a\"", "\"a\"")
        );
        assert!(!matches("a", "\"a\"") && !matches("\"ab\"", "\"a\"") && !matches("", "\"a\""));
    }
}
