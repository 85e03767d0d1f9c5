//! What the answer to a short poll says about the next one.

use http::header;

use super::headers::{Reply, set};

/// How often to ask, and whom an answer may be shared with. The default suggests nothing and shares nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polling {
    /// Seconds until the next poll: `Retry-After` on 200 and 304, until the channel is finished. `None`: the client decides.
    ///
    /// A page that ends before the tail has none, since the next one can be read at once.
    pub retry_after_s: Option<u32>,
    /// Seconds for which any cache on the way may answer by itself: `public, max-age=N, no-transform`. `None` is `private, no-cache, no-transform`: only the reader's own
    /// cache keeps the answer, and it asks each time whether it still holds.
    ///
    /// `Some` only where everyone may read every channel of the function: a shared cache asks nobody's `authorize`. Readers see an event up
    /// to so much later.
    pub public_max_age_s: Option<u32>,
}

impl Polling {
    /// Completes the answer to a short poll. `is_last_for_now`: nothing newer exists, and something may come.
    pub(crate) fn mark(self, reply: &mut Reply, is_last_for_now: bool) {
        // One URL serves every transport: a cache must not answer an EventSource with an array, nor one position with another.
        set(reply, header::VARY, "accept, last-event-id");
        if let Some(seconds) = self.public_max_age_s {
            set(reply, header::CACHE_CONTROL, &format!("public, max-age={seconds}, no-transform"));
        }
        if let (Some(seconds), true) = (self.retry_after_s, is_last_for_now) {
            set(reply, header::RETRY_AFTER, &seconds.to_string());
        }
    }
}
