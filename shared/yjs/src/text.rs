//! Text in the units of Yjs, which are the units of UTF-16. A character beyond U+FFFF has two.

use crate::steps::step;

/// How many units a text has.
pub(crate) fn units(text: &str) -> u64 {
    text.chars().map(|character| character.len_utf16() as u64).sum()
}

/// The longest beginning that has at most so many units: its bytes and its units. It ends before a
/// character whose second unit would be too many.
pub(crate) fn beginning(text: &str, most: u64) -> (usize, u64) {
    let (mut bytes, mut units) = (0, 0);
    for character in text.chars() {
        step();
        let next = units + character.len_utf16() as u64;
        if next > most {
            break;
        }
        bytes += character.len_utf8();
        units = next;
    }
    (bytes, units)
}

/// The rest after so many units, and whether it begins in the middle of a character, which the rest
/// then has as a whole.
pub(crate) fn after(text: &str, passed: u64) -> (&str, bool) {
    let (bytes, units) = beginning(text, passed);
    (text.get(bytes..).unwrap_or_default(), units < passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_as_javascript_does() {
        assert_eq!(units("aé€😀"), 5);
        assert_eq!(beginning("a😀b", 2), (1, 1));
        assert_eq!(beginning("a😀b", 3), (5, 3));
        assert_eq!(after("a😀b", 1), ("😀b", false));
        assert_eq!(after("a😀b", 2), ("😀b", true));
        assert_eq!(after("a😀b", 3), ("b", false));
    }
}
