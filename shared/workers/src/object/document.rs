//! A document over y-websocket: its clients, and what is known of its parts.

use std::rc::Rc;

use tidewire_core::{
    Awareness, Change, Channel, DocumentConnection, Documents, Error, Event, Framing, Grant,
    Member, MessageOutcome, Offset, Page, PageLimit, Reply, Result, Row, SnapshotRead, Summary,
    Trace, asks, document_message, document_opening,
};
use worker::{Headers, Response, WebSocket, WebSocketPair};

use super::frames::Client;
use super::{Answer, Inner};
use crate::readers::{Reader, Readers};
use crate::refusal::upgraded;
use crate::respond::internal;

/// Most ranges of a summary that stays in memory, about 5 MB. A larger one is made again when it is
/// needed.
const MAX_RANGES: usize = 100_000;

/// What the document of an epoch has, up to an event. Lost in sleep, and made again of the snapshot
/// and the events after it.
pub(super) struct Summarized {
    epoch: u64,
    seq: u64,
    summary: Box<dyn Summary>,
}

type News = for<'a> fn(&Inner, &Change, Option<&Channel>, &'a [u8]) -> Answer<&'a [u8]>;

/// The code of shared documents: a Worker has it only if one of its functions has documents.
#[derive(Clone, Copy)]
pub(super) struct DocumentCode {
    /// Lets a client of y-websocket in.
    pub(super) open: fn(&Inner, Grant, Option<Trace>) -> Answer<Response>,
    /// Carries out a message of such a client.
    pub(super) message: fn(&Rc<Inner>, &WebSocket, &Reader, &[u8]),
    /// The body of an append, or a body that brings nothing.
    pub(super) news: News,
    /// Carries out a request for the awareness.
    pub(super) awareness: fn(&Inner, &Awareness, &[u8], Option<&Channel>) -> Answer<Reply>,
    /// Answers a request for the snapshot.
    pub(super) snapshot: fn(&Inner, &SnapshotRead, Option<&Channel>) -> Answer<Reply>,
}

impl DocumentCode {
    pub(super) const NEW: DocumentCode = DocumentCode {
        open: Inner::open_document,
        message: Inner::document_message,
        news: Inner::news_over_http,
        awareness: Inner::awareness,
        snapshot: Inner::snapshot_of_document,
    };
}

impl DocumentConnection for Client<'_> {
    fn news(&mut self, channel: &Channel, event: Vec<u8>) -> Result<Vec<u8>> {
        self.inner.summarized(Some(channel), |summary| summary.news(&event).to_vec())
    }

    fn lacks(&mut self, vector: &[u8]) -> Result<Vec<u8>> {
        let channel = self.inner.touched()?;
        let deletions = self.inner.summarized(channel.as_ref(), |summary| summary.lacks(vector))?;
        match (deletions?, channel) {
            (None, Some(channel)) => {
                let (last, events) = self.inner.whole(&channel)?;
                (self.inner.documents()?.lacks)(last.as_deref(), &events, vector)
            }
            (deletions, _) => Ok(deletions.unwrap_or_default()),
        }
    }

    fn held(&mut self) -> Option<Member> {
        Readers::member(self.socket)
    }

    fn members(&mut self) -> Result<Vec<Member>> {
        self.inner.members(self.inner.policy.presence()?)
    }
}

impl Inner {
    /// Lets a client in. It is live at once: it gets what it lacks when it asks.
    fn open_document(&self, grant: Grant, trace: Option<Trace>) -> Answer<Response> {
        let channel = self.channel()?;
        // The opening says what waits for the others.
        self.flush();
        let present = self.members(self.policy.presence()?)?;
        let vector = if asks(&grant) {
            Some(self.summarized(channel.as_ref(), |summary| summary.state_vector())?)
        } else {
            None
        };
        let offset = channel.map_or(Offset::ABSENT, |channel| channel.tail_offset());
        let reader = Reader {
            framing: Framing::Yjs,
            after: None,
            grant,
            member: None,
            is_windowed: false,
            is_waiting: false,
            trace: trace.map(|trace| (trace, offset)),
        };
        self.keep_client(&reader, document_opening(vector.as_deref(), &present))
            .map_err(|cause| internal(&cause))
    }

