//! A function whose snapshots stand for the past: a document is the list of all its edits.

use serde_json::Value;
use tidewire_core::{
    ChannelName, ContentType, Creation, Error, ErrorKind, Event, Function, Identity, Offset,
    Policy, Rights, Settings,
};

/// An event is an edit; a snapshot is the array of all edits so far.
pub(crate) struct Documents;

/// How long a document lives after the last read or append, in seconds.
pub(crate) const LIFE_S: u32 = 20;

impl Function for Documents {
    const NAME: &'static str = "documents";

    fn policy(settings: &Settings) -> Policy {
        Policy {
            tombstone: Some(tombstone),
            max_life_s: Some(LIFE_S),
            ..Policy::new(Creation::OnPublish(ContentType::json()), settings)
                .with_snapshots(compact, settings)
        }
    }

    fn authorize(_: &Identity, _: &ChannelName, _: &Settings) -> Rights {
        Rights::ALL
    }
}

pub(crate) fn tombstone(offset: Offset) -> Vec<u8> {
    format!(r#"{{"erased":"{offset}"}}"#).into()
}

/// Refuses edits of which one is `false`.
fn compact(last: Option<&[u8]>, events: &[Event]) -> Result<Vec<u8>, Error> {
    let edit = |event: &Event| serde_json::from_slice::<Value>(&event.data);
    let edits = events.iter().map(edit).collect::<Result<Vec<_>, _>>();
    let edits = edits.expect("stored JSON parses");
    if edits.contains(&Value::Bool(false)) {
        return Err(Error::new(ErrorKind::EventRefused, "an edit is false"));
    }
    let last: Vec<Value> = last
        .map(|last| serde_json::from_slice(last).expect("a snapshot parses"))
        .unwrap_or_default();
    Ok(Value::from([last, edits].concat()).to_string().into())
}
