//! The summaries of an instance's documents, so that an update that brings nothing is not stored.

use std::cell::RefCell;

use tidewire_core::{
    Awareness, Change, Channel, Documents, Error, LocalFuture, PageLimit, Policy, Reply,
    SnapshotDecision, SnapshotRead, Summary, decide_snapshot,
};

use crate::change::awareness;
use crate::store::{ChannelStore, Store, Stored};

/// Most documents of which an instance keeps a summary, the newest.
const MAX_SUMMARIES: usize = 4;
/// Most ranges of a summary that is kept, about 5 MB. A larger one is made again with each update.
const MAX_RANGES: usize = 100_000;

/// The summary of a document up to an event. The next update reads the events after it.
struct Summarized {
    name: String,
    id: u64,
    seq: u64,
    summary: Box<dyn Summary>,
}

thread_local! {
    static SUMMARIES: RefCell<Vec<Summarized>> = RefCell::default();
}

type News = for<'a> fn(
    &'a ChannelStore,
    &'a Change,
    &'a [u8],
    &'a Policy,
) -> LocalFuture<'a, Result<&'a [u8], Error>>;
type OnAwareness = for<'a> fn(
    &'a ChannelStore,
    &'a Awareness,
    &'a [u8],
    Option<&'a Channel>,
    &'a Policy,
) -> LocalFuture<'a, Result<Reply, Error>>;

type OnSnapshot = fn(&SnapshotRead, Option<&Channel>, &Policy) -> Result<SnapshotDecision, Error>;

/// The code of shared documents: a component has it only if its function has documents.
#[derive(Clone, Copy)]
pub(crate) struct DocumentCode {
    /// The body of a change, or a body that brings nothing.
    pub(crate) news: News,
    /// Carries out a request for the awareness.
    pub(crate) awareness: OnAwareness,
    /// Decides a read of the snapshot.
    pub(crate) snapshot: OnSnapshot,
}

impl DocumentCode {
    pub(crate) const NEW: DocumentCode = DocumentCode {
        news: |store, change, body, policy| Box::pin(news(store, change, body, policy)),
        awareness: |store, asked, body, channel, policy| {
            Box::pin(awareness(store, asked, body, channel, policy))
        },
        snapshot: decide_snapshot,
    };
}

/// The body of a change, or a body that brings nothing if the document has all of the update. Reads
/// without a lock: an update that two clients send at the same moment is stored twice.
async fn news<'a>(
    store: &ChannelStore,
    change: &Change,
    body: &'a [u8],
    policy: &Policy,
) -> Result<&'a [u8], Error> {
    let Some(documents) = policy.documents else { return Ok(body) };
    if body.is_empty() || !matches!(change, Change::Append(_)) {
        return Ok(body);
    }
    let Some(known) = summarized(store, documents).await? else { return Ok(body) };
    let news = known.summary.news(body);
    if known.summary.ranges() <= MAX_RANGES {
        SUMMARIES.with_borrow_mut(|kept| {
            kept.retain(|other| other.name != known.name);
            if kept.len() >= MAX_SUMMARIES {
                kept.remove(0);
            }
            kept.push(known);
        });
    }
    Ok(news)
}

/// `None` without a document, or if it changed during the reads.
fn summarized(
    store: &ChannelStore,
    documents: Documents,
) -> LocalFuture<'_, Result<Option<Summarized>, Error>> {
    Box::pin(async move {
        // Taken, not borrowed: other requests of the instance come in between.
        let kept = SUMMARIES.with_borrow_mut(|kept| {
            let at = kept.iter().position(|known| known.name == store.name())?;
            Some(kept.remove(at))
        });
        if let Some(mut known) = kept {
            let (look, page) = store.look(known.seq, PageLimit::NONE).await?;
            let is_same = |stored: &Stored| stored.id == known.id && page.follows(&stored.channel);
            if look.stored.as_ref().is_some_and(is_same) {
                page.events.iter().for_each(|event| known.summary.add(&event.data));
                known.seq = page.end();
                return Ok(Some(known));
            }
        }
        let Some(stored) = store.load().await?.stored else { return Ok(None) };
        let (past, after) = stored.channel.whole();
        let last = match past {
            Some(seq) => store.snapshot(&stored, seq).await?,
            None => None,
        };
        let (look, page) = store.look(after, PageLimit::NONE).await?;
        let is_same = |now: &Stored| now.id == stored.id && page.follows(&now.channel);
        if last.is_some() != past.is_some() || !look.stored.as_ref().is_some_and(is_same) {
            return Ok(None);
        }
        let summary = (documents.summarize)(last.as_deref(), &page.events)?;
        let name = store.name().to_owned();
        Ok(Some(Summarized { name, id: stored.id, seq: page.end(), summary }))
    })
}
