//! What a function decides about its channels.

use crate::{Channel, ContentType, Creation, Error, ErrorKind, Keys, Offset, PageLimit, Polling, Presence, Producer, Rate, Result, Retention, Settings};

/// The rules by which [`decide`](crate::decide) works; a function gives them once, from its settings.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How a channel comes to be.
    pub creation: Creation,
    /// How much of it is kept.
    pub retention: Retention,
    /// Size of a page.
    pub page: PageLimit,
    /// Longest event, in bytes.
    pub max_event_bytes: u64,
    /// Most events in one publish.
    pub max_batch_events: u64,
    /// The function's own rules for an event, asked for each of a publish on every transport: refuses with [`ErrorKind::EventRefused`].
    pub check: fn(&[u8]) -> Result<()>,
    /// How often one producer may publish; those that give no `Producer-Id` count as one.
    pub rate: Option<Rate>,
    /// Who is in a channel, where the function tells it.
    pub presence: Option<Presence>,
    /// What stands in the place of an erased event, given its offset, and tells live readers of it. Without one no event is erased. [`Policy::check`] should refuse it from publishers.
    pub tombstone: Option<fn(Offset) -> Vec<u8>>,
    /// What short polls are told.
    pub polling: Polling,
    /// The keys of an event, where a poll may ask for the newest of each (`view=latest`). An event without keys is left out of that view.
    pub latest: Option<Keys>,
}

impl Policy {
    /// The limits that the settings give, with the function's way of creation.
    pub fn new(creation: Creation, settings: &Settings) -> Policy {
        Policy {
            creation,
            retention: Retention::from_settings(settings),
            page: PageLimit { max_events: settings.page_max_events, max_bytes: settings.page_max_bytes },
            max_event_bytes: settings.max_event_bytes,
            max_batch_events: settings.max_batch_events,
            check: |_| Ok(()),
            rate: None,
            presence: None,
            tombstone: None,
            polling: Polling::default(),
            latest: None,
        }
    }

    /// What stands for a channel that does not exist yet; `None` where only `PUT` makes one.
    pub fn absent(&self) -> Option<Channel> {
        self.implicit_type().map(|content_type| Channel::absent(content_type.clone()))
    }

    /// The presence that the function tells.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RouteNotFound`] where it tells none.
    pub fn presence(&self) -> Result<Presence> {
        self.presence.ok_or_else(|| Error::new(ErrorKind::RouteNotFound, "channels of this function do not tell who is present"))
    }

    /// Under which id the channel keeps what must be known of a publisher: a producer's own, or the one that those without one share, which no producer can have.
    /// `None` where nothing is to be known.
    pub fn publisher<'a>(&self, producer: Option<&'a Producer>) -> Option<&'a str> {
        producer.map(|producer| producer.id.as_str()).or(self.rate.map(|_| ""))
    }

    /// Content type of channels that come to be by themselves.
    pub(crate) fn implicit_type(&self) -> Option<&ContentType> {
        match &self.creation {
            Creation::OnPublish(content_type) => Some(content_type),
            Creation::OnPut => None,
        }
    }
}
