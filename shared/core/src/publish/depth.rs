//! How deep JSON is nested.

use crate::error::{Error, ErrorKind, Result};

/// Refuses JSON that is nested deeper than `most`, before any recursive parser reads it: our
/// readers' parsers may be recursive.
///
/// A scan, without recursion. The text must be JSON.
///
/// # Errors
///
/// [`ErrorKind::JsonTooDeep`].
pub(crate) fn check(json: &[u8], most: u64) -> Result<()> {
    let (mut depth, mut is_in_string, mut is_escaped) = (0_u64, false, false);
    for &byte in json {
        if is_in_string {
            is_in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => is_in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return Err(Error::new(
                ErrorKind::JsonTooDeep,
                format!("JSON must be nested at most {most} levels deep"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(json: &str, most: u64) -> bool {
        serde_json::from_str::<serde_json::Value>(json).unwrap();
        check(json.as_bytes(), most).is_ok()
    }

    #[test]
    fn counts_arrays_and_objects_alike() {
        assert!(passes("1", 1) && passes("[]", 1) && passes(r#"[{"a":[]},[[]]]"#, 3));
        assert!(!passes("[[]]", 1) && !passes(r#"{"a":{"b":{}}}"#, 2));
    }

    #[test]
    fn looks_over_brackets_in_text() {
        assert!(passes(r#"["[[[[", "\"[[", "\\", "]"]"#, 1));
        assert!(!passes(r#"["\\", [[]]]"#, 2));
    }

    #[test]
    fn takes_any_depth_without_growing_the_stack() {
        assert!(check("[".repeat(10_000_000).as_bytes(), 64).is_err());
    }
}
