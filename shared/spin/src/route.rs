//! What a function's own route has of Spin: the body as it arrives, and the store of its channel.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use spin_sdk::wasip3::http::types::ErrorCode;
use tidewire_core::{Change, Error, Grant, LocalFuture, Platform, Policy, Reply, Result};

use crate::change::carry_out;
use crate::clock::now_ms;
use crate::store::Store;

/// The body of a call, and the channel to publish to.
pub(crate) struct RouteChannel {
    pub(crate) body: Pin<Box<dyn Stream<Item = Result<Bytes, ErrorCode>>>>,
    pub(crate) store: Store,
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