    fn keep_client(&self, reader: &Reader, opening: Vec<Vec<u8>>) -> worker::Result<Response> {
        let pair = WebSocketPair::new()?;
        self.state.accept_web_socket(&pair.server);
        for message in opening {
            pair.server.send_with_bytes(message)?;
        }
        self.readers.note_end(reader);
        self.readers.set(&pair.server, reader)?;
        upgraded(pair.client, false, Headers::new())
    }

    /// Carries out a message of a client.
    fn document_message(self: &Rc<Self>, socket: &WebSocket, reader: &Reader, bytes: &[u8]) {
        let max_bytes = self.settings.max_body_bytes;
        let mut client = Client { inner: self, socket, reader };
        let MessageOutcome { messages, is_refusal, end } =
            document_message(bytes, &reader.grant, max_bytes, &self.policy, &mut client);
        self.activity.borrow_mut().refusals += u64::from(is_refusal);
        for message in messages {
            // It may have left in the meantime.
            let _ = socket.send_with_bytes(message);
        }
        if let Some((code, reason)) = end {
            self.end(socket, Framing::Yjs, code, reason);
        }
    }

    /// The body of an append, or a body that brings nothing if the document has all of it.
    fn news_over_http<'a>(
        &self,
        change: &Change,
        channel: Option<&Channel>,
        body: &'a [u8],
    ) -> Answer<&'a [u8]> {
        let is_update = matches!(change, Change::Append(_)) && self.policy.documents.is_some();
        if !is_update || channel.is_none() || body.is_empty() {
            return Ok(body);
        }
        self.summarized(channel, |summary| summary.news(body))
    }

    /// Adds the events of a commit to what is known, if that is known up to them.
    pub(super) fn note(&self, channel: &Channel, rows: &[Row]) {
        let before = channel.tail - rows.len() as u64;
        let mut known = self.summary.borrow_mut();
        let Some(known) =
            known.as_mut().filter(|known| known.epoch == channel.epoch && known.seq == before)
        else {
            return;
        };
        rows.iter().for_each(|row| known.summary.add(&row.event.data));
        known.seq = channel.tail;
    }

    /// Asks what the document has.
    fn summarized<T>(
        &self,
        channel: Option<&Channel>,
        ask: impl FnOnce(&dyn Summary) -> T,
    ) -> Answer<T> {
        let documents = self.documents()?;
        let Some(channel) = channel else {
            return Ok(ask(&*(documents.summarize)(None, &[])?));
        };
        let mut kept = self.summary.borrow_mut();
        let (epoch, seq) = (channel.epoch, channel.tail);
        let known = match kept.take().filter(|known| (known.epoch, known.seq) == (epoch, seq)) {
            Some(known) => known,
            None => {
                let (last, events) = self.whole(channel)?;
                let summary = (documents.summarize)(last.as_deref(), &events)?;
                Summarized { epoch, seq, summary }
            }
        };
        let answer = ask(&*known.summary);
        if known.summary.ranges() <= MAX_RANGES {
            *kept = Some(known);
        }
        Ok(answer)
    }

    /// The newest snapshot and the events after it.
    fn whole(&self, channel: &Channel) -> Answer<(Option<Vec<u8>>, Vec<Event>)> {
        let (past, after) = channel.whole();
        let last = past.map(|seq| self.snapshot(seq)).transpose()?;
        let Page { events, .. } = self.read(channel, after, PageLimit::NONE)?;
        Ok((last, events))
    }

    fn documents(&self) -> Answer<Documents> {
        self.policy.documents.ok_or_else(Error::no_documents)
    }
}
