//! Writes what lib0 decodes (`encoding.js` of lib0 0.2).

/// Appends a `varUint`.
pub(crate) fn put_uint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(0x80 | low(number));
        number >>= 7;
    }
    out.push(low(number));
}

/// Appends a `varUint8Array` or, of UTF-8, a `varString`.
pub(crate) fn put_buffer(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Bytes of a `varUint`.
pub(crate) fn uint_len(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

fn low(number: u64) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Reader;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for number in (0..53).flat_map(|bit| [(1 << bit) - 1, 1 << bit]) {
            let mut out = Vec::new();
            put_uint(&mut out, number);
            assert_eq!(out.len(), uint_len(number), "{number}");
            assert_eq!(Reader::new(&out).uint(), Ok(number));
        }
    }
}
