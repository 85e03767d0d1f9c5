//! The rights of a client in one channel: which rights, of which identity, and until when.

use http::header::WWW_AUTHENTICATE;
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::revocation::Revocation;
use super::rights::{Right, Rights};
use crate::error::{Error, ErrorKind, Result};

/// Decided before the request reaches the channel; a connection keeps it until it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The rights.
    pub rights: Rights,
    /// When they end, in milliseconds since 1970; `None` without a credential.
    pub until_ms: Option<u64>,
    /// The subject, if the credential names one.
    pub subject: Option<String>,
    /// Id of the ticket, by which the ticket can be revoked.
    pub ticket: Option<String>,
}

impl Grant {
    /// The grant of an identity in a channel.
    pub fn new(identity: &Identity, rights: Rights) -> Grant {
        let ticket = match identity {
            Identity::Ticket(ticket) => ticket.id.clone(),
            _ => None,
        };
        Grant {
            rights,
            until_ms: identity.expires_ms(),
            subject: identity.subject().filter(|subject| !subject.is_empty()).map(Into::into),
            ticket,
        }
    }

    /// Checks that the access still holds. Called again for every open connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CredentialExpired`] after the expiry, [`ErrorKind::AccessDenied`] after a
    /// revocation.
    pub fn check_access(&self, revocations: &[Revocation], now_ms: u64) -> Result<()> {
        let Some(until_ms) = self.until_ms else { return Ok(()) };
        if now_ms >= until_ms {
            return Err(Error::new(
                ErrorKind::CredentialExpired,
                "the credential has expired: get a new one",
            )
            .with_header(WWW_AUTHENTICATE, "Bearer"));
        }
        if revocations.iter().any(|revocation| self.is_revoked(revocation, now_ms)) {
            return Err(Error::new(ErrorKind::AccessDenied, "access to this channel was revoked"));
        }
        Ok(())
    }

    /// Whether a revocation ends this access.
    pub fn is_revoked(&self, revocation: &Revocation, now_ms: u64) -> bool {
        revocation.ends(self.ticket.as_deref(), self.subject.as_deref(), now_ms)
    }

    /// Checks that the right is granted.
    ///
    /// # Errors
    ///
    /// Without the right: [`ErrorKind::CredentialMissing`] if the client sent no credential, else
    /// [`ErrorKind::AccessDenied`].
    pub fn demand(&self, right: Right) -> Result<()> {
        if self.rights.allow(right) {
            return Ok(());
        }
        let verb = right.verb();
        Err(if self.until_ms.is_none() {
            let why = format!(
                "you may not {verb} this channel without a credential: send `Authorization: Bearer` with a ticket (`tidewire token` makes one) or a token, \
                 or try OPEN_ACCESS=\"true\" on your own machine"
            );
            Error::new(ErrorKind::CredentialMissing, why)
        } else {
            Error::new(
                ErrorKind::AccessDenied,
                format!(
                    "you may not {verb} this channel: `authorize` in the function's lib.rs decides"
                ),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Revoked;

    fn refused(until_ms: Option<u64>) -> ErrorKind {
        let grant = Grant { rights: Right::Read.into(), until_ms, ..Grant::default() };
        assert!(grant.demand(Right::Read).is_ok());
        grant.demand(Right::Publish).unwrap_err().kind()
    }

    #[test]
    fn ends_with_its_time_or_when_it_is_revoked() {
        let grant = Grant { until_ms: Some(10), ticket: Some("t".into()), ..Grant::default() };
        let revoked = [Revocation { of: Revoked::Ticket("t".into()), until_ms: 20 }];
        let kind = |grant: &Grant, revocations: &[Revocation], now_ms| {
            grant.check_access(revocations, now_ms).map_err(|error| error.kind()).err()
        };
        assert_eq!(
            [kind(&grant, &[], 9), kind(&grant, &[], 10)],
            [None, Some(ErrorKind::CredentialExpired)]
        );
        assert_eq!(kind(&grant, &revoked, 9), Some(ErrorKind::AccessDenied));
        assert_eq!(kind(&Grant::default(), &revoked, u64::MAX), None);
    }

    #[test]
    fn tells_who_showed_nothing_from_who_may_not() {
        assert_eq!(refused(None), ErrorKind::CredentialMissing);
        assert_eq!(refused(Some(1)), ErrorKind::AccessDenied);
    }
}
