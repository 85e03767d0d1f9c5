//! Decides an operation that changes the channel.

use super::append::append;
use super::commit::Write;
use super::create::create;
use super::delete::delete;
use super::erase::{ErasePlan, erase};
use super::moment::Moment;
use crate::access::Grant;
use crate::channel::Channel;
use crate::error::Result;
use crate::policy::Policy;
use crate::publish::Tally;
use crate::request::Change;

/// The next step of an adapter that carries out a change.
#[derive(Debug)]
pub enum ChangeDecision {
    /// The decision is complete.
    Write(Write),
    /// Read the event and continue with [`ErasePlan::decide`].
    Erase(ErasePlan),
}

/// Decides a change by the client whose access is `grant`. `channel` must be `None` for a channel
/// that [has expired](Channel::is_expired). `body` is empty for all but `PUT` and `POST`; `tallies`
/// are [`Change::tallies`], each with the state that the channel has of it.
///
/// # Errors
///
/// The error that Durable Streams defines for the request and state; nothing was changed.
pub fn decide_change(
    change: &Change,
    grant: &Grant,
    body: &[u8],
    channel: Option<&Channel>,
    tallies: &[Tally],
    policy: &Policy,
    moment: Moment,
) -> Result<ChangeDecision> {
    let decision = match change {
        Change::Create(asked) => {
            ChangeDecision::Write(create(channel, asked, grant, tallies, body, policy, moment)?)
        }
        Change::Append(asked) => {
            ChangeDecision::Write(append(channel, asked, grant, tallies, body, policy, moment)?)
        }
        Change::Delete { .. } => ChangeDecision::Write(delete(channel)?),
        Change::Erase { offset, by, .. } => {
            ChangeDecision::Erase(erase(*offset, by.as_ref(), channel, policy)?)
        }
    };
    // Preconditions come last: another refusal takes precedence (RFC 9110, section 13.2.1), and a
    // repeated append is acknowledged again (13.1.1).
    if !matches!((change, &decision), (Change::Append(_), ChangeDecision::Write(Write::Nothing(_))))
    {
        change.only_if().check(channel)?;
    }
    Ok(decision)
}
