//! When a service wants the next request (RFC 9110, section 10.2.3).

use std::time::UNIX_EPOCH;

/// Reads `Retry-After`, seconds or a date, as milliseconds from now. `None` for anything else; 0 for
/// a date that has passed.
pub(crate) fn retry_after_ms(value: &str, now_ms: u64) -> Option<u64> {
    let value = value.trim_matches([' ', '\t']);
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time.
        return Some(value.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(u64::try_from(date.as_millis()).ok()?.saturating_sub(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, less a minute.
    const NOW_MS: u64 = 784_111_717_000;

    #[test]
    fn it_is_seconds_or_one_of_three_forms_of_a_date() {
        for (value, expected) in [
            ("120", Some(120_000)),
            (" 0\t", Some(0)),
            ("007", Some(7_000)),
            ("99999999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(60_000)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(60_000)),
            ("Sun Nov  6 08:49:37 1994", Some(60_000)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("", None),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("5s", None),
            ("soon", None),
            ("1, 2", None),
            ("Sun, 06 Nov 1994", None),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("1994-11-06T08:49:37Z", None),
        ] {
            assert_eq!(retry_after_ms(value, NOW_MS), expected, "{value:?}");
        }
    }
}
