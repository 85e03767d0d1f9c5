//! The ETag of a page: its two offsets, and the other facts in the headers of the answer.

use super::offset::Offset;
use super::state::Channel;

/// The tag covers the headers' statements too: the same events are another answer once they are no
/// longer the newest, or once one of them may have been erased.
pub(crate) fn etag(
    after: Offset,
    end: Offset,
    is_up_to_date: bool,
    is_final: bool,
    revision: u64,
) -> String {
    format!("\"{after}-{end}{}\"", state(is_up_to_date, is_final, revision))
}

/// The part of a page's ETag after its two offsets.
fn state(is_up_to_date: bool, is_final: bool, revision: u64) -> String {
    let state = match (is_final, is_up_to_date) {
        (true, _) => "-closed",
        (false, true) => "",
        (false, false) => "-more",
    };
    if revision > 0 { format!("{state}-r{revision}") } else { state.to_owned() }
}

/// Whether it is the ETag of a page that ends at the tail of the channel: a client with this page
/// has seen every event.
pub(crate) fn is_current(tag: &str, channel: &Channel) -> bool {
    let end =
        format!("-{}{}\"", channel.tail_offset(), state(true, channel.closed, channel.revision));
    let begin = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix(&end));
    begin.is_some_and(|begin| begin.parse::<Offset>().is_ok())
}
