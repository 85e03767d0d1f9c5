//! The pulses of channels, in one statement. It reads no channel if nothing in the file has changed.

use std::cell::RefCell;

use super::database::{execute, shared};
use super::rows::{self, damaged, integer, number, optional, text};
use super::sql;
use crate::store::{Look, Result};

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// The names of the last question, and the version of the store then.
#[derive(Default)]
struct Seen {
    names: Vec<String>,
    version: Option<(u64, u64)>,
}

/// The pulse of each of these channels; `None` if all is as it was at the last question.
pub(super) async fn pulses(names: &[String]) -> Result<Option<Vec<Option<String>>>> {
    let connection = shared().await?;
    let version = SEEN.with_borrow(|seen| seen.version.filter(|_| seen.names == names));
    // No name has a character that JSON escapes.
    let json = format!("[\"{}\"]", names.join("\",\""));
    let values = vec![
        text(&json),
        optional(version, |(others, _)| number(others)),
        optional(version, |(_, own)| number(own)),
    ];
    let row = execute(&connection, sql::PULSES, values).await?.into_iter().next();
    let [others, own, pulses] =
        row.and_then(|row| row.try_into().ok()).ok_or_else(|| damaged("pulse"))?;
    let now = integer(&others).zip(integer(&own)).ok_or_else(|| damaged("version"))?;
    let Some(pulses) = rows::optional_text(pulses) else {
        return if version == Some(now) { Ok(None) } else { Err(damaged("pulse")) };
    };
    let pulses: Vec<_> = pulses.lines().map(|pulse| Some(pulse.to_owned())).collect();
    if pulses.len() != names.len() {
        return Err(damaged("pulse"));
    }
    SEEN.set(Seen { names: names.to_vec(), version: Some(now) });
    Ok(Some(pulses))
}

/// The pulse of the channel of a look, as [`sql::PULSES`] writes it.
pub(super) fn of(look: &Look) -> String {
    let channel = look.stored.as_ref().map_or_else(
        || "-".to_owned(),
        |stored| {
            let channel = &stored.channel;
            let first = if channel.first > channel.tail { 0 } else { channel.first };
            let closed = u8::from(channel.closed);
            format!("{} {closed} {} {} {first}", stored.id, channel.revision, channel.tail)
        },
    );
    format!("{channel} {} {}", look.presence_version, look.revocations_version)
}
