//! How a push service reaches the operator (RFC 8292, section 2.1).

use crate::error::{Error, Result};

/// Name of the setting.
const SETTING: &str = "VAPID_SUBJECT";

/// Checks the setting `VAPID_SUBJECT`: `mailto:` with an address, or a URL with `https:`.
///
/// The standard makes it optional. Apple demands an address that looks reachable, and answers every
/// message with 403 `BadJwtToken` without a reason, so the setting is checked when it is read.
pub(crate) fn check(subject: &str) -> Result<()> {
    let wrong = |why: &str| {
        Err(Error::Setting {
            name: SETTING,
            why: format!(
                "{why}: set your address, as `mailto:admin@example.com` or `https://example.com/contact`"
            ),
        })
    };
    if subject.is_empty() {
        return wrong("is not set, and VAPID_KEYS is");
    }
    if !subject.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\".contains(&byte)) {
        return wrong("must have no blanks, quotes and brackets");
    }
    let end = |text: &str| text.split(['/', '?', '#', ':']).next().unwrap_or_default().to_owned();
    let host = match (subject.strip_prefix("mailto:"), subject.strip_prefix("https://")) {
        (Some(address), _) => match address.split_once('@') {
            Some((name, host)) if !name.is_empty() => end(host),
            _ => return wrong("is not an address of e-mail"),
        },
        (_, Some(url)) => end(url),
        _ => return wrong("must begin with `mailto:` or `https://`"),
    };
    let host = host.to_ascii_lowercase();
    let is_public = host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
        && ![".localhost", ".local", ".invalid"].iter().any(|end| host.ends_with(end));
    if is_public { Ok(()) } else { wrong("must have a host that the public can reach") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_that_apple_refuses_is_refused_first() {
        for right in [
            "mailto:admin@example.com",
            "mailto:a+b@mail.example.co.uk",
            "https://example.com",
            "https://example.com/contact?a=b",
            "https://example.com:8443/",
        ] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in [
            "",
            "admin@example.com",
            "mailto:",
            "mailto:admin",
            "mailto:@example.com",
            "mailto: admin@example.com",
            "mailto:<admin@example.com>",
            "mailto:Admin <admin@example.com>",
            "mailto:admin@localhost",
            "mailto:admin@mail.local",
            "mailto:admin@example.invalid",
            "mailto:admin@app.localhost",
            "mailto:admin@example",
            "mailto:admin@example.com.",
            "http://example.com",
            "HTTPS://example.com",
            "https://localhost:3000",
            "https://printer.LOCAL/",
            "https:///example.com",
            "https://.com",
            "https://example.com/\"",
            "tel:+1",
        ] {
            let error = check(wrong).unwrap_err().to_string();
            assert!(
                error.starts_with("VAPID_SUBJECT ") && error.contains("mailto:admin@"),
                "{error}"
            );
        }
    }
}
