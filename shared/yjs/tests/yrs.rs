//! What `yrs` reads in what is written here: the same document, whatever the order, however often
//! an update comes, and wherever the log is cut.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tidewire_yjs::{Limits, StateVector, Summary, Update, Updates};
use yrs::types::text::{Diff, YChange};
use yrs::types::{Attrs, ToJson};
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{
    Any, Array, ArrayPrelim, ClientID, Doc, GetString, Map, MapPrelim, OffsetKind, Options, Out,
    ReadTxn, Text, TextPrelim, Transact, WriteTxn, Xml, XmlElementPrelim, XmlFragment,
    XmlTextPrelim,
};

const LIMITS: Limits = Limits { bytes: 1 << 20, structs: 10_000, depth: 64 };

const CLIENTS: usize = 3;

/// One turn of a client: what it does, and two numbers that say where and with what.
#[derive(Clone, Debug)]
struct Turn {
    client: usize,
    action: u8,
    place: u32,
    choice: u8,
}

prop_compose! {
    fn turn()(client in 0..CLIENTS, action in 0..16u8, place: u32, choice: u8) -> Turn {
        Turn { client, action, place, choice }
    }
}

fn doc(client: u64) -> Doc {
    Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        ..Options::with_client_id(ClientID::new(client))
    })
}

fn apply(doc: &Doc, update: &[u8]) {
    doc.transact_mut().apply_update(yrs::Update::decode_v1(update).unwrap()).unwrap();
}

/// Between two characters: `yrs` cannot cut one.
fn boundary(text: &str, place: u32) -> u32 {
    let count = u32::try_from(text.chars().count()).unwrap();
    let before = text.chars().take((place % (count + 1)) as usize);
    u32::try_from(before.map(char::len_utf16).sum::<usize>()).unwrap()
}

/// Does the turn, and returns the update of it.
fn play(doc: &Doc, turn: &Turn) -> Vec<u8> {
    let Turn { action, place, choice, .. } = *turn;
    let mut txn = doc.transact_mut();
    let (text, list) = (txn.get_or_insert_text("text"), txn.get_or_insert_array("list"));
    let (map, xml) = (txn.get_or_insert_map("map"), txn.get_or_insert_xml_fragment("xml"));
    let written = text.get_string(&txn);
    let (start, end) = (boundary(&written, place), boundary(&written, place / 7));
    let (start, length) = (start.min(end), start.abs_diff(end).min(9));
    // Whole characters only: as many as fit.
    let units: Vec<u16> = written.encode_utf16().collect();
    let ends_within =
        units.get((start + length) as usize).is_some_and(|it| (0xdc00..0xe000).contains(it));
    let length = length + u32::from(ends_within);
    let has_embed = text.len(&txn) as usize != units.len();
    let key = ["a", "b", "long key"][choice as usize % 3];
    match action {
        0..=2 => text.insert(
            &mut txn,
            if has_embed { 0 } else { start },
            ["x", "word ", "é", "😀", "a longer text that is worth leaving out"]
                [choice as usize % 5],
        ),
        3 => {
            let end = text.len(&txn);
            text.insert(&mut txn, end, "y");
        }
        4 | 5 if length > 0 && !has_embed => text.remove_range(&mut txn, start, length),
        6 if length > 0 && !has_embed => {
            let value = if choice % 2 == 0 { Any::Bool(true) } else { Any::Null };
            text.format(&mut txn, start, length, Attrs::from([("bold".into(), value)]));
        }
        7 if choice < 20 => {
            let end = text.len(&txn);
            text.insert_embed(&mut txn, end, Any::from("embedded"));
        }
        8 | 9 => {
            let index = place % (list.len(&txn) + 1);
            match choice % 5 {
                0 => drop(list.insert(&mut txn, index, ArrayPrelim::from([1, 2, 3]))),
                1 => drop(list.insert(&mut txn, index, Any::from(vec![1_u8, 2]))),
                _ => list.insert_range(&mut txn, index, [choice.into(), place.into(), 1.5]),
            }
        }
        10 if list.len(&txn) > 0 => {
            let index = place % list.len(&txn);
            let length = (u32::from(choice) % 3 + 1).min(list.len(&txn) - index);
            list.remove_range(&mut txn, index, length);
        }
        11 | 12 => match (choice % 8, map.get(&txn, key)) {
            (0, _) => drop(map.insert(&mut txn, key, TextPrelim::new("inner"))),
            (1, _) => drop(map.insert(&mut txn, key, MapPrelim::from([("deep", 1)]))),
            (2, _) => drop(map.remove(&mut txn, key)),
            (3, _) => drop(map.insert(
                &mut txn,
                key,
                Doc::with_options(Options { guid: "a subdocument".into(), ..Options::default() }),
            )),
            (_, Some(Out::YText(inner))) => inner.push(&mut txn, "more"),
            (_, Some(Out::YMap(inner))) => drop(inner.insert(&mut txn, "deep", place)),
            _ => drop(map.insert(&mut txn, key, i64::from(place))),
        },
        13 | 14 => {
            let index = place % (xml.len(&txn) + 1);
            if choice % 2 == 0 {
                let element = xml.insert(&mut txn, index, XmlElementPrelim::empty("p"));
                element.insert_attribute(&mut txn, "class", key);
                element.push_back(&mut txn, XmlTextPrelim::new("text"));
            } else {
                xml.insert(&mut txn, index, XmlTextPrelim::new("t"));
            }
        }
        15 if xml.len(&txn) > 0 => {
            let index = place % xml.len(&txn);
            xml.remove_range(&mut txn, index, 1);
        }
        _ => {}
    }
    txn.encode_update_v1()
}

