//! What a function's own route has of Spin: the body as it arrives, and the store of its channel.

use futures_util::StreamExt;
use tidewire_core::{Change, Error, Grant, LocalFuture, Platform, Policy, Reply, Result};

use crate::body::Body;
use crate::change::carry_out;
use crate::clock::now_ms;
use crate::store::ChannelStore;

/// The body of a call, and the channel to publish to.
pub(crate) struct RouteChannel {
    pub(crate) body: Body,
    pub(crate) store: ChannelStore,
    pub(crate) policy: Policy,
}

impl Platform for RouteChannel {
    fn chunk(&mut self) -> LocalFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(async {
            let chunk = self.body.next().await.transpose().map_err(Error::body_incomplete)?;
            Ok(chunk.map(Vec::from))
        })
    }

    fn send(&self, change: Change, grant: Grant, body: Vec<u8>) -> LocalFuture<'_, Result<Reply>> {
        Box::pin(async move { carry_out(&self.store, &change, &grant, &body, &self.policy).await })
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }
}
