//! A read: a page, a stream, or a long poll.

use futures_util::stream::unfold;
use tidewire_core::{
    Channel, Error, Framing, Page, PagePlan, Policy, Read, ReadDecision, Reply, Start, Transport,
    decide_read, event_stream_head, timed_out,
};

use crate::access::{check_access, slide};
use crate::change::moment;
use crate::clock::{elapsed, now_ms};
use crate::reader::{News, Reader, Reading};
use crate::respond::{Outgoing, internal, respond, stream};
use crate::store::{ChannelStore, Look, Store, Stored};
use crate::watch::Watch;

/// How often a read looks again because the channel became another between its two looks.
const TRIES: usize = 16;

/// Answers a read: at once, with a stream, or once there is news.
pub(crate) async fn read_channel(read: &Read, reading: &Reading<'_>) -> Result<Outgoing, Error> {
    let Reading { store, grant, policy, .. } = *reading;
    let mut read = read.clone();
    let mut has_waited = false;
    // Requests that wait share their looks. This request must see all that was acknowledged before
    // it, so it accepts no look that began before.
    let watch = (read.transport != Transport::Poll).then(|| Watch::of(store, policy.page));
    for _ in 0..TRIES {
        let mut look = match &watch {
            Some(watch) => watched(store, watch, policy).await?,
            None => kept(store, policy).await?,
        };
        match &watch {
            Some(watch) => grant.check_access(&watch.revocations(), now_ms())?,
            None => check_access(store, None, &look, grant).await?,
        }
        slide(store, None, &mut look, watch.as_deref()).await?;
        match decide_read(&read, look.channel(), policy, moment(&look))? {
            ReadDecision::Reply(reply) => return Ok(respond(reply)),
            ReadDecision::Page(plan) => {
                if let Some(reply) = page_reply(&plan, &look, watch.as_deref(), reading).await? {
                    return Ok(respond(reply));
                }
            }
            ReadDecision::Subscribe(subscribe) => {
                let watch = watch.clone().ok_or_else(|| internal("a reader without a watch"))?;
                let channel = channel_of(&look, policy)?;
                let (offset, cursor, framing) =
                    (channel.offset(subscribe.begins_after()), subscribe.cursor, subscribe.framing);
                let head = event_stream_head(framing, &channel.content_type);
                let absent = policy.absent().unwrap_or(channel);
                let reader = Reader::new(reading, watch, subscribe, look.stored, absent);
                if framing != Framing::News {
                    return Ok(stream(
                        head,
                        unfold(reader, async |mut reader| Some((reader.next().await?, reader))),
                    ));
                }
                // News without an event, as a channel created again, ends the wait like silence.
                if has_waited {
                    return Ok(respond(timed_out(offset, cursor)));
                }
                match reader.wait_for_news().await {
                    News::Reply(reply) => return Ok(respond(reply)),
                    News::None => return Ok(respond(timed_out(offset, cursor))),
                    News::InStore => has_waited = true,
                }
                // `now` was resolved when the wait began.
                read.start = Start::After(offset);
            }
        }
    }
    Err(internal(format!("the channel changed during each of {TRIES} attempts")))
}

/// The answer with a page; `None` if the channel became another between two looks, and the read must
/// be decided again.
async fn page_reply(
    plan: &PagePlan,
    look: &Look,
    watch: Option<&Watch>,
    reading: &Reading<'_>,
) -> Result<Option<Reply>, Error> {
    let Reading { store, policy, .. } = *reading;
    let id = |stored: &Option<Stored>| stored.as_ref().map(|stored| stored.id);
    // The look of another request may have completed since, of a channel that was deleted and
    // created again.
    let recent = watch
        .filter(|watch| plan.snapshot.is_none() && id(&watch.stored()) == id(&look.stored))
        .and_then(|watch| watch.recent(plan.after));
    if let (Some(channel), Some(batch)) = (look.channel(), recent)
        && batch.page.is_up_to_date(channel)
    {
        return Ok(Some(batch.reply(channel, plan)));
    }
    let (seen, page) = if plan.is_at_tail {
        (look.clone(), Page { after: plan.after, events: Vec::new() })
    } else {
        store.look(plan.log_after(), plan.limit(policy.page)).await?
    };
    let channel = channel_of(&seen, policy)?;
    // Cut, deleted or created again between the two looks.
    if id(&seen.stored) != id(&look.stored) || !page.follows(&channel) {
        return Ok(None);
    }
    let Some((seq, stored)) = plan.snapshot.zip(look.stored.as_ref()) else {
        return Ok(Some(plan.reply(&channel, &page)));
    };
    // Removed in the meantime, with an event that was erased or as the oldest of many.
    let Some(data) = store.snapshot(stored, seq).await? else { return Ok(None) };
    let page = plan.with_snapshot(seq, data, page, &channel, policy.page)?;
    Ok(Some(plan.reply(&channel, &page)))
}

/// The channel, or its stand-in if the first publish creates it.
fn channel_of(look: &Look, policy: &Policy) -> Result<Channel, Error> {
    let channel = look.channel().cloned().or_else(|| policy.absent());
    channel.ok_or_else(|| internal("a read without a channel"))
}

/// The channel as a look finds it that begins now or later, without what retention no longer keeps.
async fn watched(store: &ChannelStore, watch: &Watch, policy: &Policy) -> Result<Look, Error> {
    watch.look_since(elapsed()).await?;
    if let Some(stored) =
        watch.stored().filter(|stored| policy.retention.is_exceeded(&stored.channel, now_ms()))
    {
        store.retain(&stored, &policy.retention, now_ms()).await?;
        watch.look_since(elapsed()).await?;
    }
    Ok(Look {
        stored: watch.stored(),
        expired: None,
        last_epoch: 0,
        presence_version: 0,
        revocations_version: 0,
        pulse: None,
    })
}

/// The channel without what retention no longer keeps.
pub(crate) async fn kept(store: &ChannelStore, policy: &Policy) -> Result<Look, Error> {
    let look = store.load().await?;
    match &look.stored {
        Some(stored) if policy.retention.is_exceeded(&stored.channel, now_ms()) => {
            store.retain(stored, &policy.retention, now_ms()).await?;
            Ok(store.load().await?)
        }
        _ => Ok(look),
    }
}
