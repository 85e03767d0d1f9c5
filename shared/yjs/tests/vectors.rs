//! The documents that npm `yjs` made (`vectors/documents.json`), and what is written of them
//! (`vectors/results.json`), which `tests/client/yjs.test.ts` gives to npm `yjs` again.
//!
//! `UPDATE_EXPECT=1 cargo test -p tidewire-yjs --test vectors` writes the results.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use tidewire_yjs::{Limits, StateVector, Update, Updates};

const LIMITS: Limits = Limits { bytes: 1 << 20, structs: 10_000, depth: 64 };

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    name: String,
    updates: Vec<String>,
    state_vector: String,
}

#[derive(Serialize)]
struct Outcome {
    name: String,
    merged: String,
    compacted: String,
    peers: Vec<Peer>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Peer {
    updates: usize,
    state_vector: String,
    lacks: String,
}

fn documents() -> Vec<Document> {
    serde_json::from_str(include_str!("../vectors/documents.json")).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).unwrap()
}

fn all(log: &[Vec<u8>]) -> Updates<'_> {
    let mut updates = Updates::new(LIMITS);
    for bytes in log {
        updates.add(&Update::scan(bytes, &LIMITS).unwrap()).unwrap();
    }
    updates
}

fn outcome(document: Document) -> Outcome {
    let log: Vec<_> = document.updates.iter().map(|update| bytes(update)).collect();
    let mut updates = all(&log);
    assert_eq!(updates.summary().state_vector().encode(), bytes(&document.state_vector));
    let step = log.len().div_ceil(4).max(1);
    let peers = (0..=log.len())
        .step_by(step)
        .map(|count| {
            let vector = all(&log[..count]).summary().state_vector();
            assert_eq!(StateVector::decode(&vector.encode(), &LIMITS).as_ref(), Ok(&vector));
            Peer {
                updates: count,
                state_vector: BASE64_STANDARD.encode(vector.encode()),
                lacks: BASE64_STANDARD.encode(updates.diff(&vector)),
            }
        })
        .collect();
    Outcome {
        name: document.name,
        merged: BASE64_STANDARD.encode(updates.merge()),
        compacted: BASE64_STANDARD.encode(updates.compact()),
        peers,
    }
}

#[test]
fn what_yjs_made_becomes_what_yjs_was_shown_to_read() {
    let outcomes: Vec<_> = documents().into_iter().map(outcome).collect();
    let text = serde_json::to_string_pretty(&outcomes).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/results.json");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, text).unwrap();
    } else {
        let expected = std::fs::read_to_string(path).unwrap();
        assert!(text == expected, "UPDATE_EXPECT=1 writes it; then run tests/client/yjs.test.ts");
    }
}

#[test]
fn the_order_of_the_log_does_not_matter() {
    for document in documents() {
        let log: Vec<_> = document.updates.iter().map(|update| bytes(update)).collect();
        let (mut forwards, mut backwards) = (all(&log), Updates::new(LIMITS));
        for bytes in log.iter().rev().chain(&log) {
            backwards.add(&Update::scan(bytes, &LIMITS).unwrap()).unwrap();
        }
        assert_eq!(forwards.summary(), backwards.summary(), "{}", document.name);
        // Where a document has garbage for what an update still holds, the first of both is taken.
        if document.name != "states" {
            assert_eq!(forwards.merge(), backwards.merge(), "{}", document.name);
            assert_eq!(forwards.compact(), backwards.compact(), "{}", document.name);
        }
    }
}
