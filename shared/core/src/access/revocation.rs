//! Access to a channel that is taken back before its credential ends.

use serde::{Deserialize, Serialize};

use super::grant::Grant;
use crate::error::{Error, ErrorKind, Result};

/// How long a revocation is kept, in milliseconds: as long as a ticket lives at most. A provider's token may live longer: `authorize` says who is to stay out.
const KEPT_MS: u64 = 3_600_000;

/// Longest id of a ticket or a subject, in bytes.
const MAX_ID_BYTES: usize = 1_024;

/// Whose access ends. On the wire and in a store it is an object of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Revoked {
    /// The ticket with this `jti`.
    Ticket(String),
    /// Every credential of this `sub`, those that are given to it meanwhile included.
    Subject(String),
}

/// A revocation in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Whose access ended.
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
        let invalid = |why: String| Error::new(ErrorKind::RevocationInvalid, format!(r#"give {{"ticket":"its jti"}} or {{"subject":"its sub"}}: {why}"#));
        let of: Revoked = serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
        let (Revoked::Ticket(id) | Revoked::Subject(id)) = &of;
        if !(1..=MAX_ID_BYTES).contains(&id.len()) {
            return Err(invalid(format!("an id has 1 to {MAX_ID_BYTES} bytes")));
        }
        Ok(Revocation { of, until_ms: now_ms + KEPT_MS })
    }

    /// From what a store keeps: [`Revocation::of`] as JSON, and the time. `None` for what is none.
    pub fn from_columns(of: &str, until_ms: u64) -> Option<Revocation> {
        Some(Revocation { of: serde_json::from_str(of).ok()?, until_ms })
    }

    /// [`Revocation::of`] as a store keeps it.
    pub fn column(&self) -> String {
        // An enum of strings: serializing it cannot fail.
        serde_json::to_string(&self.of).unwrap_or_default()
    }

    /// Whether it ends this access.
    pub fn ends(&self, grant: &Grant, now_ms: u64) -> bool {
        let is_meant = match &self.of {
            Revoked::Ticket(id) => grant.ticket.as_ref() == Some(id),
            Revoked::Subject(id) => grant.subject.as_ref() == Some(id),
        };
        is_meant && now_ms < self.until_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(ticket: &str, subject: &str) -> Grant {
        Grant { ticket: Some(ticket.into()), subject: Some(subject.into()), until_ms: Some(9_000_000), ..Grant::default() }
    }

    #[test]
    fn ends_a_ticket_or_all_of_a_subject_for_an_hour() {
        let ticket = Revocation::parse(br#"{"ticket":"t"}"#, 1).unwrap();
        assert!(ticket.ends(&grant("t", "s"), 3_600_000) && !ticket.ends(&grant("t", "s"), 3_600_001));
        assert!(!ticket.ends(&grant("u", "t"), 1) && !ticket.ends(&Grant::default(), 1));
        let subject = Revocation::parse(br#" {"subject": "s"} "#, 1).unwrap();
        assert!(subject.ends(&grant("t", "s"), 1) && !subject.ends(&grant("s", "t"), 1));
        for revocation in [ticket, subject] {
            assert_eq!(Revocation::from_columns(&revocation.column(), revocation.until_ms), Some(revocation));
        }
    }

    #[test]
    fn refuses_what_names_nobody_or_two() {
        let long = format!(r#"{{"ticket":"{}"}}"#, "t".repeat(1_025));
        for bad in ["", "{}", "[]", r#"{"ticket":""}"#, r#"{"ticket":1}"#, r#"{"ticket":"a","subject":"b"}"#, r#"{"user":"a"}"#, long.as_str()] {
            assert_eq!(Revocation::parse(bad.as_bytes(), 0).unwrap_err().kind(), ErrorKind::RevocationInvalid, "{bad}");
        }
    }
}
