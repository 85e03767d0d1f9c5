//! Web Push, as far as a channel knows it: when something is owed to a subscription, and what a
//! store keeps.
//!
//! The log is the outbox: no message is stored twice. A subscription says up to which event it was
//! served, and when it is due. The crate `tidewire-push` decides everything else; a function
//! without [`Policy::push`](crate::Policy::push) does not contain its code.

use std::fmt;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::access::{Grant, Revocation, Secret};
use crate::error::Result;
use crate::future::LocalFuture;
use crate::http::Reply;
use crate::settings::Settings;

/// Most subscriptions of a channel under `demo-`.
pub(crate) const DEMO_SUBSCRIPTIONS: u64 = 3;

/// Longest body of a `PUT`, in bytes.
pub const MAX_SUBSCRIPTION_BYTES: usize = 8_192;

/// Random bytes of one message.
pub const PUSH_RANDOM_BYTES: usize = 48;

/// A request at `-/push/{channel}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PushOperation {
    /// `GET`: the key for new subscriptions, and the list of subscriptions.
    List,
    /// `PUT` of a subscription.
    Subscribe,
    /// `POST`: sends what is due and was left over, on Spin of all channels of the function. For a
    /// timer outside, where no request comes for long.
    Sweep,
    /// `DELETE` of the subscription with this id.
    Remove {
        /// The id that `PUT` and `GET` answer with.
        id: String,
    },
}

/// The settings of Web Push.
#[derive(Clone, Debug)]
pub struct PushSettings {
    /// `VAPID_KEYS`.
    pub vapid_keys: Secret,
    /// `VAPID_SUBJECT`.
    pub vapid_subject: String,
    /// `PUSH_SERVICES`.
    pub services: String,
    /// `PUSH_DELAY_MS`: how long an event waits for a reader, in milliseconds.
    pub delay_ms: u64,
    /// `PUSH_MAX_SUBSCRIPTIONS` of a channel.
    pub max_subscriptions: u64,
    /// How long a subscription lives without being sent again, in milliseconds; `None` if it lives
    /// as long as its channel.
    pub life_ms: Option<u64>,
}

/// How a function's channels push: [`Policy::with_push`](crate::Policy::with_push).
#[derive(Clone, Debug)]
pub struct Pushing {
    /// The decisions.
    pub service: &'static dyn Push,
    /// The settings.
    pub settings: Rc<PushSettings>,
}

impl Pushing {
    /// With the settings in force.
    pub(crate) fn new(service: &'static dyn Push, settings: &Settings) -> Pushing {
        let settings = PushSettings {
            vapid_keys: settings.vapid_keys.clone(),
            vapid_subject: settings.vapid_subject.clone(),
            services: settings.push_services.clone(),
            delay_ms: settings.push_delay_ms,
            max_subscriptions: settings.push_max_subscriptions,
            life_ms: None,
        };
        Pushing { service, settings: Rc::new(settings) }
    }

    /// Whether `VAPID_KEYS` is set: without it nothing is ever owed.
    pub fn is_on(&self) -> bool {
        !self.settings.vapid_keys.expose().trim().is_empty()
    }

    /// With the limits of a channel that strangers use: few subscriptions, each for a short time.
    pub(crate) fn demo(self, life_ms: u64) -> Pushing {
        let settings = PushSettings {
            max_subscriptions: self.settings.max_subscriptions.min(DEMO_SUBSCRIPTIONS),
            life_ms: Some(life_ms),
            ..(*self.settings).clone()
        };
        Pushing { settings: Rc::new(settings), ..self }
    }
}

/// A subscription in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRow {
    /// Its id in the channel.
    pub id: String,
    /// When to look whether something is owed to it, in milliseconds since 1970; `None` if nothing
    /// is owed.
    pub due_ms: Option<u64>,
    /// When it is removed, in milliseconds since 1970, if that is known.
    pub until_ms: Option<u64>,
    /// The rest, which only [`Push`] reads.
    pub data: String,
}

/// An event, and when it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushEvent {
    /// Its position.
    pub seq: u64,
    /// When it was stored, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its data.
    pub data: Vec<u8>,
}

