//! The text of a message: the JSON that a service worker shows.
//!
//! Where the page is known, it has the form of Declarative Web Push, which Safari shows without
//! waking the service worker.

use serde::Serialize;

use crate::plan::Next;

/// Longest text in bytes, so that it fits the smallest messages (Firefox on Android).
const MAX_BYTES: usize = 2_600;

/// Longest body of a notice in characters, and after a service found the message too large.
const MAX_BODY_CHARS: usize = 500;
const SHORT_TITLE_CHARS: usize = 60;

/// The text, as JSON.
#[derive(Serialize)]
struct Text<'a> {
    /// The number that makes it declarative.
    #[serde(skip_serializing_if = "Option::is_none")]
    web_push: Option<u16>,
    notification: Shown<'a>,
    tidewire: Ours<'a>,
}

#[derive(Serialize)]
struct Shown<'a> {
    title: &'a str,
    body: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    navigate: Option<&'a str>,
}

#[derive(Serialize)]
struct Ours<'a> {
    id: &'a str,
    offset: &'a str,
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

/// Writes the text; a short one has only the beginning of the title.
pub(crate) fn text(next: &Next, page: Option<&str>, offset: &str, is_short: bool) -> String {
    let notice = &next.notice;
    let title = if is_short { cut(&notice.title, SHORT_TITLE_CHARS) } else { notice.title.clone() };
    let url = notice.url.as_deref().filter(|_| !is_short);
    let navigate = page.and_then(|page| navigate(page, url)).filter(|_| !is_short);
    let mut chars = if is_short { 0 } else { MAX_BODY_CHARS };
    loop {
        let text = Text {
            web_push: navigate.as_ref().map(|_| 8030),
            notification: Shown {
                title: &title,
                body: body(&cut(&notice.body, chars), next.more),
                navigate: navigate.as_deref(),
            },
            tidewire: Ours { id: &notice.id, offset, at: notice.at_ms, url },
        };
        // A struct of texts and numbers: serializing it cannot fail.
        let text = serde_json::to_string(&text).unwrap_or_default();
        if text.len() <= MAX_BYTES || is_short {
            return text;
        }
        // Title and address alone are too long.
        if chars == 0 {
            return self::text(next, page, offset, true);
        }
        chars /= 2;
    }
}

fn body(body: &str, more: usize) -> String {
    match (body, more) {
        (body, 0) => body.into(),
        ("", more) => format!("and {more} more"),
        (body, more) => format!("{body}\nand {more} more"),
    }
}

/// The absolute address of a click.
fn navigate(page: &str, url: Option<&str>) -> Option<String> {
    match url {
        None => Some(page.into()),
        Some(url) if !url.starts_with('/') => Some(url.into()),
        Some(path) => {
            let (scheme, rest) = page.split_once("://")?;
            let host = rest.split('/').next()?;
            Some(format!("{scheme}://{host}{path}"))
        }
    }
}

/// The first characters of a text, with an ellipsis in place of the rest.
fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.into();
    }
    let mut cut: String = text.chars().take(chars.saturating_sub(1)).collect();
    if chars > 0 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::message::Urgency;
    use crate::notice::Notice;

    fn next(body: &str, url: Option<&str>, more: usize) -> Next {
        let notice = Notice {
            id: "order-17".into(),
            title: "Your order".into(),
            body: body.into(),
            url: url.map(Into::into),
            at_ms: 7,
            urgency: Urgency::Normal,
        };
        Next { seq: 2, at_ms: 1, notice, more, is_last: true }
    }

    fn made(next: &Next, page: Option<&str>, is_short: bool) -> Value {
        serde_json::from_str(&text(next, page, "o", is_short)).unwrap()
    }

    #[test]
    fn it_says_what_to_show_and_where_a_click_leads() {
        let page = Some("https://app.example/bell/");
        assert_eq!(
            made(&next("Sent", Some("/orders/17"), 0), page, false),
            json!({
                "web_push": 8030,
                "notification": {"title": "Your order", "body": "Sent", "navigate": "https://app.example/orders/17"},
                "tidewire": {"id": "order-17", "offset": "o", "at": 7, "url": "/orders/17"},
            })
        );
        let navigate =
            |url| made(&next("", url, 0), page, false)["notification"]["navigate"].clone();
        assert_eq!(navigate(None), "https://app.example/bell/");
        assert_eq!(navigate(Some("https://b.example/")), "https://b.example/");
        // Without a page it is not declarative.
        assert_eq!(made(&next("", Some("/a"), 0), None, false)["web_push"], Value::Null);
    }

    #[test]
    fn it_counts_what_it_stands_for() {
        let body = |text| made(&next(text, None, 9), None, false)["notification"]["body"].clone();
        assert_eq!((body(""), body("Sent")), ("and 9 more".into(), "Sent\nand 9 more".into()));
    }

    #[test]
    fn a_long_body_is_cut_by_characters_and_a_short_text_has_none() {
        for body in ["a".repeat(2_000), "💧".repeat(2_000), "\u{1}".repeat(2_000)] {
            let long = text(&next(&body, Some("/a"), 0), Some("https://a.example/"), "o", false);
            assert!(long.len() <= MAX_BYTES, "{}", long.len());
            let shown: Value = serde_json::from_str(&long).unwrap();
            assert!(shown["notification"]["body"].as_str().unwrap().ends_with('…'));
            let short = text(&next(&body, Some("/a"), 0), Some("https://a.example/"), "o", true);
            assert!(short.len() < 200, "{short}");
        }
        let url = format!("/{}", "a".repeat(2_000));
        let long = text(&next("Sent", Some(&url), 0), Some("https://a.example/"), "o", false);
        assert!(long.len() < 200, "an address that is too long is left out: {long}");
    }
}
