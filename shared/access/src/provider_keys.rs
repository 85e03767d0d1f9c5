//! One request fetches the keys of the provider of tokens, while the others wait or use the keys
//! that are kept.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tidewire_core::{Error, ErrorKind, Result};

use crate::jwks::JwkSet;
use crate::key_cache::{ASK_MS, KeyCache, Plan};

/// How often a request checks whether another request has received the keys. It cannot be woken: no
/// platform lets a request use another's I/O.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What an adapter does for the keys of a provider: it fetches them, and keeps them where its
/// requests find them.
pub trait KeySource {
    /// The keys that are at hand without waiting, perhaps outdated.
    fn at_hand(&self, url: &str) -> ProviderKeys;

    /// The keys that are kept for all requests.
    fn kept(&self, url: &str) -> impl Future<Output = Result<ProviderKeys>>;

    /// Begins a fetch, unless another request has begun one since `asked_ms`: whether this request
    /// has to fetch.
    fn claim(&self, url: &str, asked_ms: Option<u64>) -> impl Future<Output = Result<bool>>;

    /// Fetches the JWKS of at most [`MAX_SET_BYTES`](crate::MAX_SET_BYTES), without following a
    /// redirect: its target is not the address in the setting. The future is dropped at its
    /// deadline. An error is a text for the log.
    fn fetch(&self, url: &str) -> impl Future<Output = std::result::Result<Vec<u8>, String>>;

    /// Ends a fetch that was begun, and keeps what was fetched; `None` if the fetch failed.
    fn keep(&self, url: &str, fetched: Option<Fetched>) -> impl Future<Output = Result<()>>;

    /// Waits this long.
    fn pause(&self, duration: Duration) -> impl Future<Output = ()>;

    /// The time, in milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Writes a fault to the log.
    fn complain(&self, cause: &str);
}

/// A provider's keys, and when they were fetched.
#[derive(Clone, Default)]
pub struct ProviderKeys {
    /// When to fetch the keys.
    pub cache: KeyCache,
    /// The keys, if any were fetched.
    pub keys: Option<Rc<JwkSet>>,
}

/// A JWKS that was fetched.
pub struct Fetched {
    /// Its keys.
    pub keys: JwkSet,
    /// Its text.
    pub json: String,
}

/// The keys at a URL for a token that names the `kid`.
pub(crate) async fn provider_keys(
    source: &impl KeySource,
    url: &str,
    kid: Option<&str>,
) -> Result<Rc<JwkSet>> {
    let mut known = source.at_hand(url);
    let mut is_current = false;
    loop {
        match (known.cache.plan(known.keys.as_deref(), kid, source.now_ms()), &known.keys) {
            (Plan::Use, Some(keys)) => return Ok(Rc::clone(keys)),
            // Another request may have fetched newer keys.
            _ if !is_current => {}
            (Plan::Use | Plan::Refuse, _) => {
                return Err(Error::new(
                    ErrorKind::KeysUnavailable,
                    "the keys at JWKS_URL are unavailable: retry in a few seconds",
                ));
            }
            (Plan::Wait, _) => source.pause(LOOK_EVERY).await,
            (Plan::Ask, _) => {
                if source.claim(url, known.cache.asked_ms).await? {
                    let fetched = fetch(source, url).await;
                    if let Err(cause) = &fetched {
                        source.complain(&format!("JWKS_URL cannot be read: {cause}"));
                    }
                    source.keep(url, fetched.ok()).await?;
                }
            }
        }
        known = source.kept(url).await?;
        is_current = true;
    }
}