/// All that a user of the document can see, but for formats: when marks come one by one, `yrs` may
/// take one away as superfluous that `yjs` keeps.
#[derive(Debug, PartialEq)]
struct Content {
    vector: yrs::StateVector,
    text: Vec<Out>,
    list: Any,
    map: Any,
    xml: String,
}

fn content(doc: &Doc) -> Content {
    let (text, list) = (doc.get_or_insert_text("text"), doc.get_or_insert_array("list"));
    let (map, xml) = (doc.get_or_insert_map("map"), doc.get_or_insert_xml_fragment("xml"));
    let txn = doc.transact();
    Content {
        vector: txn.state_vector(),
        text: plain(text.diff(&txn, YChange::identity)),
        list: list.to_json(&txn),
        map: map.to_json(&txn),
        xml: xml.get_string(&txn),
    }
}

/// The text in one piece, and what is embedded in it.
fn plain(diffs: Vec<Diff<YChange>>) -> Vec<Out> {
    let mut plain: Vec<Out> = Vec::new();
    for Diff { insert, .. } in diffs {
        match (plain.last_mut(), &insert) {
            (Some(Out::Any(Any::String(before))), Out::Any(Any::String(text))) => {
                *before = format!("{before}{text}").into();
            }
            _ => plain.push(insert),
        }
    }
    plain
}

/// The text with its formats, of one update.
fn formatted(update: &[u8]) -> Vec<Diff<YChange>> {
    let doc = doc(99);
    apply(&doc, update);
    let text = doc.get_or_insert_text("text");
    text.diff(&doc.transact(), YChange::identity)
}

fn content_of<'a>(updates: impl IntoIterator<Item = &'a Vec<u8>>) -> Content {
    let doc = doc(99);
    for update in updates {
        apply(&doc, update);
    }
    content(&doc)
}

fn scan(bytes: &[u8]) -> Update<'_> {
    Update::scan(bytes, &LIMITS).unwrap()
}

fn all<'a>(log: impl IntoIterator<Item = &'a Vec<u8>>) -> Updates<'a> {
    let mut updates = Updates::new(LIMITS);
    for bytes in log {
        updates.add(&scan(bytes)).unwrap();
    }
    updates
}

fn summary<'a>(log: impl IntoIterator<Item = &'a Vec<u8>>) -> Summary {
    all(log).summary().clone()
}

fn vector_of(doc: &Doc) -> StateVector {
    StateVector::decode(&doc.transact().state_vector().encode_v1(), &LIMITS).unwrap()
}

/// Turns of clients that hear of each other now and then: what they sent, in order, and they.
fn session(turns: &[Turn]) -> (Vec<Vec<u8>>, Vec<Doc>) {
    let docs: Vec<_> = (0..CLIENTS as u64).map(|client| doc(client * 1_000 + 1)).collect();
    let mut log = Vec::new();
    for turn in turns {
        if turn.choice % 4 == 0 {
            let other = &docs[turn.place as usize % CLIENTS];
            let vector = docs[turn.client].transact().state_vector();
            let lacks = other.transact().encode_diff_v1(&vector);
            apply(&docs[turn.client], &lacks);
        }
        let update = play(&docs[turn.client], turn);
        // As a server does: what brings nothing is not stored.
        if !scan(&update).is_empty() {
            log.push(update);
        }
    }
    (log, docs)
}

