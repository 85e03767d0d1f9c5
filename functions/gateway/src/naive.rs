//! What everyone writes first: a broadcast, and an SSE loop. **Do not copy this**: "pull the plug" on the gallery's page measures it beside a channel.
//!
//! There is no log and no offset, so who is away when an event is sent never gets it. Nobody asks who may read or publish; rooms hold nothing worth it.

#[cfg(target_os = "wasi")]
pub mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

/// Longest event, in bytes; 413 above. Anybody may send here.
const MAX_EVENT_BYTES: usize = 256;

/// What each answer says: no cache keeps it, and no browser takes it for what it is not.
const HEADERS: [(&str, &str); 2] = [("cache-control", "no-store"), ("x-content-type-options", "nosniff")];

/// The room that a path names, as `/-/naive/demo-plug-1`.
pub fn room(path: &str) -> Option<&str> {
    let (_, room) = path.split_once("/-/naive/")?;
    (room.starts_with("demo-plug-") && room.len() <= 64 && !room.contains('/')).then_some(room)
}

/// An event on an SSE stream: without `id:`, so that a browser that comes back cannot say where it was.
fn frame(event: &str) -> String {
    format!("data: {event}\n\n")
}
