//! Bytes that nobody should send: 100,000 messages and updates, made from good ones by damage, or
//! good but for their clocks. The same ones in every run; `TIDEWIRE_SEED` takes others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use tidewire_yjs::{
    Frames, IdSet, Limits, Message, StateVector, Summary, Update, Updates, awareness, put_frame,
};

const LIMITS: Limits = Limits { bytes: 1 << 20, structs: 2_000, depth: 16 };

/// As much again for what an update is merged with.
const ALL: Limits = Limits { structs: 20_000, ..LIMITS };

/// Numbers with which sums overflow, and their neighbours.
const NUMBERS: [u64; 9] =
    [0, 1, 127, 128, 1 << 31, (1 << 32) - 1, (1 << 53) - 1, 1 << 53, u64::MAX];

/// Xorshift: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap()
    }
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number > 0x7f {
        out.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap());
    out
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random, others: &[Vec<u8>]) {
    let at = random.below(bytes.len() + 1);
    match random.below(9) {
        0 => bytes.truncate(at),
        1 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap(),
        2 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        3 => bytes.insert(at, u8::try_from(random.below(256)).unwrap()),
        4 if at < bytes.len() => drop(bytes.remove(at)),
        // A huge length, count, clock or client.
        5 => {
            let end = (at + random.below(3)).min(bytes.len());
            bytes.splice(at..end, varint(NUMBERS[random.below(NUMBERS.len())]));
        }
        // A part twice, or a part of another one.
        6 => {
            let end = (at + random.below(20)).min(bytes.len());
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        7 => {
            let other = &others[random.below(others.len())];
            let start = random.below(other.len() + 1);
            let end = (start + random.below(30)).min(other.len());
            bytes.splice(at..at, other[start..end].iter().copied());
        }
        _ => bytes.extend([0; 3]),
    }
}

fn good() -> Vec<Vec<u8>> {
    let documents: Vec<Value> =
        serde_json::from_str(include_str!("../vectors/documents.json")).unwrap();
    let results: Vec<Value> =
        serde_json::from_str(include_str!("../vectors/results.json")).unwrap();
    let mut all = Vec::new();
    for document in &documents {
        all.extend(document["updates"].as_array().unwrap().iter());
    }
    for result in &results {
        all.extend([&result["merged"], &result["compacted"], &result["peers"][0]["stateVector"]]);
    }
    let mut all: Vec<_> =
        all.into_iter().map(|it| BASE64_STANDARD.decode(it.as_str().unwrap()).unwrap()).collect();
    // Long ones make a run slow and find nothing more.
    all.retain(|bytes| bytes.len() < 400);
    let framed: Vec<_> = all
        .iter()
        .step_by(7)
        .flat_map(|bytes| [Message::Step1(bytes), Message::Step2(bytes), Message::Awareness(bytes)])
        .map(|message| message.write())
        .collect();
    all.extend(framed);
    all.push(Message::Denied("no").write());
    all.push(Message::Awareness(b"\x02\x01\x00\x02{}\x02\x09\x04null").write());
    all
}

/// A good update whose clocks no document reaches: a text, garbage, and a deletion.
fn absurd(random: &mut Random) -> Vec<u8> {
    let mut number = || varint(NUMBERS[random.below(NUMBERS.len() - 2)]);
    let (client, clock) = (number(), number());
    let text = [&[1, 1][..], &client, &clock, &[4, 1, 1, b't', 1, b'a', 0]];
    let garbage = [&[1, 1][..], &client, &clock, &[0], &number(), &[0]];
    let deletion = [&[0, 1][..], &client, &[1], &clock, &number()];
    [&text[..], &garbage, &deletion][random.below(3)].concat()
}

fn summary(bytes: &[u8]) -> Summary {
    let mut summary = Summary::default();
    summary.add(&Update::scan(bytes, &ALL).unwrap());
    summary
}

fn is_part(part: &IdSet, whole: &IdSet) -> bool {
    part.clients().all(|client| part.of(client).all(|range| whole.contains(client, &range)))
}

/// What holds for every update that is accepted, alone and together with another one.
fn check(bytes: &[u8], other: &[u8], clock: u64) {
    let update = Update::scan(bytes, &LIMITS).unwrap();
    let with = Update::scan(other, &LIMITS).ok();
    let mut updates = Updates::new(ALL);
    updates.add(&update).unwrap();
    if let Some(with) = &with {
        updates.add(with).unwrap();
    }
    let size = bytes.len() + with.as_ref().map_or(0, |_| other.len());
    let known = updates.summary().clone();
    assert!(known.has(&update) && with.is_none_or(|with| known.has(&with)));
    let vector = known.state_vector();
    for client in known.held().clients() {
        let has = vector.get(client);
        assert!(has == 0 || known.held().contains(client, &(0..has)), "{bytes:?}");
        assert!(!known.held().contains(client, &(has..has + 1)), "{bytes:?}");
    }
    let (merged, compacted) = (updates.merge(), updates.compact());
    for written in [&merged, &compacted] {
        assert_eq!(summary(written), known, "{bytes:?} and {other:?}");
        // Links of what was cut or skipped, at most.
        assert!(written.len() < 40 * size + 10, "{} of {size}", written.len());
        let mut again = Updates::new(ALL);
        again.add(&Update::scan(written, &ALL).unwrap()).unwrap();
        assert_eq!(&again.compact(), &compacted, "{bytes:?} and {other:?}");
    }
    let peer: StateVector = known.held().clients().map(|client| (client, clock)).collect();
    let lacks = summary(&updates.diff(&peer));
    assert!(is_part(lacks.held(), known.held()) && lacks.deleted() == known.deleted());
    for client in known.held().clients() {
        for range in known.held().of(client) {
            let rest = range.start.max(clock)..range.end;
            assert!(rest.is_empty() || lacks.held().contains(client, &rest), "{bytes:?}");
        }
        assert!(lacks.held().of(client).all(|range| range.start >= clock), "{bytes:?}");
    }
}

#[test]
fn nothing_panics_and_what_is_accepted_holds_together() {
    let good = good();
    let seed = std::env::var("TIDEWIRE_SEED").map_or(0x5eed, |seed| seed.parse().unwrap());
    println!("TIDEWIRE_SEED={seed}");
    let mut random = Random(seed);
    let (mut accepted, mut refused, mut read) = (0, 0, 0);
    for turn in 0..100_000 {
        let mut bytes = match random.below(10) {
            0 => absurd(&mut random),
            _ => good[random.below(good.len())].clone(),
        };
        for _ in 0..random.below(4) {
            damage(&mut bytes, &mut random, &good);
        }
        let message = Message::read(&bytes);
        let body = match message {
            Ok(
                Message::Step1(body)
                | Message::Step2(body)
                | Message::Update(body)
                | Message::Awareness(body)
                | Message::Saved(body),
            ) => {
                assert_eq!(Message::read(&message.unwrap().write()), message);
                read += 1;
                body
            }
            _ => &bytes,
        };
        if let Ok(states) = awareness::read(body, &LIMITS) {
            let written = awareness::write(&states);
            assert_eq!(awareness::read(&written, &LIMITS).as_ref(), Ok(&states));
        }
        if let Ok(vector) = StateVector::decode(body, &LIMITS) {
            assert_eq!(StateVector::decode(&vector.encode(), &LIMITS), Ok(vector));
        }
        let mut framed = Vec::new();
        for frame in Frames::of(body) {
            match frame {
                Ok((at, content)) => {
                    assert_eq!(&body[at..at + content.len()], content);
                    put_frame(&mut framed, content);
                }
                Err(error) => assert!(error.at <= body.len()),
            }
        }
        assert!(framed.len() <= body.len());
        match Update::scan(body, &LIMITS) {
            Ok(_) => {
                accepted += 1;
                let other = &good[random.below(good.len())];
                check(body, other, NUMBERS[turn % NUMBERS.len()].min(1 << 54));
            }
            Err(error) => {
                assert!(error.at <= body.len(), "{error}");
                refused += 1;
            }
        }
    }
    // The damage is neither too small nor too great to find anything.
    assert!(accepted > 20_000 && refused > 20_000 && read > 5_000, "{accepted} {refused} {read}");
}

#[test]
fn what_fells_others_is_refused_or_read_at_once() {
    let nested = [&[1, 1, 7, 0, 8, 1, 1, b'l', 1][..], &[117, 1].repeat(5_000), &[126, 0]].concat();
    assert!(Update::scan(&nested, &LIMITS).is_err());
    // With these 17 bytes `yrs` 0.28 panics. They hold a list of no values.
    let panics = [1, 1, 0x88, 0x27, 1, 98, 0, 0x88, 0x27, 0, 1, 97, 1, 119, 1, 49, 0];
    assert!(Update::scan(&panics, &LIMITS).is_err());
    // A million structs of garbage in two bytes each.
    let many = [&[1][..], &varint(1_000_000), &[7, 0], &[0, 1].repeat(1_000_000), &[0]].concat();
    assert!(Update::scan(&many, &Limits { bytes: 4 << 20, ..LIMITS }).is_err());
    let huge = Limits { bytes: 4 << 20, structs: 2_000_000, depth: 64 };
    let mut updates = Updates::new(huge);
    updates.add(&Update::scan(&many, &huge).unwrap()).unwrap();
    assert_eq!(updates.merge(), [&[1, 1, 7, 0, 0][..], &varint(1_000_000), &[0]].concat());
}
