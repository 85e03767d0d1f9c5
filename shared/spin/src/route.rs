//! The arguments of a function's own route: the body as it arrives, and the channel to publish to.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;

use futures_util::Stream;
use tidewire_core::{Change, Error, Grant, Policy, Reply, Routed, Settings, problem};

use crate::change::carry_out;
use crate::store::Store;

/// A request at one of a function's own routes. Its rights are checked.
pub struct Call {
    /// The request.
    pub routed: Routed,
    /// The body, chunk by chunk; the next chunk is read from the client when this one is done. Ends
    /// with [`ErrorKind::BodyIncomplete`](tidewire_core::ErrorKind::BodyIncomplete) if the client
    /// leaves.
    pub body: Body,
    /// The channel, to publish to.
    pub channel: Publisher,
    /// The settings in force.
    pub settings: Rc<Settings>,
}

/// The body of a [`Call`].
pub type Body = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Error>>>>;

/// One channel, for the function's own code.
pub struct Publisher {
    store: Store,
    policy: Policy,
    grant: Grant,
    has_begun: Cell<bool>,
}

impl Publisher {
    pub(crate) fn new(function: &str, policy: Policy, routed: &Routed) -> Publisher {
        let store = Store::new(function, routed.channel.as_str(), policy.presence.is_some());
        Publisher { store, policy, grant: routed.grant.clone(), has_begun: Cell::default() }
    }

    /// Has the channel carry out a change, and returns its answer, refusals included. Checks no
    /// rights: the route did. Whether they were channel knows the revocations, so it checks them
    /// with the first operation; an operation that has begun continues when the client's right
    /// ends.
    pub async fn send(&self, change: Change, body: Vec<u8>) -> Reply {
        let until_ms = self.grant.until_ms.filter(|_| !self.has_begun.replace(true));
        let grant = Grant { until_ms, ..self.grant.clone() };
        carry_out(&self.store, &change, &grant, &body, &self.policy)
            .await
            .unwrap_or_else(|error| problem(&error))
    }
}
