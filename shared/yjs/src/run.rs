//! Items that become one item: a word typed letter by letter, a list pushed value by value.

use crate::block::Block;
use crate::content::Kind;
use crate::id::Id;
use crate::item::Links;
use crate::writer::{put_uint, uint_len};

/// Contents of one kind, each behind the last, and which stretches of them are deleted.
pub(crate) struct Run<'a> {
    links: Links<'a>,
    kind: Kind,
    clock: u64,
    end: u64,
    /// The contents without their counts.
    bytes: Vec<u8>,
    stretches: Vec<Stretch>,
}

struct Stretch {
    units: u64,
    bytes: usize,
    is_deleted: bool,
}

impl<'a> Run<'a> {
    pub(crate) fn new(links: Links<'a>, kind: Kind, clock: u64) -> Self {
        Self { links, kind, clock, end: clock, bytes: Vec::new(), stretches: Vec::new() }
    }

    /// Whether the client of an item inserted it right behind this run, so that both are equal to
    /// one item.
    ///
    /// The values of a key of a map follow each other in the same way, and the flag for them may
    /// have got lost. Deletions tell them from a list: of one key all values but the last are
    /// deleted.
    pub(crate) fn continues(
        &self,
        client: u64,
        links: &Links<'a>,
        kind: Kind,
        clock: u64,
        is_deleted: bool,
    ) -> bool {
        self.kind == kind
            && self.end == clock
            && links.origin == Some(Id { client, clock: clock.wrapping_sub(1) })
            && links.right == self.links.right
            && !links.is_keyed
            && !self.links.is_keyed
            && (kind == Kind::String
                || self.stretches.last().is_some_and(|last| last.is_deleted == is_deleted))
    }

    pub(crate) fn push(&mut self, units: u64, bytes: &[u8], is_deleted: bool) {
        self.end += units;
        self.bytes.extend_from_slice(bytes);
        match self.stretches.last_mut() {
            Some(last) if last.is_deleted == is_deleted => {
                last.units += units;
                last.bytes += bytes.len();
            }
            _ => self.stretches.push(Stretch { units, bytes: bytes.len(), is_deleted }),
        }
    }

    /// Writes it, with or without the deleted contents whose removal saves bytes.
    pub(crate) fn write(&self, block: &mut Block<'a>, blanks: bool) {
        let mut rest = self.bytes.as_slice();
        let mut at = self.clock;
        // The part that is kept and not yet written.
        let (mut units, mut bytes) = (0, 0);
        for (index, stretch) in self.stretches.iter().enumerate() {
            if blanks && stretch.is_deleted && self.saves(block.client(), index, stretch) {
                rest = self.put(block, at, units, bytes, rest);
                at += units;
                let links = self.links_at(block.client(), at);
                block.put_deleted(links, at..at + stretch.units);
                at += stretch.units;
                rest = rest.get(stretch.bytes..).unwrap_or_default();
                (units, bytes) = (0, 0);
            } else {
                units += stretch.units;
                bytes += stretch.bytes;
            }
        }
        self.put(block, at, units, bytes, rest);
    }

    /// Writes so many units as one item, and returns what is left.
    fn put<'b>(
        &self,
        block: &mut Block<'a>,
        at: u64,
        units: u64,
        bytes: usize,
        rest: &'b [u8],
    ) -> &'b [u8] {
        let (content, rest) = rest.split_at_checked(bytes).unwrap_or((rest, &[]));
        if units > 0 {
            let links = self.links_at(block.client(), at);
            let out = block.put(&links, self.kind, at..at + units);
            put_uint(out, if self.kind == Kind::String { content.len() as u64 } else { units });
            out.extend_from_slice(content);
        }
        rest
    }

    /// Whether it saves bytes to leave a stretch out: the contents behind the stretch then need
    /// links of their own, and so does the stretch itself.
    fn saves(&self, client: u64, index: usize, stretch: &Stretch) -> bool {
        let before = usize::from(index > 0);
        let behind = usize::from(index + 1 < self.stretches.len());
        let right = self.links.right.map_or(0, Id::encoded_len);
        let links = 2 + Id { client, clock: self.end }.encoded_len() + right;
        stretch.bytes + 1 > uint_len(stretch.units) + (before + behind) * links
    }

    fn links_at(&self, client: u64, at: u64) -> Links<'a> {
        if at == self.clock { self.links } else { self.links.behind(Id { client, clock: at - 1 }) }
    }
}
