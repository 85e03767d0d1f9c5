//! Operations beside the events: the channel's configuration, its figures, presence, revocations.

use http::{StatusCode, header};

use super::existing::existing;
use crate::access::{Grant, Revocation};
use crate::channel::Channel;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Reply;
use crate::http::headers::{reply, set};
use crate::policy::Policy;
use crate::presence::{Member, Presence};
use crate::stats::Stats;

/// The answer to `HEAD`: the channel's configuration.
///
/// # Errors
///
/// [`ErrorKind::ChannelNotFound`].
pub fn decide_head(channel: Option<&Channel>, policy: &Policy) -> Result<Reply> {
    let channel = existing(channel, policy)?;
    let mut reply = reply(StatusCode::OK, "");
    channel.set_configuration(&mut reply);
    set(&mut reply, header::CACHE_CONTROL, "no-store");
    Ok(reply)
}

/// The channel's figures, to be answered with [`Stats::reply`].
///
/// # Errors
///
/// [`ErrorKind::ChannelNotFound`].
pub fn decide_stats(is_text: bool, channel: Option<&Channel>) -> Result<Stats> {
    let channel = channel
        .ok_or_else(|| Error::new(ErrorKind::ChannelNotFound, "the channel does not exist"))?;
    Ok(Stats::of(channel, is_text))
}

/// The update in `body` of the member whose access is `grant`, and the rules for it. Apply it with
/// [`Presence::update`], then answer with the members.
///
/// # Errors
///
/// [`ErrorKind::RouteNotFound`] if the function has no presence; [`ErrorKind::PresenceInvalid`] and
/// [`ErrorKind::JsonTooDeep`].
pub fn decide_announce(body: &[u8], grant: &Grant, policy: &Policy) -> Result<(Presence, Member)> {
    let presence = policy.presence()?;
    Ok((presence, Member::parse(body, grant, policy.max_json_depth)?))
}

/// The revocation in `body`, and the answer: store it, end the connections that it affects, then
/// answer. The channel need not exist.
///
/// # Errors
///
/// [`ErrorKind::RevocationInvalid`].
pub fn decide_revoke(body: &[u8], now_ms: u64) -> Result<(Revocation, Reply)> {
    Ok((Revocation::parse(body, now_ms)?, reply(StatusCode::NO_CONTENT, "")))
}
