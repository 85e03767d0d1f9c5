//! Text that no log may show.

use std::fmt;

/// A setting that is a secret. Its `Debug` says only whether there is one.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// The text, kept out of sight.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Secret(none)" } else { "Secret(...)" })
    }
}
