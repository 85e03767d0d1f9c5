//! Where a request carries its credential.

use form_urlencoded::parse;
use tidewire_core::fields::cookies;
use tidewire_core::{Error, ErrorKind, RequestHead, Result};

/// Longest credential, in bytes; a longer one gets 401. Tokens of providers have one to four
/// thousand bytes. Checked before anything is decoded.
const MAX_CREDENTIAL_BYTES: usize = 8 * 1024;

/// Query parameter of a ticket.
const TICKET_PARAMETER: &str = "ticket";

/// Cookie of a ticket.
const TICKET_COOKIE: &str = "tidewire-ticket";

/// How the request carries a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// `Authorization: Bearer`.
    Bearer,
    /// The query, which logs and histories keep: tickets only.
    Query,
    /// A cookie, which a browser sends by itself: tickets only, and only for pages of an allowed
    /// origin.
    Cookie,
}

/// The credential of a request, unverified. Not `Debug`: it must not get into a log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) text: String,
    pub(crate) carrier: Carrier,
}

impl Credential {
    /// Finds the credential of a request; `None` without one. `Authorization` of another scheme is
    /// ignored: it is for a proxy in front.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CredentialInvalid`] for a malformed credential and for two different ones,
    /// [`ErrorKind::ParameterRepeated`].
    pub(crate) fn find(head: &RequestHead<'_>) -> Result<Option<Credential>> {
        let mut found: Option<Credential> = None;
        for (text, carrier) in [
            (bearer(head), Carrier::Bearer),
            (query(head)?, Carrier::Query),
            (cookie(head)?, Carrier::Cookie),
        ] {
            let Some(text) = text else { continue };
            if text.len() > MAX_CREDENTIAL_BYTES {
                return Err(invalid(format!(
                    "a credential must have at most {MAX_CREDENTIAL_BYTES} bytes"
                )));
            }
            if text.is_empty()
                || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            {
                return Err(invalid(
                    "the credential is not a JWT: send three base64url parts, separated by dots",
                ));
            }
            match &found {
                // `Authorization` comes first: another site cannot make a page send it.
                Some(first) if first.text == text => {}
                Some(_) => {
                    return Err(invalid("the request has two different credentials: send one"));
                }
                None => found = Some(Credential { text, carrier }),
            }
        }
        Ok(found)
    }
}

