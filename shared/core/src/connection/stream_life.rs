//! The life of one SSE stream: how long it lasts, when it sends a heartbeat, and why it ends.
//!
//! An adapter holds the stream and asks [`StreamLife::next`] before each chunk. Only the adapter
//! waits, and only it knows the new events.

use crate::access::{Grant, Revocation};
use crate::close_code::CloseCode;
use crate::settings::Settings;
use crate::wire::{Framing, sse};

/// The remaining life of a stream.
#[derive(Clone, Debug)]
pub struct StreamLife {
    framing: Framing,
    grant: Grant,
    frames_left: u64,
    /// When it began, in milliseconds since 1970.
    began_ms: u64,
    max_ms: u64,
    heartbeat_ms: u64,
    /// When its last chunk was sent, in milliseconds since 1970.
    sent_ms: u64,
    end: Option<CloseCode>,
}

/// The next step of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Send new events, or wait for them. If none arrives within this many milliseconds, send the
    /// [heartbeat](StreamLife::heartbeat), if it is due, and ask again.
    Listen {
        /// The longest wait.
        for_ms: u64,
    },
    /// Send this as the last chunk.
    Last(String),
    /// Send nothing more.
    Over,
}

impl StreamLife {
    /// A stream that begins now: it lasts as long as `STREAM_MAX_MS`, `STREAM_MAX_FRAMES` and the
    /// grant allow, whichever ends first.
    pub fn new(framing: Framing, grant: Grant, settings: &Settings, now_ms: u64) -> StreamLife {
        StreamLife {
            framing,
            grant,
            frames_left: settings.stream_max_frames,
            began_ms: now_ms,
            max_ms: settings.stream_max_ms,
            heartbeat_ms: settings.heartbeat_ms,
            sent_ms: now_ms,
            end: None,
        }
    }

    /// What to do now. `revocations` are all that the adapter knows; where another part of the
    /// adapter ends revoked readers, it passes an empty list.
    ///
    /// The last chunk says why the client lost its access, or that it may reconnect at once; a
    /// stream whose framing has no such frame just ends.
    pub fn next(&mut self, revocations: &[Revocation], now_ms: u64) -> Turn {
        if self.end.is_some() {
            return Turn::Over;
        }
        self.admit_clock(now_ms);
        let access = self.grant.check_access(revocations, now_ms);
        let wait_ms = self.left_ms(now_ms);
        if access.is_ok() && self.frames_left > 0 && wait_ms > 0 {
            return Turn::Listen { for_ms: wait_ms.min(self.silence_left_ms(now_ms)) };
        }
        self.end =
            Some(access.map_or_else(|error| error.close_code(), |()| CloseCode::StreamRenewed));
        self.framing.last_chunk(&self.grant, revocations, now_ms).map_or(Turn::Over, Turn::Last)
    }

    /// Records that a frame is sent now.
    pub fn sent(&mut self, now_ms: u64) {
        self.frames_left = self.frames_left.saturating_sub(1);
        self.sent_ms = now_ms;
    }

    /// How many more frames it may send.
    pub fn frames_left(&self) -> u64 {
        self.frames_left
    }