async fn fetch(source: &impl KeySource, url: &str) -> std::result::Result<Fetched, String> {
    let mut answer = pin!(source.fetch(url));
    let mut deadline = pin!(source.pause(Duration::from_millis(ASK_MS)));
    let json = poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Pending => {
            deadline.as_mut().poll(context).map(|()| Err(format!("no answer within {ASK_MS} ms")))
        }
        ready => ready,
    })
    .await?;
    let keys = JwkSet::parse(&json).map_err(|error| error.to_string())?;
    Ok(Fetched { keys, json: String::from_utf8(json).map_err(|error| error.to_string())? })
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::task::{Context, Waker};

    use super::*;

    const NOW: u64 = 1_800_000_000_000;
    const JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    /// A provider that answers after `delay_ms`, and a cache in memory. Its time passes while
    /// somebody waits.
    struct Memory {
        answer: std::result::Result<&'static str, &'static str>,
        delay_ms: u64,
        now_ms: Cell<u64>,
        kept: RefCell<ProviderKeys>,
        fetches: Cell<u32>,
        log: RefCell<Vec<String>>,
    }

    impl Memory {
        fn new(answer: std::result::Result<&'static str, &'static str>, delay_ms: u64) -> Memory {
            Memory {
                answer,
                delay_ms,
                now_ms: Cell::new(NOW),
                kept: RefCell::default(),
                fetches: Cell::new(0),
                log: RefCell::default(),
            }
        }

        async fn until(&self, end_ms: u64) {
            poll_fn(|_| if self.now_ms.get() < end_ms { Poll::Pending } else { Poll::Ready(()) })
                .await;
        }

        /// Has several requests verify a token with this `kid` at once.
        fn ask(&self, kid: &str, requests: usize) -> Vec<std::result::Result<(), ErrorKind>> {
            let mut pending: Vec<_> = (0..requests)
                .map(|_| Some(Box::pin(provider_keys(self, "https://a.example", Some(kid)))))
                .collect();
            let mut outcomes = Vec::new();
            while outcomes.len() < requests {
                for request in &mut pending {
                    let polled = request.as_mut().map(|request| {
                        request.as_mut().poll(&mut Context::from_waker(Waker::noop()))
                    });
                    if let Some(Poll::Ready(outcome)) = polled {
                        outcomes.push(outcome.map(drop).map_err(|error| error.kind()));
                        *request = None;
                    }
                }
                self.now_ms.set(self.now_ms.get() + 5);
            }
            outcomes
        }
    }

    impl KeySource for Memory {
        fn at_hand(&self, _: &str) -> ProviderKeys {
            ProviderKeys::default()
        }

        async fn kept(&self, _: &str) -> Result<ProviderKeys> {
            Ok(self.kept.borrow().clone())
        }

        async fn claim(&self, _: &str, asked_ms: Option<u64>) -> Result<bool> {
            let cache = &mut self.kept.borrow_mut().cache;
            let is_first = cache.asked_ms == asked_ms;
            if is_first {
                cache.begin(self.now_ms());
            }
            Ok(is_first)
        }

        async fn fetch(&self, _: &str) -> std::result::Result<Vec<u8>, String> {
            self.fetches.set(self.fetches.get() + 1);
            self.until(self.now_ms() + self.delay_ms).await;
            self.answer.map(Into::into).map_err(Into::into)
        }

        async fn keep(&self, _: &str, fetched: Option<Fetched>) -> Result<()> {
            let mut kept = self.kept.borrow_mut();
            kept.cache.end(fetched.is_some(), self.now_ms());
            if let Some(fetched) = fetched {
                assert_eq!(fetched.json, JWKS);
                kept.keys = Some(Rc::new(fetched.keys));
            }
            Ok(())
        }

        async fn pause(&self, duration: Duration) {
            self.until(self.now_ms() + duration.as_millis() as u64).await;
        }

        fn now_ms(&self) -> u64 {
            self.now_ms.get()
        }

        fn complain(&self, cause: &str) {
            self.log.borrow_mut().push(cause.into());
        }
    }

    #[test]
    fn one_request_fetches_while_the_others_wait_for_it() {
        let memory = Memory::new(Ok(JWKS), 100);
        assert_eq!(memory.ask("a", 3), [Ok(()), Ok(()), Ok(())]);
        assert_eq!((memory.fetches.get(), memory.log.take().len()), (1, 0));
        // The keys at hand are still empty: the kept keys answer, without another fetch.
        assert_eq!(memory.ask("a", 1), [Ok(())]);
        assert_eq!(memory.fetches.get(), 1);
    }

    #[test]
    fn a_fetch_that_fails_is_logged_and_refuses_all_that_wait_for_it() {
        let unavailable = || Err(ErrorKind::KeysUnavailable);
        let memory = Memory::new(Err("it answered 500"), 100);
        assert_eq!(memory.ask("a", 2), [unavailable(), unavailable()]);
        assert_eq!(memory.fetches.get(), 1);
        assert_eq!(memory.log.take(), ["JWKS_URL cannot be read: it answered 500"]);
        let memory = Memory::new(Ok("<html>"), 0);
        assert_eq!(memory.ask("a", 1), [unavailable()]);
        assert_eq!(memory.log.take().len(), 1);
    }

    #[test]
    fn a_provider_that_is_silent_is_given_up_at_the_deadline() {
        let memory = Memory::new(Ok(JWKS), 60_000);
        let unavailable = || Err(ErrorKind::KeysUnavailable);
        assert_eq!(memory.ask("a", 3), [unavailable(), unavailable(), unavailable()]);
        assert_eq!(memory.log.take(), ["JWKS_URL cannot be read: no answer within 5000 ms"]);
        let waited_ms = memory.now_ms() - NOW;
        assert!((ASK_MS..ASK_MS + 100).contains(&waited_ms), "{waited_ms} ms");
    }
}
