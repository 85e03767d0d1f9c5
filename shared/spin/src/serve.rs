//! What happens to a request on Spin.

use std::rc::Rc;

use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt};
use http::HeaderMap;
use spin_sdk::http::Request;
use spin_sdk::http::body::IncomingBodyExt;
use tidewire_access::cors;
use tidewire_core::{
    Asset, Change, ChangeDecision, Commit, Error, ErrorKind, Framing, Function, Grant, Member, Moment, Operation, Page, Policy, Presence, Read, ReadDecision,
    Reply, RequestHead, Scope, Settings, Start, Target, Tenant, Trace, Transport, Write, decide_announce, decide_change, decide_head, decide_read,
    decide_revoke, decide_stats, event_stream_head, fault, file, policy_of, presence_reply, route, timed_out, without_websocket,
};

use crate::activity::{count, counted, instance};
use crate::clock::{elapsed, entropy, now_ms};
use crate::complain::complain;
use crate::identity::identify;
use crate::reader::{News, Reader};
use crate::respond::{Answer, Outgoing, internal, refuse, respond, send, stream};
use crate::route::{Call, Publisher};
use crate::settings::settings;
use crate::store::{Look, Store};
use crate::sweep::sweep;
use crate::tenant::erase;
use crate::watch::Watch;

/// Appends between two cuts of retention. A read cuts as well, so that no reader sees more than is kept.
const APPENDS_PER_CUT: u64 = 64;

/// How often a read looks again because the channel became another between its two looks.
const TRIES: usize = 16;

/// How much more of a body that is too large is read, and dropped, before it is refused: the platform closes the connection with the answer, and a client
/// that is still writing then sees a broken pipe in place of 413.
const HEARD_OUT_BYTES: usize = 32 * 1024 * 1024;

/// Serves a function below its route in `spin.toml`, or below the variable `base_path`.
pub async fn serve<F: Function>(request: Request) -> Answer {
    serve_routes::<F>(request, async |_| Err(Error::new(ErrorKind::RouteNotFound, "this function has no routes of its own"))).await
}

/// The same for a function that has [`Function::ROUTES`]: `own` carries out a request at one of them and answers.
pub async fn serve_routes<F: Function>(request: Request, own: impl AsyncFnOnce(Call) -> Result<Reply, Error>) -> Answer {
    let (mut headers, mut trace) = (Vec::new(), None);
    let outgoing = answer::<F>(request, &mut headers, &mut trace, own).await.unwrap_or_else(|error| {
        println!("{}", trace.map_or_else(|| fault(None, &error), |trace| trace.refused(&error, now_ms())));
        refuse(&error)
    });
    send(outgoing, headers)
}

/// Serves files below the component's route: the gallery.
pub async fn serve_assets(request: Request, assets: &[Asset], policy: &str) -> Answer {
    let base = base(request.headers());
    let path = request.uri().path().strip_prefix(base.as_str()).unwrap_or_default();
    let reply = file(assets, path, request.method().as_str(), policy);
    send(reply.map_or_else(|error| refuse(&error), |file| respond(without_websocket(file))), Vec::new())
}

