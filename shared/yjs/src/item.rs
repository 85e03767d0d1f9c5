//! The structs of an update: items, collected garbage, and gaps (`structs/` of Yjs 13).

use std::ops::Range;

use crate::content::Kind;
use crate::error::{ErrorKind, Result};
use crate::id::Id;
use crate::limits::Limits;
use crate::reader::Reader;
use crate::writer::put_uint;

/// First byte of garbage that Yjs has collected: nothing is known but its length.
pub(crate) const GARBAGE: u8 = 0;
/// First byte of a gap: units that the update does not hold.
pub(crate) const SKIP: u8 = 10;

const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT: u8 = 0x40;
const HAS_KEY: u8 = 0x20;

/// An item or garbage, as it stands in an update.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Struct<'a> {
    pub(crate) clock: u64,
    /// In units, never 0.
    pub(crate) length: u64,
    bytes: &'a [u8],
}

impl<'a> Struct<'a> {
    /// Reads one struct, which begins at this unit. The flag says that it is a gap.
    pub(crate) fn read(reader: &mut Reader<'a>, id: Id, limits: &Limits) -> Result<(Self, bool)> {
        let start = *reader;
        let info = reader.byte()?;
        let length = if info == GARBAGE || info == SKIP {
            reader.length()?
        } else {
            let kind = Kind::of(info).ok_or_else(|| start.error(ErrorKind::UnknownStruct(info)))?;
            let links = Links::read(reader, info)?;
            if links.lead_ahead_of(id) {
                return Err(start.error(ErrorKind::Ahead));
            }
            kind.read(reader, limits.depth)?
        };
        if id.clock + length >= 1 << 53 {
            return Err(start.error(ErrorKind::Number));
        }
        Ok((Self { clock: id.clock, length, bytes: reader.since(&start) }, info == SKIP))
    }

    pub(crate) fn clocks(&self) -> Range<u64> {
        self.clock..self.clock + self.length
    }

    /// The parts of an item: its links, its kind, and a reader at its content. Nothing for garbage.
    pub(crate) fn parts(&self) -> Option<(Links<'a>, Kind, Reader<'a>)> {
        let mut reader = Reader::new(self.bytes);
        let info = reader.byte().ok()?;
        let kind = Kind::of(info)?;
        let links = Links::read(&mut reader, info).ok()?;
        Some((links, kind, reader))
    }
}

/// Where an item stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links<'a> {
    /// The unit to the left when it was made.
    pub(crate) origin: Option<Id>,
    /// The unit to the right when it was made.
    pub(crate) right: Option<Id>,
    /// Whether it may be the value of a key of a map. With an origin the flag may have got lost.
    pub(crate) is_keyed: bool,
    /// Parent and key, as they stand in the update: only without both neighbours.
    parent: &'a [u8],
    parent_id: Option<Id>,
}

impl<'a> Links<'a> {
    fn read(reader: &mut Reader<'a>, info: u8) -> Result<Self> {
        let mut id = |flag| {
            if info & flag == 0 { Ok(None) } else { Id::read(reader).map(Some) }
        };
        let (origin, right) = (id(HAS_ORIGIN)?, id(HAS_RIGHT)?);
        let start = *reader;
        let mut parent_id = None;
        if origin.is_none() && right.is_none() {
            match reader.uint()? {
                0 => parent_id = Some(Id::read(reader)?),
                1 => drop(reader.text()?),
                tag => return Err(start.error(ErrorKind::UnknownParent(tag))),
            }
            if info & HAS_KEY != 0 {
                reader.text()?;
            }
        }
        let parent = reader.since(&start);
        Ok(Self { origin, right, is_keyed: info & HAS_KEY != 0, parent, parent_id })
    }

    /// Whether they name a unit of the same client that cannot be there yet. Yjs would look for it
    /// in vain and refuse the whole update.
    fn lead_ahead_of(&self, id: Id) -> bool {
        [self.origin, self.right, self.parent_id]
            .into_iter()
            .flatten()
            .any(|link| link.client == id.client && link.clock >= id.clock)
    }

    /// Of the part of an item that begins behind its first unit: it stands behind this one.
    pub(crate) fn behind(self, origin: Id) -> Self {
        Self { origin: Some(origin), parent: &[], parent_id: None, ..self }
    }

    /// Appends the beginning of an item of this kind.
    pub(crate) fn put(&self, out: &mut Vec<u8>, kind: Kind) {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        out.push(
            kind as u8
                | flag(self.origin.is_some(), HAS_ORIGIN)
                | flag(self.right.is_some(), HAS_RIGHT)
                | flag(self.is_keyed, HAS_KEY),
        );
        for id in [self.origin, self.right].into_iter().flatten() {
            id.put(out);
        }
        out.extend_from_slice(self.parent);
    }
}

/// Appends garbage or a gap.
pub(crate) fn put_hollow(out: &mut Vec<u8>, info: u8, length: u64) {
    out.push(info);
    put_uint(out, length);
}
