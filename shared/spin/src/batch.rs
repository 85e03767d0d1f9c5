//! The events of one read, encoded once for all readers of the instance.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tidewire_core::{Channel, Framing, Page, PagePlan, Reply};

/// The events of one read, encoded once for each framing that asked.
pub(crate) struct Batch {
    pub(crate) page: Page,
    /// The newest batch of each framing.
    encoded: RefCell<HashMap<Framing, Encoded>>,
}

/// A batch in a framing, with the facts about the channel that it states.
struct Encoded {
    tail: u64,
    is_closed: bool,
    text: Rc<str>,
}

impl Batch {
    pub(crate) fn new(page: Page) -> Batch {
        Batch { page, encoded: RefCell::default() }
    }

    /// The events after a position within the batch, with the channel's current state. Encoded once
    /// for all readers at its beginning, which live readers are.
    pub(crate) fn encoded(
        &self,
        channel: &Channel,
        framing: Framing,
        after: u64,
        cursor: u64,
    ) -> Rc<str> {
        if after == self.page.after
            && let Some(encoded) = self.encoded.borrow().get(&framing)
            && (encoded.tail, encoded.is_closed) == (channel.tail, channel.closed)
        {
            return Rc::clone(&encoded.text);
        }
        let text: Rc<str> = framing.batch(channel, after, self.page.after(after), cursor).into();
        if after == self.page.after {
            self.encoded.borrow_mut().insert(
                framing,
                Encoded { tail: channel.tail, is_closed: channel.closed, text: Rc::clone(&text) },
            );
        }
        text
    }

    /// The answer to a long poll at a position within the batch, with the channel's current state.
    pub(crate) fn reply(&self, channel: &Channel, plan: &PagePlan) -> Reply {
        let page = Page { after: plan.after, events: self.page.after(plan.after).to_vec() };
        plan.reply(channel, &page)
    }

    /// Bytes of its events.
    pub(crate) fn bytes(&self) -> usize {
        self.page.events.iter().map(|event| event.data.len()).sum()
    }
}
