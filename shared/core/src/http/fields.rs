//! The values of header fields, read as RFC 9110 and RFC 6265 say.
//!
//! A repeated field arrives joined with `, ` (RFC 9110, section 5.3), `Cookie` with `; ` (RFC 9113,
//! section 8.2.3).

/// Longest id in a header, in bytes.
pub(crate) const MAX_ID_BYTES: usize = 255;

/// Whether an id is 1 to 255 visible ASCII characters. Each platform reads all other bytes as one
/// replacement character, and a repeated field has a space: two ids could become one.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The elements of a list (RFC 9110, section 5.6.1), without the empty ones. A comma within a
/// quoted string does not separate.
pub fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(unquoted(',', true)).map(trim).filter(|element| !element.is_empty())
}

/// The value before the parameters, and the parameters (section 5.6.6): `None` for a parameter that
/// is not `name=value`. Names are in any case, values without their quotes.
pub(crate) fn parameters(value: &str) -> (&str, impl Iterator<Item = Option<(&str, String)>>) {
    let mut parts = value.split(unquoted(';', true)).map(trim);
    let first = parts.next().unwrap_or_default();
    (
        first,
        parts.filter(|part| !part.is_empty()).map(|part| {
            part.split_once('=').and_then(|(name, value)| Some((token(name)?, unquote(value)?)))
        }),
    )
}

/// The tags of `If-Match` and `If-None-Match` (section 8.8.3): whether each is weak, and its text
/// in its quotes. Malformed tags are skipped.
pub(crate) fn entity_tags(value: &str) -> impl Iterator<Item = (bool, &str)> {
    // A tag has no escapes: its backslash is an ordinary character.
    value.split(unquoted(',', false)).map(trim).filter_map(|element| {
        let (is_weak, tag) = element.strip_prefix("W/").map_or((false, element), |tag| (true, tag));
        let text = tag.strip_prefix('"')?.strip_suffix('"')?;
        (!text.contains('"')).then_some((is_weak, tag))
    })
}

/// Whether `If-Match` or `If-None-Match` is exactly `*`.
pub(crate) fn is_any(value: &str) -> bool {
    trim(value) == "*"
}

/// The weight that `Accept` gives a media range by its exact name (sections 12.4.2 and 12.5.1);
/// `None` if `Accept` does not name it. A malformed weight counts as 1.
pub(crate) fn named(accept: &str, range: &str) -> Option<f32> {
    let weight = |element| {
        let (kind, mut parameters) = parameters(element);
        if !kind.eq_ignore_ascii_case(range) {
            return None;
        }
        let weight = parameters
            .find_map(|parameter| parameter.filter(|(name, _)| name.eq_ignore_ascii_case("q")));
        Some(
            weight
                .and_then(|(_, value)| value.parse().ok())
                .filter(|weight| (0.0..=1.0).contains(weight))
                .unwrap_or(1.0),
        )
    };
    list(accept).filter_map(weight).reduce(f32::max)
}

/// The weight that `Accept` gives a media type, by the most specific matching range; 0 if none
/// matches.
pub(crate) fn weight(accept: &str, media: &str) -> f32 {
    let kind = media.split('/').next().unwrap_or_default();
    [media, &format!("{kind}/*"), "*/*"]
        .iter()
        .find_map(|range| named(accept, range))
        .unwrap_or(0.0)
}

/// The pairs of `Cookie` (RFC 6265, section 4.2.1), values without their quotes. Only `;` separates
/// them.
pub fn cookies(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split(';').filter_map(|pair| pair.split_once('=')).map(|(name, value)| {
        let value = trim(value);
        (
            trim(name),
            value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value),
        )
    })
}

/// A number of decimal digits only, without sign, point or exponent.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// A token (section 5.6.2).
pub(crate) fn token(text: &str) -> Option<&str> {
    let is_token = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    is_token.then_some(text)
}

/// A token, or the content of a quoted string (section 5.6.4).
fn unquote(text: &str) -> Option<String> {
    let Some(inner) = text.strip_prefix('"') else { return token(text).map(Into::into) };
    let inner = inner.strip_suffix('"')?;
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => out.push(characters.next()?),
            _ => out.push(character),
        }
    }
    Some(out)
}

/// Finds a separator outside of quotes.
fn unquoted(separator: char, has_escapes: bool) -> impl FnMut(char) -> bool {
    let (mut is_quoted, mut is_escaped) = (false, false);
    move |character| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted && has_escapes => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => return character == separator && !is_quoted,
        }
        false
    }
}

