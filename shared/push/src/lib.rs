//! Web Push: from a text and a subscription to the request for the push service, and from its
//! answer to the next step.
//!
//! Pure: no I/O, no clock and no randomness; an adapter passes in the time and random bytes, and
//! sends the request. The primitives come from the crates of `RustCrypto`.
//!
//! - [`Subscription`] is where a message goes, as a browser gave it (W3C Push API); the host of its
//!   address must be one of [`PushServices`], or any user could make the server send requests into
//!   its own network.
//! - [`encrypt`] makes the body (RFC 8291, with the coding of RFC 8188).
//! - [`Vapid`] has the keys by which push services know the sender (RFC 8292), and [`Tokens`] keeps
//!   what they signed.
//! - [`Message`] makes the [`Request`] (RFC 8030).
//! - [`Outcome`] is what the answer means, and [`Step`] is what to do next.
//! - [`WebPush`] does all of this for the channels of a function: `Policy::with_push`.
//!
//! No error and no `Debug` shows an endpoint, a key or a text: an endpoint lets everyone send
//! messages. [`Subscription::label`] names a subscription in a log.
//!
//! # Examples
//!
//! A text, pushed to a subscription:
//!
//! ```
//! use tidewire_push::{Message, PushServices, Subscription, Vapid};
//!
//! # fn main() -> Result<(), tidewire_push::Error> {
//! # let body = br#"{"endpoint":"https://fcm.googleapis.com/fcm/send/a","keys":{"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}}"#;
//! # let vapid_keys = "k1:yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
//! # let (random, now_ms) = ([7; 48], 1_800_000_000_000);
//! let to = Subscription::from_json(body, &PushServices::default())?;
//! let vapid = Vapid::parse(vapid_keys, "mailto:admin@example.com")?;
//! let token = vapid.first()?.token(to.origin(), now_ms)?;
//! let request = Message::new("Dinner is ready").request(&to, &token, &random)?;
//! // POST `request.body` with `request.headers` to `request.url`.
//! # assert_eq!(request.url, "https://fcm.googleapis.com/fcm/send/a");
//! # Ok(())
//! # }
//! ```

mod base64url;
mod channel;
mod coding;
mod deliver;
mod encrypt;
mod error;
mod limits;
mod message;
mod notice;
mod outcome;
mod payload;
mod plan;
mod retry_after;
mod services;
mod step;
mod subject;
mod subscriber;
mod subscription;
mod token;
mod topic;
mod vapid;

pub use channel::WebPush;
pub use encrypt::encrypt;
pub use error::{Error, Refusal, Result};
pub use limits::{MAX_ENDPOINT_BYTES, MAX_TEXT_BYTES, RANDOM_BYTES};
pub use message::{Message, Request, Urgency};
pub use notice::{Meaning, Notice};
pub use outcome::{Fault, Outcome};
pub use services::PushServices;
pub use step::{Attempt, MAX_AGE_MS, Reason, Step};
pub use subscription::Subscription;
pub use token::{Token, Tokens};
pub use topic::Topic;
pub use vapid::{Vapid, VapidKey};
