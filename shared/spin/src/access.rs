//! Before a decision: whether the client still has access, and the channel's sliding TTL, which
//! begins again.

use tidewire_core::{Error, Grant};

use crate::clock::now_ms;
use crate::store::{ChannelStore, Look, Store};
use crate::watch::Watch;

/// A change that is being decided.
pub(crate) type Attempt = <ChannelStore as Store>::Attempt;

/// Refuses a client whose access has ended. The revocations are read only where there are any.
pub(crate) async fn check_access(
    store: &ChannelStore,
    attempt: Option<&Attempt>,
    look: &Look,
    grant: &Grant,
) -> Result<(), Error> {
    let is_asked = grant.until_ms.is_some() && look.revocations_version > 0;
    let revocations = if is_asked { store.revocations(attempt).await? } else { Vec::new() };
    grant.check_access(&revocations, now_ms())
}

/// Begins a sliding TTL again before anything is decided, so that the channel has not expired when
/// the decision is carried out.
pub(crate) async fn slide(
    store: &ChannelStore,
    attempt: Option<&Attempt>,
    look: &mut Look,
    watch: Option<&Watch>,
) -> Result<(), Error> {
    let Some(stored) = &mut look.stored else { return Ok(()) };
    let Some(channel) = stored.channel.slid(now_ms()) else { return Ok(()) };
    if let Some(watch) = watch {
        watch.slid(&channel);
    }
    store.touch(attempt, stored.id, &channel).await?;
    stored.channel = channel;
    Ok(())
}
