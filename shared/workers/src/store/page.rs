//! The events of a page, in one call: a value that crosses from JavaScript costs more than copying
//! a kilobyte.

use js_sys::{Array, Float64Array, Uint8Array};
use tidewire_core::{Event, Page, PageLimit};
use wasm_bindgen::prelude::*;
use worker::{Result, SqlStorage};

use super::sql;

#[wasm_bindgen(inline_js = "
export function read_events(sql, statement, after, max_events, max_bytes) {
    const heads = [];
    const values = [];
    let bytes = 0;
    for (const [seq, data] of sql.exec(statement, after, max_events).raw()) {
        if (!(data instanceof ArrayBuffer)) throw new Error(`the store has ${typeof data} instead of an event`);
        heads.push(seq, data.byteLength);
        values.push(data);
        bytes += data.byteLength;
        // It does not fit, unless it is the only event.
        if (bytes > max_bytes) break;
    }
    const joined = new Uint8Array(bytes);
    let end = 0;
    for (const value of values) {
        joined.set(new Uint8Array(value), end);
        end += value.byteLength;
    }
    return [new Float64Array(heads), joined];
}")]
extern "C" {
    /// The number and the length of each event, and the data of all in one piece. Reads at most
    /// one event beyond `max_bytes`.
    #[wasm_bindgen(catch)]
    fn read_events(
        sql: &JsValue,
        statement: &str,
        after: f64,
        max_events: f64,
        max_bytes: f64,
    ) -> Result<Array, JsValue>;
}

/// Events after a position. Reads at most one row more than it returns.
pub(super) fn read(store: &SqlStorage, after: u64, limit: PageLimit) -> Result<Page> {
    let (max_events, max_bytes) = (limit.max_events as i64 as f64, limit.max_bytes as f64);
    let parts = read_events(store.as_ref(), sql::PAGE, after as f64, max_events, max_bytes)?;
    let heads = parts.get(0).unchecked_into::<Float64Array>().to_vec();
    let bytes = parts.get(1).unchecked_into::<Uint8Array>().to_vec();
    let mut rest = bytes.as_slice();
    let events = heads.chunks_exact(2).map(|head| {
        let (data, others) = rest.split_at(head[1] as usize);
        rest = others;
        Ok(Event { seq: head[0] as u64, data: data.to_vec() })
    });
    Page::take(after, limit, events)
}