/// Trims optional white space.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_visible_ascii() {
        for good in ["a", "~", "p:1,2;x=\"y\"", &"x".repeat(255)] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "a b", "a, b", "\t", "Zo\u{fffd}", "Zoë", "a\u{7f}", &"x".repeat(256)] {
            assert!(!is_id(bad), "{bad:?}");
        }
    }

    #[test]
    fn lists() {
        for (value, elements) in [
            ("", vec![]),
            (" , ,", vec![]),
            ("a", vec!["a"]),
            ("a,b ,\tc", vec!["a", "b", "c"]),
            (r#""a,b", c;d="e,\",f", g"#, vec![r#""a,b""#, r#"c;d="e,\",f""#, "g"]),
            (r#"a;b="c, d"#, vec![r#"a;b="c, d"#]),
        ] {
            assert_eq!(list(value).collect::<Vec<_>>(), elements, "{value}");
        }
    }

    #[test]
    fn parameters_of_a_value() {
        let read = |value| {
            let (first, parameters) = parameters(value);
            (
                first,
                parameters
                    .map(|pair| {
                        pair.map_or_else(|| "?".into(), |(name, value)| format!("{name}:{value}"))
                    })
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(read("a/b"), ("a/b", vec![]));
        assert_eq!(
            read(r#"a/b ; c=d;;E="f;\"g""#),
            ("a/b", vec!["c:d".to_owned(), "E:f;\"g".into()])
        );
        assert_eq!(
            read(r#"a/b;c;d = e;f="g;h=ü;=i"#),
            ("a/b", vec!["?".to_owned(), "?".into(), "?".into()])
        );
    }

    #[test]
    fn tags_of_if_match_and_if_none_match() {
        for (value, tags) in [
            ("", vec![]),
            (r#""a""#, vec![(false, r#""a""#)]),
            (r#"W/"a" , "b""#, vec![(true, r#""a""#), (false, r#""b""#)]),
            (r#""a,*,b""#, vec![(false, r#""a,*,b""#)]),
            (r#""a\","b""#, vec![(false, r#""a\""#), (false, r#""b""#)]),
            (r#"a, *, w/"c", "d"e", "f"#, vec![]),
            (r#""""#, vec![(false, r#""""#)]),
        ] {
            assert_eq!(entity_tags(value).collect::<Vec<_>>(), tags, "{value}");
        }
        assert!(
            is_any("*")
                && is_any(" * ")
                && !is_any(r#""*""#)
                && !is_any(r#""a", *"#)
                && !is_any("")
        );
    }

    #[test]
    fn weights_of_accept() {
        for (accept, plain, json) in [
            ("", 0.0, 0.0),
            ("*/*", 1.0, 1.0),
            ("text/*;q=0.5, */*;q=0.1", 0.5, 0.1),
            ("text/plain;q=0, text/*", 0.0, 0.0),
            ("application/json, text/plain, */*", 1.0, 1.0),
            ("TEXT/plain ;version=0.0.4; Q=0.3,*/*;q=0.2", 0.3, 0.2),
            (r#"a/b;x="text/plain, application/json""#, 0.0, 0.0),
            ("text/plain;q=2, application/json;q=NaN", 1.0, 1.0),
            ("text/plain;q=0.1, text/plain;q=0.7", 0.7, 0.0),
        ] {
            assert_eq!(
                (weight(accept, "text/plain"), weight(accept, "application/json")),
                (plain, json),
                "{accept}"
            );
        }
        assert_eq!(
            (named("text/*, */*", "text/plain"), named("text/plain;q=0", "text/plain")),
            (None, Some(0.0))
        );
    }

    #[test]
    fn pairs_of_cookies() {
        for (value, pairs) in [
            ("", vec![]),
            ("a=b", vec![("a", "b")]),
            ("a=b; c=\"d\";e = f=g ;h", vec![("a", "b"), ("c", "d"), ("e", "f=g")]),
            ("name=x, ticket=y; z=1", vec![("name", "x, ticket=y"), ("z", "1")]),
            ("a=\"b; c=d\"", vec![("a", "\"b"), ("c", "d\"")]),
        ] {
            assert_eq!(cookies(value).collect::<Vec<_>>(), pairs, "{value}");
        }
    }

    #[test]
    fn numbers_are_digits() {
        assert_eq!((digits("0"), digits("18446744073709551615")), (Some(0), Some(u64::MAX)));
        for bad in ["", "-1", "+1", "1e3", "1, 1", " 1", "18446744073709551616"] {
            assert_eq!(digits(bad), None, "{bad:?}");
        }
    }
}