async fn answer<F: Function>(
    request: Request,
    headers: &mut Vec<(&'static str, String)>,
    trace: &mut Option<Trace>,
    own: impl AsyncFnOnce(Call) -> Result<Reply, Error>,
) -> Result<Outgoing, Error> {
    let (parts, body) = request.into_parts();
    let settings = settings(&base(&parts.headers)).await?;
    // Of several values of a header the platform would take the first; joined, they are seen for what they are. HTTP/2 takes cookies apart (RFC 9113, section 8.2.3).
    let header = |name: &str| {
        let values: Vec<_> = parts.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(if name == "cookie" { "; " } else { ", " }))
    };
    let url = told(&parts.headers, "spin-full-url").unwrap_or_default();
    let head = RequestHead { method: parts.method.as_str(), url, path: parts.uri.path(), query: parts.uri.query().unwrap_or_default(), headers: &header };
    *headers = cors(&head, &settings);
    let trace = trace.insert(Trace::new::<F>(&head, &settings, u64::from(entropy()) << 32 | u64::from(entropy()), now_ms()));
    let asked = match route::<F>(&head, &settings)? {
        Target::Reply(reply) => return Ok(respond(without_websocket(reply))),
        Target::Channel(asked) => asked.authorize::<F>(&identify(F::NAME, &head, &settings).await?, &settings)?,
        Target::EraseTenant(tenant) => {
            let tenant = tenant.authorize::<F>(&identify(F::NAME, &head, &settings).await?, &settings)?;
            return erase(F::NAME, &tenant).await.map(|is_done| respond(Tenant::erased(is_done))).map_err(internal);
        }
        Target::Route(routed) => {
            let routed = routed.authorize::<F>(&identify(F::NAME, &head, &settings).await?, &settings)?;
            let channel = Publisher::new(F::NAME, policy_of::<F>(Some(&routed.channel), &settings), &routed);
            let body = Box::pin(body.stream().map(|chunk| chunk.map(Vec::from).map_err(broke_off)));
            return own(Call { routed, body, channel, settings }).await.map(respond);
        }
    };
    let policy = policy_of::<F>(Some(&asked.channel), &settings);
    let store = Store::new(F::NAME, asked.channel.as_str(), policy.presence.is_some());
    let bytes =
        if asked.operation.has_body() { read_body(body.stream().map(|chunk| chunk.map_err(broke_off)), settings.max_body_bytes).await? } else { Vec::new() };
    let reply = match &asked.operation {
        Operation::Read(read) if read.transport == Transport::WebSocket => {
            return Err(Error::new(
                ErrorKind::WebSocketUnsupported,
                "Spin does not support WebSockets: read this address as SSE (Accept: text/event-stream), publish with POST",
            ));
        }
        Operation::Read(read) => {
            return read_channel(store.clone(), read, &asked.grant, trace, &policy, settings).await.inspect_err(|error| {
                if error.kind() == ErrorKind::OffsetGone {
                    count(&store, |activity| activity.gaps += 1);
                }
            });
        }
        Operation::Change(change) => carry_out(&store, change, &asked.grant, &bytes, &policy).await?,
        Operation::Head => {
            let look = store.load().await.map_err(internal)?;
            admit(&store, &look, &asked.grant).await?;
            decide_head(look.channel(), &policy)?
        }
        Operation::Members => {
            admit(&store, &store.load().await.map_err(internal)?, &asked.grant).await?;
            members(&store, policy.presence()?, None).await?
        }
        Operation::Announce => {
            admit(&store, &store.load().await.map_err(internal)?, &asked.grant).await?;
            let (presence, said) = decide_announce(&bytes, &asked.grant, &policy)?;
            members(&store, presence, Some(said)).await?
        }
        Operation::Revoke => {
            admit(&store, &store.load().await.map_err(internal)?, &asked.grant).await?;
            let (revocation, reply) = decide_revoke(&bytes, now_ms())?;
            store.put_revocation(&revocation).await.map_err(internal)?;
            reply
        }
        Operation::Stats { is_text } => {
            let look = kept(&store, &policy).await?;
            admit(&store, &look, &asked.grant).await?;
            decide_stats(*is_text, look.channel())?.reply(F::NAME, asked.channel.as_str(), Scope::Instance(instance()), &counted(&store))
        }
    };
    Ok(respond(reply))
}

/// Reads a body, no further than it may be long.
async fn read_body(mut chunks: impl Stream<Item = Result<impl AsRef<[u8]>, Error>> + Unpin, longest: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(chunk?.as_ref());
        if bytes.len() as u64 > longest {
            let mut heard = 0;
            while heard < HEARD_OUT_BYTES
                && let Some(Ok(chunk)) = chunks.next().await
            {
                heard += chunk.as_ref().len();
            }
            return Err(Error::new(ErrorKind::BodyTooLarge, format!("a body has at most {longest} bytes")));
        }
    }
    Ok(bytes)
}

fn broke_off(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::BodyIncomplete, format!("the body is incomplete: {cause}"))
}

/// What Spin tells of a request. It stands behind what the client itself sent under the name.
fn told<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(name).iter().next_back().and_then(|value| str::from_utf8(value.as_bytes()).ok())
}

/// The part of the route before its wildcard: `/feed/` for `/feed/...`.
fn base(headers: &HeaderMap) -> String {
    let route = told(headers, "spin-matched-route").unwrap_or("/...");
    let base = route.strip_suffix("...").unwrap_or(route);
    if base.ends_with('/') { base.into() } else { format!("{base}/") }
}

fn moment(look: &Look) -> Moment {
    Moment { now_ms: now_ms(), entropy: entropy(), last_epoch: look.last_epoch }
}

/// Carries out a change, and counts the publishes that are refused.
pub(crate) async fn carry_out(store: &Store, change: &Change, grant: &Grant, body: &[u8], policy: &Policy) -> Result<Reply, Error> {
    let changed = decide_and_write(store, change, grant, body, policy).await;
    if changed.is_err() && matches!(change, Change::Append(_)) {
        count(store, |activity| activity.refusals += 1);
    }
    changed
}