fn bearer(head: &RequestHead<'_>) -> Option<String> {
    let header = (head.headers)("authorization")?;
    let header = header.trim();
    let (scheme, text) = header.split_once([' ', '\t']).unwrap_or((header, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim().into())
}

fn query(head: &RequestHead<'_>) -> Result<Option<String>> {
    let mut tickets = parse(head.query.as_bytes()).filter(|(name, _)| name == TICKET_PARAMETER);
    let ticket = tickets.next().map(|(_, text)| text.into_owned());
    match tickets.next() {
        Some(_) => Err(Error::new(
            ErrorKind::ParameterRepeated,
            format!("the parameter `{TICKET_PARAMETER}` is repeated: send it once"),
        )),
        None => Ok(ticket),
    }
}

fn cookie(head: &RequestHead<'_>) -> Result<Option<String>> {
    let Some(header) = (head.headers)("cookie") else { return Ok(None) };
    let mut tickets =
        cookies(&header).filter(|(name, _)| *name == TICKET_COOKIE).map(|(_, text)| text);
    let ticket = tickets.next();
    match tickets.find(|other| Some(*other) != ticket) {
        Some(_) => {
            Err(invalid(format!("the request has two different {TICKET_COOKIE} cookies: send one")))
        }
        None => Ok(ticket.map(Into::into)),
    }
}

pub(crate) fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::CredentialInvalid, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(
        query: &str,
        headers: &[(&str, &str)],
    ) -> Result<Option<(String, Carrier)>, ErrorKind> {
        let headers = |name: &str| {
            headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.to_string())
        };
        let head =
            RequestHead { method: "GET", url: "http://a/b", path: "/b", query, headers: &headers };
        Credential::find(&head)
            .map(|found| found.map(|found| (found.text, found.carrier)))
            .map_err(|error| error.kind())
    }

    #[test]
    fn takes_it_from_header_query_or_cookie() {
        let one = |carrier| Ok(Some(("a.b.c".to_owned(), carrier)));
        assert_eq!(found("", &[("authorization", "Bearer a.b.c")]), one(Carrier::Bearer));
        assert_eq!(found("", &[("authorization", "bearer  a.b.c ")]), one(Carrier::Bearer));
        assert_eq!(found("offset=-1&ticket=a.b.c", &[]), one(Carrier::Query));
        assert_eq!(
            found("", &[("cookie", "x=1; tidewire-ticket=a.b.c; y=2")]),
            one(Carrier::Cookie)
        );
        assert_eq!(found("", &[]), Ok(None));
    }

    #[test]
    fn who_chooses_part_of_a_cookie_plants_no_ticket() {
        for cookie in [
            "name=x, tidewire-ticket=a.b.c",
            "name=x,tidewire-ticket=a.b.c; y=2",
            "name=\"x, tidewire-ticket=a.b.c\"",
            "Tidewire-Ticket=a.b.c",
        ] {
            assert_eq!(found("", &[("cookie", cookie)]), Ok(None), "{cookie}");
        }
        let own = "name=x, tidewire-ticket=a.b.d; tidewire-ticket=\"a.b.c\"";
        assert_eq!(found("", &[("cookie", own)]), Ok(Some(("a.b.c".to_owned(), Carrier::Cookie))));
    }

    #[test]
    fn reads_authorization_as_one_scheme_and_its_token() {
        for (header, expected) in [
            ("BEARER\ta.b.c", Ok(Some("a.b.c"))),
            ("Bearer   a.b.c\t", Ok(Some("a.b.c"))),
            ("Bearer", Err(ErrorKind::CredentialInvalid)),
            ("", Ok(None)),
            ("Bearera.b.c", Ok(None)),
            ("Basic x, Bearer a.b.c", Ok(None)),
            ("Bearer a.b.c, Basic x", Err(ErrorKind::CredentialInvalid)),
        ] {
            let found =
                found("", &[("authorization", header)]).map(|found| found.map(|(text, _)| text));
            assert_eq!(found, expected.map(|text| text.map(String::from)), "{header:?}");
        }
    }

    #[test]
    fn the_header_of_another_scheme_is_none() {
        assert_eq!(found("", &[("authorization", "Basic YTpi")]), Ok(None));
        assert_eq!(
            found("tickets=a", &[("cookie", "tidewire-tickets=a; x-tidewire-ticket=b")]),
            Ok(None)
        );
    }

    #[test]
    fn the_same_twice_is_one_and_two_that_differ_are_none() {
        assert_eq!(
            found("ticket=a.b.c", &[("cookie", "tidewire-ticket=a.b.c")]),
            Ok(Some(("a.b.c".to_owned(), Carrier::Query)))
        );
        for (query, header) in [
            ("ticket=a.b.c", ("cookie", "tidewire-ticket=a.b.d")),
            ("ticket=a.b.c", ("authorization", "Bearer a.b.d")),
            ("", ("cookie", "tidewire-ticket=a.b.c; tidewire-ticket=a.b.d")),
            ("", ("cookie", "tidewire-ticket=a.b.c, tidewire-ticket=a.b.d")),
            ("", ("authorization", "Bearer a.b.c, Bearer a.b.d")),
        ] {
            assert_eq!(
                found(query, &[header]),
                Err(ErrorKind::CredentialInvalid),
                "{query} {header:?}"
            );
        }
        assert_eq!(found("ticket=a.b.c&%74icket=a.b.c", &[]), Err(ErrorKind::ParameterRepeated));
    }

    #[test]
    fn what_cannot_be_one_is_refused_before_it_is_decoded() {
        let long = format!("Bearer {}", "a".repeat(MAX_CREDENTIAL_BYTES + 1));
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a\0b",
            "Bearer a\r\nb",
            "Bearer é",
            "Bearer a+b/c=",
            &long,
        ] {
            assert_eq!(
                found("", &[("authorization", bad)]),
                Err(ErrorKind::CredentialInvalid),
                "{bad:.20}"
            );
        }
        for bad in ["ticket=", "ticket", "ticket=a%00b", "ticket=a%0d%0ab", "ticket=a%20b"] {
            assert_eq!(found(bad, &[]), Err(ErrorKind::CredentialInvalid), "{bad}");
        }
    }
}
