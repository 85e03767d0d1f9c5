//! Writes the structs of one client (`LazyStructWriter` of Yjs).

use std::ops::Range;

use crate::content::Kind;
use crate::id::Id;
use crate::item::{GARBAGE, Links, SKIP, put_hollow};
use crate::steps::step;
use crate::writer::put_uint;

/// The structs of one client, each behind the last.
pub(crate) struct Block<'a> {
    client: u64,
    start: u64,
    end: u64,
    structs: u64,
    bytes: Vec<u8>,
    /// Garbage (without links) or deleted units, which what follows may lengthen.
    hollow: Option<(Option<Links<'a>>, Range<u64>)>,
}

impl<'a> Block<'a> {
    pub(crate) fn new(client: u64) -> Self {
        Self { client, start: 0, end: 0, structs: 0, bytes: Vec::new(), hollow: None }
    }

    pub(crate) fn client(&self) -> u64 {
        self.client
    }

    /// Garbage.
    pub(crate) fn put_garbage(&mut self, clocks: Range<u64>) {
        match &mut self.hollow {
            Some((None, before)) if before.end == clocks.start => {
                before.end = clocks.end;
                self.end = clocks.end;
            }
            _ => self.put_hollow(None, clocks),
        }
    }

    /// An item whose content is gone.
    pub(crate) fn put_deleted(&mut self, links: Links<'a>, clocks: Range<u64>) {
        let client = self.client;
        match &mut self.hollow {
            Some((Some(first), before))
                if before.end == clocks.start
                    && first.right == links.right
                    && links.origin == Some(Id { client, clock: clocks.start - 1 }) =>
            {
                before.end = clocks.end;
                self.end = clocks.end;
            }
            _ => self.put_hollow(Some(links), clocks),
        }
    }

    /// An item with its content.
    pub(crate) fn put(
        &mut self,
        links: &Links<'a>,
        kind: Kind,
        clocks: Range<u64>,
    ) -> &mut Vec<u8> {
        self.begin(&clocks);
        links.put(&mut self.bytes, kind);
        &mut self.bytes
    }

    fn put_hollow(&mut self, links: Option<Links<'a>>, clocks: Range<u64>) {
        self.begin(&clocks);
        self.hollow = Some((links, clocks));
    }

    /// Writes what waited, then the gap before these units. The first struct is never a gap: Yjs 13
    /// would keep the whole client back.
    fn begin(&mut self, clocks: &Range<u64>) {
        step();
        self.write_hollow();
        if self.structs == 0 {
            self.start = clocks.start;
        } else if self.end < clocks.start {
            put_hollow(&mut self.bytes, SKIP, clocks.start - self.end);
            self.structs += 1;
        }
        self.structs += 1;
        self.end = clocks.end;
    }

    fn write_hollow(&mut self) {
        let Some((links, clocks)) = self.hollow.take() else { return };
        let length = clocks.end - clocks.start;
        match links {
            None => put_hollow(&mut self.bytes, GARBAGE, length),
            Some(links) => {
                links.put(&mut self.bytes, Kind::Deleted);
                put_uint(&mut self.bytes, length);
            }
        }
    }

    /// Appends the block, and says whether there is one.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>) -> bool {
        self.write_hollow();
        if self.structs == 0 {
            return false;
        }
        for number in [self.structs, self.client, self.start] {
            put_uint(out, number);
        }
        out.append(&mut self.bytes);
        true
    }
}
