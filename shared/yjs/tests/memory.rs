//! Memory of the work on a large document, counted by the allocator: all that is there at the peak.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use peak_alloc::PeakAlloc;
use tidewire_yjs::{Limits, StateVector, Update, Updates};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a Durable Object has, for everything.
const OBJECT: usize = 128 << 20;
const LIMITS: Limits = Limits { bytes: 16 << 20, structs: 300_000, depth: 64 };

const UPDATES: u64 = 100_000;
/// Larger than every clock: what is left of it is anywhere.
const PLACE: u64 = 982_451_653;
const TEXT: &[u8] = b"ten bytes.";
/// Updates since the last snapshot, at most.
const AFTER: usize = 500;

fn put_uint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap());
}

/// A client writes the text behind a unit of its own, or into an empty document.
fn text(client: u64, clock: u64, behind: Option<u64>) -> Vec<u8> {
    let mut out = vec![1, 1];
    put_uint(&mut out, client);
    put_uint(&mut out, clock);
    if let Some(unit) = behind {
        out.push(0x84);
        put_uint(&mut out, client);
        put_uint(&mut out, unit);
    } else {
        out.extend([4, 1, 1, b't']);
    }
    out.push(u8::try_from(TEXT.len()).unwrap());
    out.extend(TEXT);
    out.push(0);
    out
}

fn deletion(client: u64, clock: u64, length: u64) -> Vec<u8> {
    let mut out = vec![0, 1];
    for number in [client, 1, clock, length] {
        put_uint(&mut out, number);
    }
    out
}

/// Client 7 writes so many texts, each behind the one before, or behind any where `jumps` says so.
fn typed(jumps: impl Fn(u64) -> bool) -> Vec<Vec<u8>> {
    let length = TEXT.len() as u64;
    let behind = |end: u64, jumps: bool| if jumps { PLACE % end } else { end - 1 };
    (0..UPDATES)
        .map(|number| {
            let end = number * length;
            text(7, end, (number > 0).then(|| behind(end, jumps(number))))
        })
        .collect()
}

/// Clients that write one text each.
fn crowd(clients: u64) -> Vec<Vec<u8>> {
    (0..clients).map(|client| text(client, 0, None)).collect()
}

/// Texts, each of which is deleted before the next.
fn deleted() -> Vec<Vec<u8>> {
    let length = TEXT.len() as u64;
    (0..UPDATES / 2)
        .flat_map(|number| {
            let clock = number * length;
            [text(7, clock, clock.checked_sub(1)), deletion(7, clock, length - 1)]
        })
        .collect()
}

fn all(log: &[Vec<u8>]) -> Updates<'_> {
    let mut updates = Updates::new(LIMITS);
    for bytes in log {
        updates.add(&Update::scan(bytes, &LIMITS).unwrap()).unwrap();
    }
    updates
}

/// The most bytes that were there at once beside what was there before, and what was made.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let made = work();
    (MEMORY.peak_usage() - before, made)
}

/// One test, since the allocator counts for all that run at once.
#[test]
fn a_document_of_a_hundred_thousand_updates_is_compacted_within_an_object() {
    let cases = [
        ("in a row", 130, typed(|_| false)),
        ("here and there", 130, typed(|number| number % 100 == 0)),
        ("each elsewhere", 130, typed(|_| true)),
        ("each deleted", 130, deleted()),
        ("of as many clients", 320, crowd(UPDATES)),
    ];
    for (name, bytes_each, log) in cases {
        let count = log.len();
        let input: usize = log.iter().map(Vec::len).sum();
        let (most, snapshot) = peak(|| all(&log).compact());
        // The output is written twice, into memory that doubles.
        let each = |most: usize| most.saturating_sub(3 * snapshot.len()) / count;
        println!("{name}: {input} bytes become {}; {most}, {} each", snapshot.len(), each(most));
        assert!(each(most) <= bytes_each && input + most < OBJECT / 2, "{name}: {most}");
        assert!(snapshot.len() < input, "{name}");

        // What a server has of it: the last snapshot, and the updates after it.
        let (part, after) = log.split_at(count - AFTER);
        let kept = [vec![all(part).compact()], after.to_vec()].concat();
        let (most, answer) = peak(|| all(&kept).diff(&StateVector::default()));
        println!("{name}: {most} for a new peer, {} each", each(most));
        assert!(each(most) <= bytes_each && input + most < OBJECT / 2, "{name}: {most}");
        assert_eq!(answer, snapshot, "{name}");
    }
    // As many structs as `collab` allows, each of a client of its own, and their log.
    let (whole, _) = peak(|| all(&crowd(300_000)).compact());
    println!("300,000 clients: {whole} at the peak, with their log");
    assert!(whole < OBJECT, "{whole}");
}
