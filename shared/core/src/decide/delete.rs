//! Deleting a channel.

use http::StatusCode;

use super::commit::Write;
use super::existing::not_found;
use crate::channel::Channel;
use crate::error::Result;
use crate::http::headers::reply;

pub(crate) fn delete(channel: Option<&Channel>) -> Result<Write> {
    channel.ok_or_else(not_found)?;
    Ok(Write::Delete(reply(StatusCode::NO_CONTENT, "")))
}