/// The log in an order that the numbers say, with repetitions.
fn shuffled<'a>(log: &'a [Vec<u8>], order: &[usize]) -> Vec<&'a Vec<u8>> {
    let mut shuffled: Vec<_> = log.iter().collect();
    for (index, other) in order.iter().enumerate().take(log.len()) {
        shuffled.swap(index, other % log.len());
        shuffled.push(&log[other % log.len()]);
    }
    shuffled
}

proptest! {
    // The same cases in every run: `yrs` has faults of its own, which are not to be found here.
    #![proptest_config(ProptestConfig {
        cases: 120,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(14),
        ..ProptestConfig::default()
    })]

    #[test]
    fn one_update_is_read_as_all_are(
        turns in prop::collection::vec(turn(), 1..60),
        order in prop::collection::vec(0usize..1_000, 60),
    ) {
        let (log, docs) = session(&turns);
        let expected = content_of(&log);
        let mut updates = all(shuffled(&log, &order));
        let (merged, compact) = (updates.merge(), updates.compact());
        let known = updates.summary().clone();
        prop_assert_eq!(content_of([&merged]), content_of(&log));
        prop_assert_eq!(content_of([&compact]), content_of(&log));
        prop_assert!(compact.len() <= merged.len());
        let by_yrs = yrs::merge_updates_v1(&log).unwrap();
        prop_assert_eq!(formatted(&merged), formatted(&by_yrs));
        prop_assert_eq!(formatted(&compact), formatted(&by_yrs));

        // What is written is as it would be of the log in order, and is not written otherwise the
        // next time.
        prop_assert_eq!(&all(&log).merge(), &merged);
        prop_assert_eq!(&all([&merged]).merge(), &merged);
        prop_assert_eq!(&all([&merged]).compact(), &compact);
        prop_assert_eq!(&all([&compact]).compact(), &compact);
        prop_assert_eq!(summary([&compact]), known.clone());

        prop_assert!(!known.has_gaps());
        prop_assert!(log.iter().all(|update| known.has(&scan(update))));
        let vector = yrs::StateVector::decode_v1(&known.state_vector().encode()).unwrap();
        prop_assert_eq!(vector, expected.vector);

        // Each client gets what it lacks. It may have deleted more than it has sent, by its own
        // reading of what others did at the same time.
        for doc in docs {
            let lacks = updates.diff(&vector_of(&doc));
            let brought = scan(&lacks);
            let mut had = Summary::default();
            let state = doc.transact().encode_state_as_update_v1(&yrs::StateVector::default());
            had.add(&scan(&state));
            apply(&doc, &lacks);
            prop_assert_eq!(content(&doc), content_of(&log));
            // And no more: no unit that it had.
            let mut brings = Summary::default();
            brings.add(&brought);
            for client in brings.held().clients() {
                for range in brings.held().of(client) {
                    prop_assert!(range.start >= had.state_vector().get(client));
                }
            }
            // A client's own state, with its garbage, is as good as the log.
            let state = doc.transact().encode_state_as_update_v1(&yrs::StateVector::default());
            prop_assert_eq!(content_of([&all([&state]).compact()]), content_of(&log));
            prop_assert!(summary([&state]).held() == known.held());
            let mixed = [&log[..log.len() / 2], &[state], &log[log.len() / 2..]].concat();
            prop_assert_eq!(content_of([&all(&mixed).merge()]), content_of(&log));
            prop_assert_eq!(content_of([&all(&mixed).compact()]), content_of(&log));
        }
    }

    #[test]
    fn a_snapshot_stands_for_a_part_of_the_log(
        turns in prop::collection::vec(turn(), 1..50),
        order in prop::collection::vec(0usize..1_000, 60),
        kept in prop::collection::vec(any::<bool>(), 60),
    ) {
        let (log, _) = session(&turns);
        let expected = content_of(&log);
        // Any part, even one with gaps, before or after what it lacks.
        let (part, rest): (Vec<_>, Vec<_>) = shuffled(&log, &order)
            .into_iter()
            .zip(kept.into_iter().cycle())
            .partition(|(_, is_kept)| *is_kept);
        let strip = |part: Vec<(_, _)>| part.into_iter().map(|(it, _)| it).collect::<Vec<_>>();
        let (part, rest) = (strip(part), strip(rest));
        for snapshot in [all(part.clone()).merge(), all(part.clone()).compact()] {
            let after = [&[&snapshot][..], &rest].concat();
            let before = [&rest[..], &[&snapshot]].concat();
            prop_assert_eq!(&content_of([&all(after).compact()]), &expected);
            prop_assert_eq!(&content_of([&all(before).merge()]), &expected);
        }
    }
}
