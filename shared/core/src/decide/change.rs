//! What to do with an operation that changes the channel.

use super::append::append;
use super::commit::Write;
use super::create::create;
use super::delete::delete;
use super::erase::{ErasePlan, erase};
use super::moment::Moment;
use crate::channel::Channel;
use crate::error::Result;
use crate::policy::Policy;
use crate::publish::Tally;
use crate::request::Change;

/// The next step of an adapter that carries out a change.
#[derive(Debug)]
pub enum ChangeDecision {
    /// All is decided.
    Write(Write),
    /// Read the event and go on with [`ErasePlan::decide`].
    Erase(ErasePlan),
}

/// Decides a change. `channel` is `None` also for one that [has expired](Channel::is_expired). `body` is empty for all but `PUT` and `POST`; `tallies` are
/// [`Change::tallies`], with what the channel knows of each.
///
/// # Errors
///
/// What Durable Streams says for the request and state; nothing was changed then.
pub fn decide_change(change: &Change, body: &[u8], channel: Option<&Channel>, tallies: &[Tally], policy: &Policy, moment: Moment) -> Result<ChangeDecision> {
    let decision = match change {
        Change::Create(asked) => ChangeDecision::Write(create(channel, asked, tallies, body, policy, moment)?),
        Change::Append(asked) => ChangeDecision::Write(append(channel, asked, tallies, body, policy, moment)?),
        Change::Delete { .. } => ChangeDecision::Write(delete(channel)?),
        Change::Erase { offset, by, .. } => ChangeDecision::Erase(erase(*offset, by.as_ref(), channel, policy)?),
    };
    // Last: of what is refused anyway the reason counts (RFC 9110, section 13.2.1), and what was stored before is acknowledged again (13.1.1).
    if !matches!((change, &decision), (Change::Append(_), ChangeDecision::Write(Write::Nothing(_)))) {
        change.only_if().check(channel)?;
    }
    Ok(decision)
}