/// Decides on the channel as it is, writes if it still is so, and decides again under the lock if it is not.
async fn decide_and_write(store: &Store, change: &Change, grant: &Grant, body: &[u8], policy: &Policy) -> Result<Reply, Error> {
    let mut look = store.load().await.map_err(internal)?;
    admit(store, &look, grant).await?;
    if matches!(change, Change::Append(_)) {
        slide(store, &mut look, None).await?;
    }
    let tallies = store.known(&look, change.tallies(grant, policy)).await.map_err(internal)?;
    match decide_change(change, grant, body, look.channel(), &tallies, policy, moment(&look))? {
        ChangeDecision::Write(Write::Nothing(reply)) => return Ok(reply),
        ChangeDecision::Write(Write::Commit(commit, reply)) => {
            if let Some(before) = &look.stored
                && !commit.is_channel_changed
                && commit.tallies.is_empty()
                && store.append(before, &commit).await.map_err(internal)?
            {
                retain(store, &commit, before.id, policy).await;
                sweep();
                return Ok(reply);
            }
        }
        ChangeDecision::Write(Write::Delete(_)) | ChangeDecision::Erase(_) => {}
    }
    let (transaction, look) = store.lock().await.map_err(internal)?;
    let tallies = store.known_on(transaction.connection(), &look, change.tallies(grant, policy)).await.map_err(internal)?;
    let write = match decide_change(change, grant, body, look.channel(), &tallies, policy, moment(&look)) {
        Ok(ChangeDecision::Write(write)) => Ok(write),
        Ok(ChangeDecision::Erase(plan)) => {
            let event = store.event(&transaction, &look, plan.seq).await.map_err(internal)?;
            let channel = look.channel().ok_or_else(|| internal("an erasure without a channel"))?;
            plan.decide(channel, event, moment(&look))
        }
        Err(error) => Err(error),
    };
    let reply = match write {
        Ok(Write::Nothing(reply)) => Ok(reply),
        Ok(Write::Commit(commit, reply)) => {
            if let Some(expired) = &look.expired {
                store.delete(&transaction, expired).await.map_err(internal)?;
            }
            store.write(&transaction, look.stored.as_ref(), &commit).await.map_err(internal)?;
            Ok(reply)
        }
        Ok(Write::Delete(reply)) => {
            if let Some(stored) = &look.stored {
                store.delete(&transaction, stored).await.map_err(internal)?;
            }
            Ok(reply)
        }
        Err(error) => Err(error),
    };
    match reply {
        Ok(reply) => {
            transaction.commit().await.map_err(internal)?;
            sweep();
            Ok(reply)
        }
        Err(error) => {
            transaction.roll_back().await.map_err(internal)?;
            Err(error)
        }
    }
}

/// Refuses who had access by its credential and has it no more. The revocations are read only where there are any.
async fn admit(store: &Store, look: &Look, grant: &Grant) -> Result<(), Error> {
    let is_asked = grant.until_ms.is_some() && look.revocations_version > 0;
    let revocations = if is_asked { store.revocations().await.map_err(internal)? } else { Vec::new() };
    grant.check_access(&revocations, now_ms())
}

/// Begins a sliding TTL again before anything is decided, so that what is decided upon has not expired.
async fn slide(store: &Store, look: &mut Look, watch: Option<&Watch>) -> Result<(), Error> {
    if let Some(stored) = &mut look.stored
        && let Some(channel) = stored.channel.slid(now_ms())
    {
        if let Some(watch) = watch {
            watch.slid(&channel);
        }
        store.touch(stored.id, &channel).await.map_err(internal)?;
        stored.channel = channel;
    }
    Ok(())
}

/// Takes what a member says of itself, if it says anything, and answers with those present. Two that join at the same moment may pass the limit by one.
async fn members(store: &Store, presence: Presence, said: Option<Member>) -> Result<Reply, Error> {
    let now_ms = now_ms();
    let mut members = tidewire_core::members_at(&store.leases().await.map_err(internal)?, now_ms);
    if let Some(said) = said {
        let is_news = presence.update(&mut members, &said)?;
        if is_news || said.state.is_some() {
            store.put_member(&said, is_news, now_ms + presence.lease_ms, now_ms).await.map_err(internal)?;
        }
    }
    Ok(presence_reply(&members))
}