    /// The heartbeat to send now, if nothing was sent for `HEARTBEAT_MS`. It does not count as a
    /// frame.
    pub fn heartbeat(&mut self, now_ms: u64) -> Option<&'static str> {
        (self.silence_left_ms(now_ms) == 0).then(|| {
            self.sent_ms = now_ms;
            sse::HEARTBEAT
        })
    }

    /// Ends the stream after the current chunk, for this reason. The first reason counts.
    pub fn end(&mut self, code: CloseCode) {
        self.end.get_or_insert(code);
    }

    /// Whether its client may still read.
    pub fn has_access(&self, revocations: &[Revocation], now_ms: u64) -> bool {
        self.grant.check_access(revocations, now_ms).is_ok()
    }

    /// Milliseconds until its client may no longer read, unless something else ends its access.
    pub fn access_left_ms(&self, now_ms: u64) -> u64 {
        self.grant.until_ms.unwrap_or(u64::MAX).saturating_sub(now_ms)
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Why it ended: a stream that is dropped before its end was left by its client.
    pub fn end_code(&self) -> CloseCode {
        self.end.unwrap_or(CloseCode::ReaderLeft)
    }

    /// If the clock was set back, age and silence count from its present time: a stream must not be
    /// silent for as long as the clock jumped.
    fn admit_clock(&mut self, now_ms: u64) {
        self.began_ms = self.began_ms.min(now_ms);
        self.sent_ms = self.sent_ms.min(now_ms);
    }

    /// Milliseconds until its age or its grant ends it.
    fn left_ms(&self, now_ms: u64) -> u64 {
        let ends_ms =
            self.began_ms.saturating_add(self.max_ms).min(self.grant.until_ms.unwrap_or(u64::MAX));
        ends_ms.saturating_sub(now_ms)
    }

    fn silence_left_ms(&self, now_ms: u64) -> u64 {
        self.heartbeat_ms.saturating_sub(now_ms.saturating_sub(self.sent_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Revoked;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn life(framing: Framing, until_ms: Option<u64>) -> StreamLife {
        let settings = Settings {
            stream_max_ms: 60_000,
            stream_max_frames: 2,
            heartbeat_ms: 15_000,
            ..Settings::default()
        };
        let grant = Grant { until_ms, ticket: Some("t".into()), ..Grant::default() };
        StreamLife::new(framing, grant, &settings, NOW_MS)
    }

    #[test]
    fn a_stream_that_its_client_leaves_has_no_end_of_its_own() {
        let mut life = life(Framing::EventSource, None);
        assert_eq!(life.next(&[], NOW_MS), Turn::Listen { for_ms: 15_000 });
        assert_eq!((life.is_over(), life.end_code()), (false, CloseCode::ReaderLeft));
    }

    #[test]
    fn a_stream_ends_after_its_frames() {
        let mut life = life(Framing::EventSource, None);
        for left in [2, 1] {
            assert_eq!(life.frames_left(), left);
            assert!(matches!(life.next(&[], NOW_MS), Turn::Listen { .. }));
            life.sent(NOW_MS);
        }
        assert_eq!(life.frames_left(), 0);
        assert!(matches!(life.next(&[], NOW_MS), Turn::Last(_)));
        assert_eq!(
            (life.next(&[], NOW_MS), life.end_code()),
            (Turn::Over, CloseCode::StreamRenewed)
        );
    }

    #[test]
    fn the_first_reason_of_an_end_counts() {
        let mut life = life(Framing::EventSource, None);
        life.end(CloseCode::Finished);
        life.end(CloseCode::Slow);
        assert_eq!((life.next(&[], NOW_MS), life.end_code()), (Turn::Over, CloseCode::Finished));
    }

    #[test]
    fn a_revoked_reader_is_told_so_by_who_knows_it() {
        let revoked = [Revocation { of: Revoked::Ticket("t".into()), until_ms: NOW_MS + 9_000 }];
        let mut told = life(Framing::EventSource, Some(NOW_MS + 5_000));
        assert_eq!(told.next(&[], NOW_MS), Turn::Listen { for_ms: 5_000 });
        let Turn::Last(last) = told.next(&revoked, NOW_MS) else { panic!("not ended") };
        assert!(last.contains("3507") && last.contains("access-denied"), "{last}");
        let mut untold = life(Framing::DurableSse, Some(NOW_MS + 5_000));
        assert_eq!(untold.access_left_ms(NOW_MS + 1_000), 4_000);
        assert_eq!(
            (untold.next(&revoked, NOW_MS), untold.end_code()),
            (Turn::Over, CloseCode::AccessDenied)
        );
    }

    #[test]
    fn a_clock_that_was_set_back_silences_no_stream() {
        let mut life = life(Framing::EventSource, None);
        let early_ms = NOW_MS - 3_600_000;
        assert_eq!(life.next(&[], early_ms), Turn::Listen { for_ms: 15_000 });
        assert_eq!(life.heartbeat(early_ms + 15_000), Some(sse::HEARTBEAT));
        let Turn::Last(_) = life.next(&[], early_ms + 60_000) else {
            panic!("it lasts longer than it may")
        };
    }
}
