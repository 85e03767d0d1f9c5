//! The name under which a newer message replaces a message that is not yet delivered.

use sha2::{Digest, Sha256};

use crate::base64url;

/// A `Topic` (RFC 8030, section 5.4): 32 characters of base64url.
///
/// The standard allows fewer characters, but Apple decodes them and refuses lengths that base64
/// cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic(String);

impl Topic {
    /// The topic of a notification in a channel. It is a hash, so the push service does not learn
    /// the names. A channel's name cannot have the NUL that separates both.
    #[must_use]
    pub fn of(channel: &str, id: &str) -> Topic {
        let digest =
            Sha256::new().chain_update(channel).chain_update([0]).chain_update(id).finalize();
        Topic(base64url::encode(digest.get(..24).unwrap_or_default()))
    }

    /// The value of the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_that_of_one_notification_in_one_channel() {
        let topic = Topic::of("user-1", "n-1");
        assert_eq!(topic.as_str().len(), 32);
        assert!(base64url::decode::<24>(topic.as_str()).is_some());
        assert_eq!(topic, Topic::of("user-1", "n-1"));
        for (channel, id) in
            [("user-1", "n-2"), ("user-2", "n-1"), ("user-1n", "-1"), ("", "user-1n-1")]
        {
            assert_ne!(topic, Topic::of(channel, id));
        }
    }
}
