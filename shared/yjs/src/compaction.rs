//! Turns the structs of one client, in order of their clocks, into the fewest structs of this
//! meaning.

use std::ops::Range;

use crate::block::Block;
use crate::content::Kind;
use crate::cover::Cover;
use crate::id::Id;
use crate::item::{Links, Struct};
use crate::reader::Reader;
use crate::run::Run;
use crate::steps::step;
use crate::text;

/// Stands for half a character (`ContentString.splice` of Yjs).
const HALF: &str = "\u{fffd}";

pub(crate) struct Compaction<'a, I: Iterator<Item = Range<u64>>> {
    block: Block<'a>,
    cover: Cover<I>,
    /// Whether deleted contents may be left out.
    blanks: bool,
    run: Option<Run<'a>>,
    /// The first clock that is not yet written.
    next: u64,
}

impl<'a, I: Iterator<Item = Range<u64>>> Compaction<'a, I> {
    /// Of the units of this client from a clock on, of which these are deleted.
    pub(crate) fn new(client: u64, from: u64, deleted: I, blanks: bool) -> Self {
        let cover = Cover::new(deleted);
        Self { block: Block::new(client), cover, blanks, run: None, next: from }
    }

    /// Adds a struct, which must not begin before the last one: what is there already is left out.
    pub(crate) fn put(&mut self, found: &Struct<'a>) {
        step();
        let Range { start, end } = found.clocks();
        if end <= self.next {
            return;
        }
        let passed = self.next.saturating_sub(start);
        self.next = end;
        let clocks = start + passed..end;
        let Some((links, kind, content)) = found.parts() else {
            self.close();
            self.block.put_garbage(clocks);
            return;
        };
        let links = if passed == 0 {
            links
        } else {
            links.behind(Id { client: self.block.client(), clock: clocks.start - 1 })
        };
        match kind {
            Kind::String => self.put_text(links, clocks, content, passed),
            Kind::Json | Kind::Any => self.put_list(links, kind, clocks, content, passed),
            Kind::Deleted => {
                self.close();
                self.block.put_deleted(links, clocks);
            }
            // A deleted type stays: items name it as their parent.
            _ if self.blanks && kind != Kind::Type && self.cover.stretch(&clocks).1 => {
                self.close();
                self.block.put_deleted(links, clocks);
            }
            _ => {
                self.close();
                self.block.put(&links, kind, clocks).extend_from_slice(content.rest());
            }
        }
    }

    /// Appends what was put, and says whether there is anything.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>) -> bool {
        self.close();
        self.block.finish(out)
    }

    fn put_text(
        &mut self,
        links: Links<'a>,
        clocks: Range<u64>,
        mut content: Reader<'a>,
        passed: u64,
    ) {
        let (mut text, is_half) = text::after(content.text().unwrap_or_default(), passed);
        let blanks = self.blanks;
        let run =
            run(&mut self.run, &mut self.block, blanks, links, Kind::String, clocks.start, false);
        let Range { start: mut at, end } = clocks;
        if is_half {
            let is_deleted = blanks && self.cover.stretch(&(at..at + 1)).1;
            run.push(1, HALF.as_bytes(), is_deleted);
            at += 1;
            let mut characters = text.chars();
            characters.next();
            text = characters.as_str();
        }
        if !blanks {
            run.push(end - at, text.as_bytes(), false);
            return;
        }
        while at < end {
            let (until, mut is_deleted) = self.cover.stretch(&(at..end));
            let (mut bytes, mut units) = text::beginning(text, until - at);
            // It ends within a character, which stays whole: Yjs cuts it where it deletes.
            if units < until - at && (!is_deleted || units == 0) {
                (bytes, units) = text::beginning(text, until - at + 1);
                is_deleted = false;
            }
            let Some((part, rest)) = text.split_at_checked(bytes).filter(|_| units > 0) else {
                break;
            };
            run.push(units, part.as_bytes(), is_deleted);
            (text, at) = (rest, at + units);
        }
    }

    fn put_list(
        &mut self,
        links: Links<'a>,
        kind: Kind,
        clocks: Range<u64>,
        mut content: Reader<'a>,
        passed: u64,
    ) {
        // They were read once: nothing fails, and the depth is known.
        let skip = |content: &mut Reader<'a>, count| kind.skip_values(content, count, usize::MAX);
        if content.uint().and_then(|_| skip(&mut content, passed)).is_err() {
            return;
        }
        let Range { start: mut at, end } = clocks;
        let is_deleted = self.cover.stretch(&(at..end)).1;
        let run = run(&mut self.run, &mut self.block, self.blanks, links, kind, at, is_deleted);
        while at < end {
            let (until, is_deleted) = self.cover.stretch(&(at..end));
            let start = content;
            if skip(&mut content, until - at).is_err() {
                break;
            }
            run.push(until - at, content.since(&start), is_deleted);
            at = until;
        }
    }

    fn close(&mut self) {
        if let Some(run) = self.run.take() {
            run.write(&mut self.block, self.blanks);
        }
    }
}

/// The run that an item continues, or a new one.
fn run<'a, 'b>(
    current: &'b mut Option<Run<'a>>,
    block: &mut Block<'a>,
    blanks: bool,
    links: Links<'a>,
    kind: Kind,
    clock: u64,
    is_deleted: bool,
) -> &'b mut Run<'a> {
    let continues =
        |run: &mut Run<'a>| run.continues(block.client(), &links, kind, clock, is_deleted);
    let kept = current.take_if(continues);
    if let Some(run) = current.take() {
        run.write(block, blanks);
    }
    current.insert(kept.unwrap_or_else(|| Run::new(links, kind, clock)))
}
