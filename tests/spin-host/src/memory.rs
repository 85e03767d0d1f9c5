//! The linear memory of an instance: counted, and without a limit, as Spin has none by default.

use std::sync::Arc;

use wasmtime::{ResourceLimiter, Result};

use crate::counters::Counters;

/// Notes how the memory of one instance grows.
pub struct Memory(pub Arc<Counters>);

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        self.0.memory_bytes.raise(desired as u64);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool> {
        Ok(true)
    }
}
