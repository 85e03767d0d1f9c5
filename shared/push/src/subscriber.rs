//! A subscription as a channel keeps it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidewire_core::{Error, ErrorKind, Grant, PushRow, Result, Revocation};

use crate::error::Error as PushError;
use crate::services::PushServices;
use crate::subscription::Subscription;

/// Longest name of a device in characters; the rest is cut.
const MAX_NAME_CHARS: usize = 60;

/// Longest address of a page, in bytes.
const MAX_PAGE_BYTES: usize = 1_024;

/// The data of a [`PushRow`]. Members may be added, with a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subscriber {
    pub(crate) endpoint: String,
    pub(crate) p256dh: String,
    pub(crate) auth: String,
    /// Name of the key with which it was made.
    pub(crate) key: String,
    /// The user's name for the device; may be empty.
    #[serde(default)]
    pub(crate) name: String,
    /// Address of the page that made it, for clicks.
    #[serde(default)]
    pub(crate) page: Option<String>,
    /// The user and the ticket that made it, whose revocation removes it.
    #[serde(default)]
    pub(crate) subject: Option<String>,
    #[serde(default)]
    pub(crate) ticket: Option<String>,
    pub(crate) created_ms: u64,
    /// Position up to which it was served.
    pub(crate) pushed: u64,
    /// Position of the notice that was tried last, and how often.
    #[serde(default)]
    pub(crate) trying: u64,
    #[serde(default)]
    pub(crate) attempts: u32,
    /// Refusals since the last success.
    #[serde(default)]
    pub(crate) refused: u32,
    #[serde(default)]
    pub(crate) sent_ms: Option<u64>,
    #[serde(default)]
    pub(crate) failed_ms: Option<u64>,
    /// Why it failed last.
    #[serde(default)]
    pub(crate) failure: Option<String>,
}

/// The members that a page sends beside the subscription.
#[derive(Default, Deserialize)]
struct Beside {
    #[serde(default)]
    name: String,
    #[serde(default)]
    page: Option<String>,
}

impl Subscriber {
    /// Reads the body of a `PUT`: `subscription.toJSON()`, with `name` and `page` beside it.
    pub(crate) fn read(
        body: &[u8],
        services: &PushServices,
        grant: &Grant,
        now_ms: u64,
    ) -> Result<(String, Subscriber)> {
        let to = Subscription::from_json(body, services).map_err(|error| invalid(&error))?;
        let beside: Beside = serde_json::from_slice(body).map_err(|_| {
            let why = "`name` and `page` must be texts";
            Error::new(ErrorKind::SubscriptionInvalid, why)
        })?;
        let is_page = |page: &String| {
            page.len() <= MAX_PAGE_BYTES
                && (page.starts_with("https://") || page.starts_with("http://"))
        };
        if !beside.page.as_ref().is_none_or(is_page) {
            let why = format!(
                "`page` must begin with https:// or http:// and have at most {MAX_PAGE_BYTES} bytes"
            );
            return Err(Error::new(ErrorKind::SubscriptionInvalid, why));
        }
        let subscriber = Subscriber {
            endpoint: to.endpoint().into(),
            p256dh: to.p256dh(),
            auth: to.auth(),
            name: beside.name.trim().chars().take(MAX_NAME_CHARS).collect(),
            page: beside.page,
            subject: grant.subject.clone(),
            ticket: grant.ticket.clone(),
            created_ms: now_ms,
            ..Subscriber::default()
        };
        Ok((to.id(), subscriber))
    }

    /// From the store; `None` if it does not parse, which no version of ours writes.
    pub(crate) fn of(row: &PushRow) -> Option<Subscriber> {
        serde_json::from_str(&row.data).ok()
    }

    /// As the store keeps it.
    pub(crate) fn data(&self) -> String {
        // A struct of texts and numbers: serializing it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The endpoint and the keys, checked again: the list of services may have changed.
    pub(crate) fn to(&self, services: &PushServices) -> Result<Subscription, PushError> {
        Subscription::new(&self.endpoint, &self.p256dh, &self.auth, services)
    }

    pub(crate) fn is_revoked(&self, revocation: &Revocation, now_ms: u64) -> bool {
        let grant = Grant {
            subject: self.subject.clone(),
            ticket: self.ticket.clone(),
            ..Grant::default()
        };
        grant.is_revoked(revocation, now_ms)
    }

    /// Since when it fails, in milliseconds since 1970.
    pub(crate) fn fails_since_ms(&self) -> Option<u64> {
        self.failed_ms.map(|failed_ms| self.sent_ms.unwrap_or(self.created_ms).min(failed_ms))
    }

    /// As its user may see it.
    pub(crate) fn shown(&self, id: &str) -> Value {
        let host = self.endpoint.split('/').nth(2).unwrap_or_default();
        json!({
            "id": id, "name": self.name, "service": host, "createdAt": self.created_ms,
            "lastSuccess": self.sent_ms, "lastFailure": self.failed_ms, "failure": self.failure,
        })
    }
}

/// The user's fault.
fn invalid(error: &PushError) -> Error {
    Error::new(ErrorKind::SubscriptionInvalid, error.to_string())
}
