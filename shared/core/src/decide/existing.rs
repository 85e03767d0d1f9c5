//! The channel that an operation needs.

use crate::channel::Channel;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::Policy;

/// The channel, or its stand-in if the first publish creates it.
///
/// # Errors
///
/// [`ErrorKind::ChannelNotFound`] if only `PUT` creates a channel.
pub(crate) fn existing(channel: Option<&Channel>, policy: &Policy) -> Result<Channel> {
    channel.cloned().or_else(|| policy.absent()).ok_or_else(not_found)
}

pub(crate) fn not_found() -> Error {
    Error::new(ErrorKind::ChannelNotFound, "the channel does not exist: create it with PUT first")
}
