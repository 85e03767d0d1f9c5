//! Access to a channel that is revoked before its credential expires.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// How long a revocation is kept, in milliseconds: the longest life of a ticket. A provider's token
/// may live longer: `authorize` must then keep its user out.
const KEPT_MS: u64 = 3_600_000;

/// Longest id of a ticket or a subject, in bytes.
const MAX_ID_BYTES: usize = 1_024;

/// The ticket or the user whose access ends. On the wire and in a store it is an object of one
/// member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Revoked {
    /// The ticket with this `jti`.
    Ticket(String),
    /// Every credential of this `sub`, including those issued while the revocation holds.
    Subject(String),
}

/// A revocation in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The ticket or the user whose access ended.
    pub of: Revoked,
    /// When it is forgotten, in milliseconds since 1970.
    pub until_ms: u64,
}

impl Revocation {
    /// Reads `{"ticket":"…"}` or `{"subject":"…"}`, whatever its content type.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RevocationInvalid`].
    pub(crate) fn parse(body: &[u8], now_ms: u64) -> Result<Revocation> {
        let invalid = |why: String| {
            Error::new(
                ErrorKind::RevocationInvalid,
                format!(r#"send {{"ticket":"its jti"}} or {{"subject":"its sub"}}: {why}"#),
            )
        };
        let of: Revoked =
            serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
        let (Revoked::Ticket(id) | Revoked::Subject(id)) = &of;
        if !(1..=MAX_ID_BYTES).contains(&id.len()) {
            return Err(invalid(format!("an id must have 1 to {MAX_ID_BYTES} bytes")));
        }
        Ok(Revocation { of, until_ms: now_ms + KEPT_MS })
    }

    /// From the columns of a store: [`Revocation::of`] as JSON, and the time. `None` if `of` does
    /// not parse.
    pub fn from_columns(of: &str, until_ms: u64) -> Option<Revocation> {
        Some(Revocation { of: serde_json::from_str(of).ok()?, until_ms })
    }

    /// [`Revocation::of`] as the column of a store.
    pub fn column(&self) -> String {
        // An enum of strings: serializing it cannot fail.
        serde_json::to_string(&self.of).unwrap_or_default()
    }

    /// Whether it ends the access of this ticket or this subject.
    pub(crate) fn ends(&self, ticket: Option<&str>, subject: Option<&str>, now_ms: u64) -> bool {
        let is_meant = match &self.of {
            Revoked::Ticket(id) => ticket == Some(id),
            Revoked::Subject(id) => subject == Some(id),
        };
        is_meant && now_ms < self.until_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(revocation: &Revocation, ticket: &str, subject: &str, now_ms: u64) -> bool {
        revocation.ends(Some(ticket), Some(subject), now_ms)
    }

    #[test]
    fn ends_a_ticket_or_all_of_a_subject_for_an_hour() {
        let ticket = Revocation::parse(br#"{"ticket":"t"}"#, 1).unwrap();
        assert!(ends(&ticket, "t", "s", 3_600_000) && !ends(&ticket, "t", "s", 3_600_001));
        assert!(!ends(&ticket, "u", "t", 1) && !ticket.ends(None, None, 1));
        let subject = Revocation::parse(br#" {"subject": "s"} "#, 1).unwrap();
        assert!(ends(&subject, "t", "s", 1) && !ends(&subject, "s", "t", 1));
        for revocation in [ticket, subject] {
            assert_eq!(
                Revocation::from_columns(&revocation.column(), revocation.until_ms),
                Some(revocation)
            );
        }
    }

    #[test]
    fn refuses_what_names_nobody_or_two() {
        let long = format!(r#"{{"ticket":"{}"}}"#, "t".repeat(1_025));
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"ticket":""}"#,
            r#"{"ticket":1}"#,
            r#"{"ticket":"a","subject":"b"}"#,
            r#"{"user":"a"}"#,
            long.as_str(),
        ] {
            assert_eq!(
                Revocation::parse(bad.as_bytes(), 0).unwrap_err().kind(),
                ErrorKind::RevocationInvalid,
                "{bad}"
            );
        }
    }
}
