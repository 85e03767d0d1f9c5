//! The code that everyone writes first: a broadcast, and an SSE loop. **Do not copy this**: "pull
//! the plug" on the gallery's page compares it with a channel.
//!
//! There is no log and no offset, so a reader that is away when an event is sent never gets it.
//! There is no access control; the rooms hold nothing that needs it.

#[cfg(target_os = "wasi")]
pub mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

/// Longest event, in bytes; a longer one gets 413. Anybody may send here.
const MAX_EVENT_BYTES: usize = 256;

/// The headers of each answer: no cache keeps it, and no browser guesses another type.
const HEADERS: [(&str, &str); 2] =
    [("cache-control", "no-store"), ("x-content-type-options", "nosniff")];

/// The room that a path names, as `/-/naive/demo-plug-1`.
pub fn room(path: &str) -> Option<&str> {
    let (_, room) = path.split_once("/-/naive/")?;
    (room.starts_with("demo-plug-") && room.len() <= 64 && !room.contains('/')).then_some(room)
}

/// An event on an SSE stream: without `id:`, so a browser that reconnects cannot say where it was.
fn frame(event: &str) -> String {
    format!("data: {event}\n\n")
}
