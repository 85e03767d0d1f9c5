//! The operations that change a channel.

use serde::{Deserialize, Serialize};

use super::precondition::Precondition;
use crate::access::{Grant, Right};
use crate::channel::{Expiry, Offset};
use crate::http::ContentType;
use crate::policy::Policy;
use crate::publish::{Producer, Tally};

/// An operation that changes the channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// `PUT`.
    Create(Create),
    /// `POST`.
    Append(Append),
    /// `DELETE`.
    Delete {
        /// Conditions on the channel.
        #[serde(default)]
        only_if: Precondition,
    },
    /// `DELETE` with `offset`: one event.
    Erase {
        /// The event's own offset.
        offset: Offset,
        /// `Producer-Id` of the client: it must be the event's. `None` if the client manages the
        /// channel.
        by: Option<String>,
        /// Conditions on the channel.
        #[serde(default)]
        only_if: Precondition,
    },
}

/// The creation of a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Create {
    /// `Content-Type`, if given.
    pub content_type: Option<ContentType>,
    /// `Stream-Closed: true`: finished from its creation on.
    pub closed: bool,
    /// When the channel must end by itself.
    pub expiry: Option<Expiry>,
    /// Value of `Location` in the answer: the request's address without the query, which may hold a
    /// credential.
    pub location: String,
    /// Conditions on the channel.
    #[serde(default)]
    pub only_if: Precondition,
    /// Of a shared document: clients send it each time that they connect, so a channel that exists
    /// is opened by any reader, whatever its state. Only a client that may publish creates it.
    #[serde(default)]
    pub opens: bool,
}

/// An append.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// `Content-Type`, if given.
    pub content_type: Option<ContentType>,
    /// `Stream-Seq`, 1 to 255 visible ASCII characters: must increase as text from append to
    /// append.
    pub stream_seq: Option<String>,
    /// `Stream-Closed: true`: finished after this append.
    pub closed: bool,
    /// The producer, for an append that must be stored once however often it is sent.
    pub producer: Option<Producer>,
    /// Conditions on the channel.
    #[serde(default)]
    pub only_if: Precondition,
}

impl Change {
    /// The channel's memory of the publisher; see [`Policy::tallies`].
    pub fn tallies(&self, grant: &Grant, policy: &Policy) -> Vec<Tally> {
        match self {
            Change::Append(append) => policy.tallies(grant, append.producer.as_ref()),
            // The first content of a channel is a publish like any other.
            Change::Create(_) => policy.tallies(grant, None),
            Change::Delete { .. } | Change::Erase { .. } => Vec::new(),
        }
    }

    /// The conditions on the channel under which it is carried out.
    pub(crate) fn only_if(&self) -> &Precondition {
        match self {
            Change::Create(Create { only_if, .. })
            | Change::Append(Append { only_if, .. })
            | Change::Delete { only_if }
            | Change::Erase { only_if, .. } => only_if,
        }
    }

    /// The rights that it demands, all of them.
    pub(crate) fn rights(&self) -> &'static [Right] {
        match self {
            Change::Create(Create { opens: true, .. }) => &[Right::Read],
            Change::Create(_) | Change::Delete { .. } | Change::Erase { by: None, .. } => {
                &[Right::Manage]
            }
            Change::Append(Append { closed: true, .. }) => &[Right::Publish, Right::Manage],
            Change::Append(_) | Change::Erase { .. } => &[Right::Publish],
        }
    }
}