/// The events of a channel after a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushPage {
    /// Epoch of the channel; 0 without one.
    pub epoch: u64,
    /// Position of the newest event; 0 without one.
    pub tail: u64,
    /// The next events, oldest first. A page without the event at the tail has later ones.
    pub events: Vec<PushEvent>,
}

/// Most events of a [`PushPage`].
pub const PUSH_PAGE_EVENTS: u64 = 1_000;

/// A request to a push service.
pub struct PushPost {
    /// The address, which must not be in a log.
    pub url: String,
    /// Headers; the platform adds `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The answer of a push service.
pub struct PushAnswer {
    /// The status.
    pub status: u16,
    /// Headers, by names in lower case.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body, a kilobyte at most.
    pub body: Vec<u8>,
}

/// Longest time that an answer may take, in milliseconds.
pub const PUSH_TIMEOUT_MS: u64 = 10_000;

/// Longest answer that is read, in bytes.
pub const PUSH_ANSWER_BYTES: usize = 1_024;

/// The part of [`Push`] that an adapter carries out, for one channel.
pub trait PushStore {
    /// All subscriptions.
    fn rows(&self) -> LocalFuture<'_, Result<Vec<PushRow>>>;

    /// The subscriptions that are due. Where several requests could deliver at once, the adapter
    /// gives each subscription to one of them, until it is [settled](PushStore::settle) or a minute
    /// has passed.
    fn due(&self) -> LocalFuture<'_, Result<Vec<PushRow>>>;

    /// Adds a subscription, or replaces it.
    fn put(&self, row: PushRow) -> LocalFuture<'_, Result<()>>;

    /// Stores how far a delivery is, if the subscription still exists.
    fn save(&self, row: PushRow) -> LocalFuture<'_, Result<()>>;

    /// Stores the end of a delivery, if the subscription still exists. A row that is not due any
    /// more is due now if the channel has an event after `pushed`: it was published in the meantime.
    fn settle(&self, row: PushRow, pushed: u64) -> LocalFuture<'_, Result<()>>;

    /// Removes a subscription, if it exists.
    fn remove(&self, id: String) -> LocalFuture<'_, Result<()>>;

    /// At most [`PUSH_PAGE_EVENTS`] events after a position.
    fn events(&self, after: u64) -> LocalFuture<'_, Result<PushPage>>;

    /// Sends a request, follows no redirect, and reads the beginning of the answer; `None` without
    /// an answer within [`PUSH_TIMEOUT_MS`].
    fn post(&self, post: PushPost) -> LocalFuture<'_, Option<PushAnswer>>;

    /// The time, in milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Random bytes from a cryptographic source.
    fn random(&self) -> [u8; PUSH_RANDOM_BYTES];

    /// Writes a line to the log.
    fn log(&self, line: String);

    /// Counts a result, for the channel's figures.
    fn count(&self, result: &'static str);
}

/// The channel that a call is about.
#[derive(Clone, Copy)]
pub struct PushAt<'a> {
    /// Its name.
    pub channel: &'a str,
    /// Its name in the log.
    pub hash: &'a str,
    /// The settings.
    pub settings: &'a PushSettings,
    /// Its store.
    pub store: &'a dyn PushStore,
}

/// The decisions of Web Push. `tidewire-push` implements it as `WebPush`.
pub trait Push: fmt::Debug + Sync {
    /// Whether subscriptions are owed something for an event.
    fn is_owed(&self, event: &[u8]) -> bool;

    /// Answers a request at `-/push/{channel}`, whose rights are checked.
    fn answer<'a>(
        &'a self,
        asked: &'a PushOperation,
        body: &'a [u8],
        grant: &'a Grant,
        at: PushAt<'a>,
    ) -> LocalFuture<'a, Result<Reply>>;

    /// Sends what is due.
    fn deliver<'a>(&'a self, at: PushAt<'a>) -> LocalFuture<'a, Result<()>>;

    /// Removes the subscriptions of readers whose access is revoked.
    fn revoke<'a>(
        &'a self,
        revocation: &'a Revocation,
        at: PushAt<'a>,
    ) -> LocalFuture<'a, Result<()>>;
}
