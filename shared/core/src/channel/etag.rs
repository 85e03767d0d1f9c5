//! The ETag of a page: the offsets that it lies between, and what else the headers of the answer say.

use super::offset::Offset;
use super::state::Channel;

/// What the headers say belongs to the answer, so it is in its tag: the same events are another answer once they are no longer the newest, or one of them may have been erased.
pub(crate) fn etag(after: Offset, end: Offset, is_up_to_date: bool, is_final: bool, revision: u64) -> String {
    format!("\"{after}-{end}{}\"", state(is_up_to_date, is_final, revision))
}

/// What stands in the ETag of a page after the offsets that it lies between.
fn state(is_up_to_date: bool, is_final: bool, revision: u64) -> String {
    let state = match (is_final, is_up_to_date) {
        (true, _) => "-closed",
        (false, true) => "",
        (false, false) => "-more",
    };
    if revision > 0 { format!("{state}-r{revision}") } else { state.to_owned() }
}

/// Whether it is the ETag of a page that ends at the tail of the channel as it is: who has it knows all that happened there.
pub(crate) fn is_current(tag: &str, channel: &Channel) -> bool {
    let end = format!("-{}{}\"", channel.tail_offset(), state(true, channel.closed, channel.revision));
    let begin = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix(&end));
    begin.is_some_and(|begin| begin.parse::<Offset>().is_ok())
}