/// Now and then, since each cut is a write of its own. A failure keeps more than it should, which the next cut mends.
async fn retain(store: &Store, commit: &Commit, id: u64, policy: &Policy) {
    let channel = &commit.channel;
    let crossed = channel.tail / APPENDS_PER_CUT != (channel.tail - commit.rows.len() as u64) / APPENDS_PER_CUT;
    if crossed && policy.retention.is_exceeded(channel, now_ms()) {
        let stored = crate::store::Stored { id, channel: channel.clone() };
        if let Err(cause) = store.retain(&stored, &policy.retention, now_ms()).await {
            complain(Some(&store.hash()), format!("retention failed: {cause}"));
        }
    }
}

async fn read_channel(store: Store, read: &Read, grant: &Grant, trace: &Trace, policy: &Policy, settings: Rc<Settings>) -> Result<Outgoing, Error> {
    let mut read = read.clone();
    let mut has_waited = false;
    // Those that wait share their looks. What was acknowledged before this request holds for it, so it takes none that began before.
    let watch = (read.transport != Transport::Poll).then(|| Watch::of(&store, policy.page));
    for _ in 0..TRIES {
        let mut look = match &watch {
            Some(watch) => watched(&store, watch, policy).await?,
            None => kept(&store, policy).await?,
        };
        match &watch {
            Some(watch) => grant.check_access(&watch.revocations(), now_ms())?,
            None => admit(&store, &look, grant).await?,
        }
        slide(&store, &mut look, watch.as_deref()).await?;
        match decide_read(&read, look.channel(), policy, moment(&look))? {
            ReadDecision::Reply(reply) => return Ok(respond(reply)),
            ReadDecision::Page(plan) => {
                // A neighbour's look may have landed since, of a channel that was made anew.
                let same = watch.as_ref().filter(|watch| watch.stored().map(|stored| stored.id) == look.stored.as_ref().map(|stored| stored.id));
                let batch = same.and_then(|watch| watch.recent(plan.after));
                if let (Some(channel), Some(batch)) = (look.channel(), batch)
                    && batch.page.is_up_to_date(channel)
                {
                    return Ok(respond(batch.reply(channel, &plan)));
                }
                let (seen, page) = if plan.is_at_tail {
                    (look.clone(), Page { after: plan.after, events: Vec::new() })
                } else {
                    store.look(plan.after, plan.limit(policy.page)).await.map_err(internal)?
                };
                let is_same = seen.stored.as_ref().map(|stored| stored.id) == look.stored.as_ref().map(|stored| stored.id);
                let channel = seen.channel().cloned().or_else(|| policy.absent()).ok_or_else(|| internal("a page without a channel"))?;
                // Cut, deleted or made anew between the two looks: decide again.
                if is_same && page.follows(&channel) {
                    return Ok(respond(plan.reply(&channel, &page)));
                }
            }
            ReadDecision::Subscribe(subscribe) => {
                let watch = watch.clone().ok_or_else(|| internal("a reader without a watch"))?;
                let absent = policy.absent();
                let channel = look.channel().cloned().or_else(|| absent.clone()).ok_or_else(|| internal("a reader without a channel"))?;
                let (offset, cursor, framing) = (channel.offset(subscribe.after), subscribe.cursor, subscribe.framing);
                let head = event_stream_head(framing, &channel.content_type);
                let reader =
                    Reader::new(store.clone(), watch, Rc::clone(&settings), subscribe, (grant.clone(), trace.clone()), look.stored, absent.unwrap_or(channel));
                if framing != Framing::News {
                    return Ok(stream(head, unfold(reader, async |mut reader| Some((reader.next().await?, reader)))));
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
async fn watched(store: &Store, watch: &Watch, policy: &Policy) -> Result<Look, Error> {
    watch.look_since(elapsed()).await.map_err(internal)?;
    if let Some(stored) = watch.stored().filter(|stored| policy.retention.is_exceeded(&stored.channel, now_ms())) {
        store.retain(&stored, &policy.retention, now_ms()).await.map_err(internal)?;
        watch.look_since(elapsed()).await.map_err(internal)?;
    }
    Ok(Look { stored: watch.stored(), expired: None, last_epoch: 0, presence_version: 0, revocations_version: 0 })
}

/// The channel without what retention no longer keeps.
async fn kept(store: &Store, policy: &Policy) -> Result<Look, Error> {
    let look = store.load().await.map_err(internal)?;
    match &look.stored {
        Some(stored) if policy.retention.is_exceeded(&stored.channel, now_ms()) => {
            store.retain(stored, &policy.retention, now_ms()).await.map_err(internal)?;
            store.load().await.map_err(internal)
        }
        _ => Ok(look),
    }
}
