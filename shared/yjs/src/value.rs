//! The values of lib0 (`writeAny` of `encoding.js`), which arrays and maps hold.

use crate::error::{ErrorKind, Result};
use crate::reader::Reader;

/// The tag of an object.
pub(crate) const OBJECT: u8 = 118;

/// Reads past one value, which may nest this deep. No recursion.
pub(crate) fn skip_value(reader: &mut Reader<'_>, depth: usize) -> Result<()> {
    // Of each array and object around this place: how many values are left, and whether it is an
    // object, in which a key comes before each.
    let mut open: Vec<(u64, bool)> = Vec::new();
    loop {
        let start = *reader;
        match reader.byte()? {
            // undefined, null, false, true
            127 | 126 | 121 | 120 => {}
            125 => reader.skip_int()?,
            // A number of 4 bytes, one of 8, and a BigInt.
            124 => drop(reader.take(4)?),
            123 | 122 => drop(reader.take(8)?),
            119 => drop(reader.text()?),
            116 => drop(reader.buffer()?),
            tag @ (OBJECT | 117) => {
                let count = reader.count()?;
                if open.len() >= depth {
                    return Err(start.error(ErrorKind::Depth));
                }
                open.push((count, tag == OBJECT));
            }
            tag => return Err(start.error(ErrorKind::UnknownValue(tag))),
        }
        loop {
            match open.last_mut() {
                None => return Ok(()),
                Some((0, _)) => drop(open.pop()),
                Some((left, is_object)) => {
                    *left -= 1;
                    if *is_object {
                        reader.text()?;
                    }
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn read(bytes: &[u8]) -> Result<usize> {
        let mut reader = Reader::new(bytes);
        skip_value(&mut reader, 64).map(|()| reader.at())
    }

    #[test]
    fn reads_past_each_kind_of_value() {
        for bytes in [
            &[127][..],
            &[126],
            &[121],
            &[120],
            &[125, 0xc1, 1],
            &[124, 0, 0, 0, 0],
            &[123, 0, 0, 0, 0, 0, 0, 0, 0],
            &[122, 0, 0, 0, 0, 0, 0, 0, 1],
            &[119, 2, b'h', b'i'],
            &[116, 2, 0xff, 0xff],
            &[117, 0],
            &[118, 0],
            &[117, 2, 117, 1, 126, 120],
            &[118, 2, 1, b'a', 118, 1, 0, 126, 1, b'b', 117, 0],
        ] {
            let mut longer = bytes.to_vec();
            longer.push(0);
            assert_eq!(read(&longer), Ok(bytes.len()), "{bytes:?}");
            for end in 0..bytes.len() {
                assert!(read(&bytes[..end]).is_err(), "{:?}", &bytes[..end]);
            }
        }
        assert_eq!(read(&[115]), Err(Error::new(ErrorKind::UnknownValue(115), 0)));
    }

    #[test]
    fn arrays_in_arrays_end_at_the_limit_without_recursion() {
        let nested = |depth: usize| [[117, 1].repeat(depth), vec![126]].concat();
        assert_eq!(read(&nested(64)), Ok(129));
        assert_eq!(read(&nested(65)), Err(Error::new(ErrorKind::Depth, 128)));
        assert_eq!(read(&nested(500_000)), Err(Error::new(ErrorKind::Depth, 128)));
    }
}
