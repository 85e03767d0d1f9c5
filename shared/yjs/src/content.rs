//! The content of an item (`structs/Content*.js` of Yjs 13).

use crate::error::{ErrorKind, Result};
use crate::json::is_json;
use crate::reader::Reader;
use crate::text;
use crate::value::{OBJECT, skip_value};

/// The kind of an item's content: the low five bits of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Deleted = 1,
    /// Values as JSON texts, of old versions.
    Json = 2,
    Binary = 3,
    String = 4,
    Embed = 5,
    Format = 6,
    Type = 7,
    Any = 8,
    Document = 9,
}

impl Kind {
    pub(crate) fn of(info: u8) -> Option<Self> {
        Some(match info & 0x1f {
            1 => Self::Deleted,
            2 => Self::Json,
            3 => Self::Binary,
            4 => Self::String,
            5 => Self::Embed,
            6 => Self::Format,
            7 => Self::Type,
            8 => Self::Any,
            9 => Self::Document,
            _ => return None,
        })
    }

    /// Reads past the content and returns its length in units, which is never 0.
    pub(crate) fn read(self, reader: &mut Reader<'_>, depth: usize) -> Result<u64> {
        let start = *reader;
        match self {
            Self::Deleted => return reader.length(),
            Self::String => {
                return match text::units(reader.text()?) {
                    0 => Err(start.error(ErrorKind::Empty)),
                    units => Ok(units),
                };
            }
            Self::Json | Self::Any => {
                let count = reader.count()?;
                if count == 0 {
                    return Err(start.error(ErrorKind::Empty));
                }
                self.skip_values(reader, count, depth)?;
                return Ok(count);
            }
            Self::Binary => drop(reader.buffer()?),
            Self::Embed => json(reader, depth)?,
            Self::Format => {
                reader.text()?;
                json(reader, depth)?;
            }
            Self::Type => match reader.uint()? {
                // Elements and hooks have a name.
                3 | 5 => drop(reader.text()?),
                0..=6 => {}
                number => return Err(start.error(ErrorKind::UnknownType(number))),
            },
            Self::Document => {
                reader.text()?;
                // Yjs reads members of it, which fails for null and undefined.
                if reader.rest().first().is_some_and(|&tag| tag != OBJECT) {
                    return Err(reader.error(ErrorKind::Options));
                }
                skip_value(reader, depth)?;
            }
        }
        Ok(1)
    }

    /// Reads past so many values of a list; past nothing in contents of another kind.
    pub(crate) fn skip_values(
        self,
        reader: &mut Reader<'_>,
        count: u64,
        depth: usize,
    ) -> Result<()> {
        for _ in 0..count {
            match self {
                Self::Any => skip_value(reader, depth)?,
                Self::Json => {
                    let start = *reader;
                    let text = reader.text()?;
                    if text != "undefined" && !is_json(text, depth) {
                        return Err(start.error(ErrorKind::Json));
                    }
                }
                _ => break,
            }
        }
        Ok(())
    }
}

fn json(reader: &mut Reader<'_>, depth: usize) -> Result<()> {
    let start = *reader;
    if is_json(reader.text()?, depth) { Ok(()) } else { Err(start.error(ErrorKind::Json)) }
}
