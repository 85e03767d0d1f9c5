//! The hints for polling clients in the answer to a short poll.

use http::header;

use super::headers::{Reply, set};

/// How often to poll, and who may share an answer. The default suggests no interval and shares
/// nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polling {
    /// Seconds until the next poll: `Retry-After` on 200 and 304, until the channel is finished.
    /// `None`: the client decides.
    ///
    /// A page that ends before the tail has none, because the next page can be read at once.
    pub retry_after_s: Option<u32>,
    /// Seconds for which any cache may answer by itself: `public, max-age=N, no-transform`. `None`
    /// is `private, no-cache, no-transform`: only the reader's own cache keeps the answer, and must
    /// revalidate it each time.
    ///
    /// Set it only if everyone may read every channel of the function: a shared cache does not call
    /// `authorize`. Readers see an event up to this many seconds later.
    pub public_max_age_s: Option<u32>,
}

impl Polling {
    /// Completes the answer to a short poll. `is_last_for_now`: nothing newer exists, and more
    /// events may follow.
    pub(crate) fn mark(self, reply: &mut Reply, is_last_for_now: bool) {
        // One URL serves every transport: a cache must not answer an EventSource with an array, nor
        // one position with another.
        set(reply, header::VARY, "accept, last-event-id");
        if let Some(seconds) = self.public_max_age_s {
            set(reply, header::CACHE_CONTROL, &format!("public, max-age={seconds}, no-transform"));
        }
        if let (Some(seconds), true) = (self.retry_after_s, is_last_for_now) {
            set(reply, header::RETRY_AFTER, &seconds.to_string());
        }
    }
}
