//! The sizes of a message and of a subscription, in bytes.

/// Longest endpoint in bytes; a longer one is refused. Real ones have 150 to 900.
pub const MAX_ENDPOINT_BYTES: usize = 2048;

/// Longest text in bytes (RFC 8291, section 4); a longer text is
/// [`TextTooLong`](crate::Error::TextTooLong).
///
/// Firefox on Android gets at most about 2,600 bytes, since its message passes through another
/// service as base64: keep a text below that, and shorten the words of the notification.
pub const MAX_TEXT_BYTES: usize =
    MAX_BODY_BYTES as usize - (SALT_BYTES + 4 + 1 + KEY_BYTES) - RECORD_OVERHEAD_BYTES;

/// Random bytes that each message needs: 16 of salt, then 32 of a private key.
pub const RANDOM_BYTES: usize = SALT_BYTES + 32;

/// Longest body in bytes, which every push service must accept (RFC 8030, section 7.2). Also the
/// size of the only record.
pub(crate) const MAX_BODY_BYTES: u16 = 4096;

/// Length of the salt in bytes.
pub(crate) const SALT_BYTES: usize = 16;

/// Bytes that encryption adds to a record: the delimiter and the tag.
pub(crate) const RECORD_OVERHEAD_BYTES: usize = 1 + 16;

/// Length of a public key in bytes: an uncompressed point of P-256.
pub(crate) const KEY_BYTES: usize = 65;
