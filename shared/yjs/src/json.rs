//! Whether a text is JSON that `JSON.parse` accepts (RFC 8259).
//!
//! Yjs parses some contents when it reads an update: one text that is not JSON would make the whole
//! update unreadable for every client. No recursion, no value is built.

/// Whether this is one JSON value that nests at most this deep.
pub(crate) fn is_json(text: &str, depth: usize) -> bool {
    Parser { rest: text.as_bytes(), open: Vec::new(), depth }.document().is_some()
}

struct Parser<'a> {
    rest: &'a [u8],
    /// What closes the arrays and objects around this place.
    open: Vec<u8>,
    depth: usize,
}

impl Parser<'_> {
    fn document(&mut self) -> Option<()> {
        loop {
            self.blanks();
            match self.next()? {
                b'[' if self.opens(b']')? => continue,
                b'{' if self.opens(b'}')? => {
                    self.key()?;
                    continue;
                }
                b'[' | b'{' => {}
                b'"' => self.string()?,
                b't' => self.literal(b"rue")?,
                b'f' => self.literal(b"alse")?,
                b'n' => self.literal(b"ull")?,
                first => self.number(first)?,
            }
            if self.ends_after_value()? {
                return Some(());
            }
        }
    }

    /// Reads on to the next value, or to the end of the text: true.
    fn ends_after_value(&mut self) -> Option<bool> {
        loop {
            self.blanks();
            let Some(&close) = self.open.last() else {
                return self.rest.is_empty().then_some(true);
            };
            match self.next()? {
                b',' if close == b']' => return Some(false),
                b',' => {
                    self.blanks();
                    self.key()?;
                    return Some(false);
                }
                byte if byte == close => self.open.pop(),
                _ => return None,
            };
        }
    }

    /// Whether values follow in this array or object.
    fn opens(&mut self, close: u8) -> Option<bool> {
        self.blanks();
        if self.open.len() == self.depth {
            return None;
        }
        if self.rest.first() == Some(&close) {
            self.next();
            return Some(false);
        }
        self.open.push(close);
        Some(true)
    }

    fn key(&mut self) -> Option<()> {
        (self.next()? == b'"').then_some(())?;
        self.string()?;
        self.blanks();
        (self.next()? == b':').then_some(())
    }

    fn string(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'u' => {
                        for _ in 0..4 {
                            self.next()?.is_ascii_hexdigit().then_some(())?;
                        }
                    }
                    escaped => b"\"\\/bfnrt".contains(&escaped).then_some(())?,
                },
                byte => (byte >= 0x20).then_some(())?,
            }
        }
    }

    fn number(&mut self, first: u8) -> Option<()> {
        let first = if first == b'-' { self.next()? } else { first };
        match first {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.takes(b".") {
            self.next()?.is_ascii_digit().then_some(())?;
            self.digits();
        }
        if self.takes(b"eE") {
            self.takes(b"+-");
            self.next()?.is_ascii_digit().then_some(())?;
            self.digits();
        }
        Some(())
    }

    fn digits(&mut self) {
        while self.takes(b"0123456789") {}
    }

    fn literal(&mut self, rest: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(rest)?;
        Some(())
    }

    fn blanks(&mut self) {
        while self.takes(b" \t\r\n") {}
    }

    fn takes(&mut self, bytes: &[u8]) -> bool {
        let is_next = self.rest.first().is_some_and(|byte| bytes.contains(byte));
        if is_next {
            self.next();
        }
        is_next
    }

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accepts_json() {
        for text in [
            "null",
            " true ",
            "false",
            "0",
            "-0.5e+10",
            "1E9",
            r#""a\"\\\/\b\f\n\r\t\u00e9\ud800""#,
            "[]",
            "{}",
            r#"[1,[2,{"a":[]}],"x"]"#,
            r#"{"a":{"b":null}, "c" : [ ] }"#,
            "\"é😀\"",
        ] {
            assert!(is_json(text, 64), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "",
            " ",
            "undefined",
            "NaN",
            "nul",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "[",
            "[1",
            "[1,]",
            "[,1]",
            "{",
            "{a:1}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            "[1}",
            r#"{"a":1]"#,
            "1 2",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "'a'",
            "\u{feff}1",
            "]",
            "[]]",
            "{}}",
            "[1 2]",
        ] {
            assert!(!is_json(text, 64), "{text}");
        }
    }

    #[test]
    fn nests_as_deep_as_is_allowed() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_json(&nested(64), 64));
        assert!(!is_json(&nested(65), 64));
        assert!(!is_json(&"[".repeat(1_000_000), 64));
        assert!(!is_json("[]", 0));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(text in r#"[\[\]{}",:0-9a\\eEu.+\- tfn]{0,12}"#) {
            // It refuses numbers and halves of pairs that it cannot hold; `JSON.parse` does not.
            prop_assume!(!text.contains(['e', 'E', 'u']));
            let expected = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(is_json(&text, 64), expected, "{}", text);
        }
    }
}
