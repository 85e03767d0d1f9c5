//! How much is read.

/// How much is read: an input that exceeds a limit is refused as a whole, and never cut.
///
/// Memory grows with `bytes` and `structs` alone, whatever the bytes say. At its peak it is about
/// 130 bytes a struct on a machine of 64 bits, beside the input and the output, and 320 where each
/// struct has another client: 100,000 structs take at most 32 MB.
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
