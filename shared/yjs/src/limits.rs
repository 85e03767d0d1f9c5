//! How much is read.

/// How much is read: what exceeds a limit is refused whole, nothing is cut off.
///
/// Memory grows with `bytes` and `structs` alone, whatever the bytes say: 32 bytes for each struct
/// (24 on wasm32) and about 50 for each gap in the ranges of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest input, in bytes: of one update for [`Update::scan`](crate::Update::scan), of all
    /// together for [`Updates`](crate::Updates).
    pub bytes: usize,
    /// Most structs and deleted ranges, of one update or of all together; most clients of a state
    /// vector.
    pub structs: usize,
    /// How deep the values of an item may nest. `yrs` recurses for each level, and a browser for
    /// each level of what a page does with the value.
    pub depth: usize,
}
