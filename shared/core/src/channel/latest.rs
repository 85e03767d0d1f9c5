//! The newest event of each key, for dashboards that need no history.

use std::borrow::Cow;
use std::collections::HashSet;
use std::convert::Infallible;

use super::event::Event;
use super::page::{Page, PageLimit};

/// Returns the keys of an event, given its data.
pub type Keys = fn(&[u8]) -> Vec<String>;

/// Omits the events of a page whose keys all occur again later in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latest {
    pub(crate) keys: Keys,
    /// Size of the remaining events.
    pub(crate) limit: PageLimit,
}

impl Latest {
    /// The events that are the newest of a key, unchanged and in order, and where they end: the end
    /// of the page, or the last event within the limit. A reader that resumes from there misses no
    /// key: whether an event is the newest depends only on those after it.
    pub(crate) fn view(self, page: &Page) -> (Cow<'static, [Event]>, u64) {
        let mut seen = HashSet::new();
        // Every key of an event must be recorded: `any` would stop at the first.
        let mut is_new = |data: &[u8]| {
            (self.keys)(data).into_iter().map(|key| seen.insert(key)).max() == Some(true)
        };
        let mut newest: Vec<_> =
            page.events.iter().rev().filter(|event| is_new(&event.data)).collect();
        newest.reverse();
        let count = newest.len();
        let Ok(view) = Page::take(
            page.after,
            self.limit,
            newest.into_iter().cloned().map(Ok::<_, Infallible>),
        );
        let end = if view.events.len() == count { page.end() } else { view.end() };
        (view.events.into(), end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys are the letters of an event: `b"ab"` is of two.
    fn view(max_events: u64, events: &[&str]) -> (Vec<u64>, u64) {
        let events = events
            .iter()
            .zip(5..)
            .map(|(data, seq)| Event { seq, data: data.as_bytes().to_vec() })
            .collect();
        let keys =
            |data: &[u8]| data.iter().map(|letter| char::from(*letter).to_string()).collect();
        let latest = Latest { keys, limit: PageLimit { max_events, max_bytes: 1000 } };
        let (events, end) = latest.view(&Page { after: 4, events });
        (events.iter().map(|event| event.seq).collect(), end)
    }

    #[test]
    fn keeps_each_event_that_is_the_newest_of_a_key() {
        assert_eq!(view(100, &["a", "b", "a", "a"]), (vec![6, 8], 8));
        assert_eq!(view(100, &["ab", "a", "c", "a"]), (vec![5, 7, 8], 8));
        assert_eq!(view(100, &["a", "a", ""]), (vec![6], 7));
        assert_eq!(view(100, &[]), (vec![], 4));
    }

    #[test]
    fn goes_on_after_the_limit_without_missing_a_key() {
        let events = ["a", "b", "c", "a", "d"];
        assert_eq!(view(2, &events), (vec![6, 7], 7));
        assert_eq!(view(100, &events), (vec![6, 7, 8, 9], 9));
    }
}
