//! Preconditions: a change that is carried out only if the channel is as the client knows it.

use serde::{Deserialize, Serialize};

use crate::channel::{Channel, etag};
use crate::error::{Error, ErrorKind, Result};
use crate::http::RequestHead;
use crate::http::fields::{entity_tags, is_any};

/// `If-Match` and `If-None-Match` of a change (RFC 9110, section 13.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl Precondition {
    /// Reads the fields of a request that changes a channel.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSupported`] for `If-Unmodified-Since` without another guard: a channel does
    /// not store the time of its last change.
    pub(crate) fn parse(head: &RequestHead<'_>) -> Result<Precondition> {
        let [if_match, if_none_match] = ["if-match", "if-none-match"].map(|name| head.header(name));
        if if_match.is_none() && head.header("if-unmodified-since").is_some() {
            return Err(Error::new(
                ErrorKind::NotSupported,
                "If-Unmodified-Since is not supported: send the ETag of a page as If-Match",
            ));
        }
        Ok(Precondition { if_match, if_none_match })
    }

    /// Refuses the fields at an address that has no ETag.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSupported`].
    pub(crate) fn refuse(head: &RequestHead<'_>) -> Result<()> {
        match ["if-match", "if-none-match", "if-unmodified-since"]
            .iter()
            .find(|name| head.header(name).is_some())
        {
            Some(name) => Err(Error::new(
                ErrorKind::NotSupported,
                format!(
                    "{name} is not supported at this address, which has no ETag: send the request without it"
                ),
            )),
            None => Ok(()),
        }
    }

    /// Checks the conditions; `None` stands for a channel that does not exist. `If-Match` compares
    /// strongly, `If-None-Match` weakly.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PreconditionFailed`].
    pub(crate) fn check(&self, channel: Option<&Channel>) -> Result<()> {
        let is_current = |tag: &str| channel.is_some_and(|channel| etag::is_current(tag, channel));
        let matches = |value: &str, weakly: bool| match is_any(value) {
            true => channel.is_some(),
            false => {
                entity_tags(value).any(|(is_weak, tag)| (weakly || !is_weak) && is_current(tag))
            }
        };
        if self.if_match.as_deref().is_some_and(|value| !matches(value, false)) {
            return Err(Error::new(
                ErrorKind::PreconditionFailed,
                "If-Match must be the ETag of a page that ends where the channel ends now; nothing was changed",
            ));
        }
        if self.if_none_match.as_deref().is_some_and(|value| matches(value, true)) {
            return Err(Error::new(
                ErrorKind::PreconditionFailed,
                "the channel exists, and If-None-Match says that it must not; nothing was changed",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ContentType;

    #[test]
    fn a_change_is_made_only_while_the_channel_is_as_it_has_to_be() {
        let open = Channel { first: 3, tail: 7, ..Channel::new(70, ContentType::json()) };
        let closed = Channel { closed: true, revision: 2, ..open.clone() };
        let tail = "000000000046_00000000000007";
        let etag = |suffix: &str| format!("\"000000000046_00000000000004-{tail}{suffix}\"");
        let met = |name: &str, value: &str, channel: Option<&Channel>| {
            let headers = |asked: &str| (asked == name).then(|| value.to_owned());
            let head =
                RequestHead { method: "DELETE", url: "", path: "", query: "", headers: &headers };
            match Precondition::parse(&head).and_then(|only_if| only_if.check(channel)) {
                Ok(()) => true,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
                    false
                }
            }
        };
        for (value, is_met) in [
            (etag(""), true),
            (format!("\"-1-{tail}\""), true),
            (format!("\"nope\", {}", etag("")), true),
            ("*".into(), true),
            (format!("W/{}", etag("")), false),
            (etag("-more"), false),
            (etag("-closed"), false),
            (etag("-r2"), false),
            (format!("\"x-{tail}\""), false),
            (format!("\"{tail}\""), false),
            ("\"nope\"".into(), false),
            ("nope".into(), false),
            (String::new(), false),
        ] {
            assert_eq!(met("if-match", &value, Some(&open)), is_met, "{value}");
            assert!(!met("if-match", &value, None), "{value} without a channel");
            assert!(met("if-none-match", &value, None), "{value} without a channel");
        }
        assert!(
            met("if-match", &etag("-closed-r2"), Some(&closed))
                && !met("if-match", &etag("-closed"), Some(&closed))
        );
        for (value, is_met) in [
            ("*".to_owned(), false),
            (etag(""), false),
            (format!("W/{}", etag("")), false),
            ("\"a,*\"".into(), true),
        ] {
            assert_eq!(met("if-none-match", &value, Some(&open)), is_met, "{value}");
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        let since = |others: &'static [&str]| {
            let headers = move |asked: &str| {
                (asked == "if-unmodified-since" || others.contains(&asked)).then(|| "*".to_owned())
            };
            Precondition::parse(&RequestHead {
                method: "PUT",
                url: "",
                path: "",
                query: "",
                headers: &headers,
            })
            .map_err(|error| error.kind())
        };
        assert_eq!(since(&[]), Err(ErrorKind::NotSupported));
        // RFC 9110, section 13.1.4.
        assert!(since(&["if-match"]).is_ok());
    }
}
