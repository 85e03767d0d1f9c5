//! A read: a page, a stream, or a long poll.

use std::rc::Rc;

use futures_util::stream::unfold;
use tidewire_core::{
    Error, Framing, Grant, Page, Policy, Read, ReadDecision, Settings, Start, Trace, Transport,
    decide_read, event_stream_head, timed_out,
};

use crate::access::{check_access, slide};
use crate::change::moment;
use crate::clock::{elapsed, now_ms};
use crate::reader::{News, Reader};
use crate::respond::{Outgoing, internal, respond, stream};
use crate::store::{ChannelStore, Look, Store};
use crate::watch::Watch;

/// How often a read looks again because the channel became another between its two looks.
const TRIES: usize = 16;

/// Answers a read: at once, with a stream, or once there is news.
pub(crate) async fn read_channel(
    store: ChannelStore,
    read: &Read,
    grant: &Grant,
    trace: &Trace,
    policy: &Policy,
    settings: Rc<Settings>,
) -> Result<Outgoing, Error> {
    let mut read = read.clone();
    let mut has_waited = false;
    // Those that wait share their looks. What was acknowledged before this request holds for it, so
    // it takes none that began before.
    let watch = (read.transport != Transport::Poll).then(|| Watch::of(&store, policy.page));
    for _ in 0..TRIES {
        let mut look = match &watch {
            Some(watch) => watched(&store, watch, policy).await?,
            None => kept(&store, policy).await?,
        };
        match &watch {
            Some(watch) => grant.check_access(&watch.revocations(), now_ms())?,
            None => check_access(&store, None, &look, grant).await?,
        }
        slide(&store, None, &mut look, watch.as_deref()).await?;
        match decide_read(&read, look.channel(), policy, moment(&look))? {
            ReadDecision::Reply(reply) => return Ok(respond(reply)),
            ReadDecision::Page(plan) => {
                // A neighbour's look may have landed since, of a channel that was deleted and
                // created again.
                let same = watch.as_ref().filter(|watch| {
                    watch.stored().map(|stored| stored.id)
                        == look.stored.as_ref().map(|stored| stored.id)
                });
                let batch = same
                    .filter(|_| plan.snapshot.is_none())
                    .and_then(|watch| watch.recent(plan.after));
                if let (Some(channel), Some(batch)) = (look.channel(), batch)
                    && batch.page.is_up_to_date(channel)
                {
                    return Ok(respond(batch.reply(channel, &plan)));
                }
                let (seen, page) = if plan.is_at_tail {
                    (look.clone(), Page { after: plan.after, events: Vec::new() })
                } else {
                    store.look(plan.log_after(), plan.limit(policy.page)).await?
                };
                let is_same = seen.stored.as_ref().map(|stored| stored.id)
                    == look.stored.as_ref().map(|stored| stored.id);
                let channel = seen
                    .channel()
                    .cloned()
                    .or_else(|| policy.absent())
                    .ok_or_else(|| internal("a page without a channel"))?;
                // Cut, deleted or created again between the two looks: decide again.
                if !is_same || !page.follows(&channel) {
                    continue;
                }
                let Some((seq, stored)) = plan.snapshot.zip(look.stored.as_ref()) else {
                    return Ok(respond(plan.reply(&channel, &page)));
                };
                // Removed, with an event that was erased or as the oldest of many: decide again.
                if let Some(data) = store.snapshot(stored, seq).await? {
                    let page = plan.with_snapshot(seq, data, page, &channel, policy.page)?;
                    return Ok(respond(plan.reply(&channel, &page)));
                }
            }
            ReadDecision::Subscribe(subscribe) => {
                let watch = watch.clone().ok_or_else(|| internal("a reader without a watch"))?;
                let absent = policy.absent();
                let channel = look
                    .channel()
                    .cloned()
                    .or_else(|| absent.clone())
                    .ok_or_else(|| internal("a reader without a channel"))?;
                let (offset, cursor, framing) =
                    (channel.offset(subscribe.begins_after()), subscribe.cursor, subscribe.framing);
                let head = event_stream_head(framing, &channel.content_type);
                let reader = Reader::new(
                    store.clone(),
                    watch,
                    Rc::clone(&settings),
                    subscribe,
                    (grant.clone(), trace.clone()),
                    look.stored,
                    absent.unwrap_or(channel),
                );
                if framing != Framing::News {
                    return Ok(stream(
                        head,
                        unfold(reader, async |mut reader| Some((reader.next().await?, reader))),
                    ));
                }
                // News that was no event sends the client back like none.
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
