//! A call of one of a function's own routes: its body as it arrives, and its channel to publish to.

use std::rc::Rc;

use super::change::Change;
use super::route::Routed;
use crate::access::Grant;
use crate::error::{Error, Result};
use crate::future::LocalFuture;
use crate::http::{Reply, problem};
use crate::settings::Settings;

/// What an adapter does for a [`Call`].
pub trait Platform {
    /// The next chunk of the body, `None` at its end. It is read from the client only now. The
    /// future fails with [`ErrorKind::BodyIncomplete`](crate::ErrorKind::BodyIncomplete) if the
    /// client leaves.
    fn chunk(&mut self) -> LocalFuture<'_, Result<Option<Vec<u8>>>>;

    /// Has the call's channel carry out a change. Checks no rights except whether the grant has
    /// ended.
    fn send(&self, change: Change, grant: Grant, body: Vec<u8>) -> LocalFuture<'_, Result<Reply>>;

    /// The time, in milliseconds since 1970.
    fn now_ms(&self) -> u64;
}

/// A request at one of a function's own [routes](crate::Route). Its rights are checked.
pub struct Call {
    /// The head of the request.
    pub routed: Routed,
    /// The settings in force.
    pub settings: Rc<Settings>,
    platform: Box<dyn Platform>,
    received: u64,
    has_begun: bool,
}

impl Call {
    /// A call whose rights are [checked](Routed::authorize).
    pub fn new(routed: Routed, settings: Rc<Settings>, platform: impl Platform + 'static) -> Call {
        Call { routed, settings, platform: Box::new(platform), received: 0, has_begun: false }
    }

    /// The next chunk of the body, `None` at its end. A slow caller slows the client down: nothing
    /// is read ahead.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BodyIncomplete`](crate::ErrorKind::BodyIncomplete) if the client leaves,
    /// [`ErrorKind::BodyTooLarge`](crate::ErrorKind::BodyTooLarge) beyond `max_bytes` in all.
    pub async fn chunk(&mut self, max_bytes: u64) -> Result<Option<Vec<u8>>> {
        let chunk = self.platform.chunk().await?;
        self.received += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if self.received > max_bytes {
            return Err(Error::body_too_large(max_bytes));
        }
        // Not every server in front distinguishes a client that left from a client that finished.
        if chunk.is_none() && self.routed.length.is_some_and(|length| self.received < length) {
            return Err(Error::body_incomplete("it is shorter than its Content-Length"));
        }
        Ok(chunk)
    }

    /// How much of the body was read, in bytes.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Has the channel carry out a change, and returns its answer, refusals included. The channel
    /// checks with the first change whether the client still has access; a call that has begun
    /// continues when the access ends.
    pub async fn send(&mut self, change: Change, body: Vec<u8>) -> Reply {
        let mut grant = self.routed.grant.clone();
        if std::mem::replace(&mut self.has_begun, true) {
            grant.until_ms = None;
        }
        self.platform.send(change, grant, body).await.unwrap_or_else(|error| problem(&error))
    }

    /// The time, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.platform.now_ms()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::access::Identity;
    use crate::error::ErrorKind;
    use crate::function::Route;
    use crate::policy::{Creation, Policy};
    use crate::request::{Append, Target, route};

    struct Notes;

    impl crate::Function for Notes {
        const NAME: &'static str = "notes";
        const ROUTES: &'static [Route] = &[Route { name: "import", method: "PUT", rights: &[] }];

        fn policy(settings: &Settings) -> Policy {
            Policy::new(Creation::OnPublish(crate::ContentType::json()), settings)
        }

        fn authorize(_: &Identity, _: &crate::ChannelName, _: &Settings) -> crate::Rights {
            crate::Rights::NONE
        }
    }

    /// A body of chunks of 10 bytes, and when the grants end that the channel is sent.
    #[derive(Default)]
    struct Chunks(u64, Rc<RefCell<Vec<Option<u64>>>>);

    impl Platform for Chunks {
        fn chunk(&mut self) -> LocalFuture<'_, Result<Option<Vec<u8>>>> {
            let is_more = self.0 > 0;
            self.0 = self.0.saturating_sub(1);
            Box::pin(async move { Ok(is_more.then(|| vec![7; 10])) })
        }

        fn send(&self, _: Change, grant: Grant, _: Vec<u8>) -> LocalFuture<'_, Result<Reply>> {
            self.1.borrow_mut().push(grant.until_ms);
            Box::pin(async { Err(Error::new(ErrorKind::ChannelClosed, "x")) })
        }

        fn now_ms(&self) -> u64 {
            0
        }
    }

    fn call(platform: Chunks, length: Option<u64>) -> Call {
        let headers = |_: &str| None;
        let head = crate::RequestHead {
            method: "PUT",
            url: "",
            path: "/-/import/a",
            query: "",
            headers: &headers,
        };
        let Ok(Target::Route(mut routed)) = route::<Notes>(&head, &Settings::default()) else {
            panic!("not a route")
        };
        routed.length = length;
        Call::new(routed, Rc::default(), platform)
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("nothing here waits"),
        }
    }

    #[test]
    fn a_body_ends_at_its_limit_and_not_before_its_length() {
        for (chunks, length, max_bytes, ends) in [
            (2, None, 20, None),
            (2, Some(20), 20, None),
            (2, None, 19, Some(ErrorKind::BodyTooLarge)),
            (2, Some(21), 99, Some(ErrorKind::BodyIncomplete)),
        ] {
            let mut call = call(Chunks(chunks, Rc::default()), length);
            assert!(now(call.chunk(max_bytes)).unwrap().is_some());
            let rest = now(call.chunk(max_bytes)).and_then(|_| now(call.chunk(max_bytes)));
            assert_eq!(rest.err().map(|error| error.kind()), ends);
            assert_eq!(call.received(), 20);
        }
    }

    #[test]
    fn access_is_checked_with_the_first_change_only() {
        let until = Rc::default();
        let mut call = call(Chunks(0, Rc::clone(&until)), None);
        call.routed.grant.until_ms = Some(9);
        for _ in 0..3 {
            assert_eq!(now(call.send(Change::Append(Append::default()), vec![])).status(), 409);
        }
        assert_eq!(until.take(), [Some(9), None, None]);
    }
}
