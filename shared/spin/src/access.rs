//! What comes before a decision: whether the client still has access, and that the channel's
//! sliding TTL begins again.

use spin_sdk::sqlite::Connection;
use tidewire_core::{Error, Grant};

use crate::clock::now_ms;
use crate::respond::internal;
use crate::store::{Look, Store};
use crate::watch::Watch;

/// Refuses who had access by its credential and has it no more. The revocations are read only where
/// there are any.
pub(crate) async fn check_access(
    connection: &Connection,
    store: &Store,
    look: &Look,
    grant: &Grant,
) -> Result<(), Error> {
    let is_asked = grant.until_ms.is_some() && look.revocations_version > 0;
    let revocations = if is_asked {
        store.revocations_on(connection).await.map_err(internal)?
    } else {
        Vec::new()
    };
    grant.check_access(&revocations, now_ms())
}

/// Begins a sliding TTL again before anything is decided, so that what is decided upon has not
/// expired; says whether that was written.
pub(crate) async fn slide(
    connection: &Connection,
    store: &Store,
    look: &mut Look,
    watch: Option<&Watch>,
) -> Result<bool, Error> {
    let Some(stored) = &mut look.stored else { return Ok(false) };
    let Some(channel) = stored.channel.slid(now_ms()) else { return Ok(false) };
    if let Some(watch) = watch {
        watch.slid(&channel);
    }
    store.touch(connection, stored.id, &channel).await.map_err(internal)?;
    stored.channel = channel;
    Ok(true)
}
