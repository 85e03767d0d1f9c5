//! New events for the live readers: at once, or together with those that follow closely.

use std::rc::Weak;
use std::time::Duration;

use tidewire_core::{Arrival, BURST_MS, Channel, Delivery, Framing, Page, Then, update_messages};
use worker::Delay;

use super::Inner;
use crate::clock::now_ms;

impl Inner {
    /// Sends new events now, or soon together with those that follow.
    pub(super) fn collect(&self, channel: &Channel, page: Page) {
        let readers = u64::from(self.readers.count_live());
        let arrival = self.burst.borrow_mut().add(page, readers, now_ms());
        self.follow_arrival(channel, arrival);
    }

    fn follow_arrival(&self, channel: &Channel, arrival: Arrival) {
        match arrival {
            Arrival::Send(page) => self.fan_out(channel, &page),
            Arrival::SetTimer => {
                let this = Weak::clone(&self.this);
                self.state.wait_until(async move {
                    Delay::from(Duration::from_millis(BURST_MS)).await;
                    if let Some(inner) = this.upgrade() {
                        inner.look_at_burst();
                    }
                });
            }
            Arrival::Wait => {}
        }
    }

    fn look_at_burst(&self) {
        let arrival = self.burst.borrow_mut().look(now_ms());
        let channel = self.memory.borrow().channel.clone();
        if let Some(channel) = channel {
            self.follow_arrival(&channel, arrival);
        }
    }

    /// Sends the events that wait, before all else that changes what the readers see.
    pub(super) fn flush(&self) {
        let channel = self.memory.borrow().channel.clone();
        if let Some(channel) = channel {
            self.flush_before(&channel);
        }
    }

    pub(super) fn flush_before(&self, channel: &Channel) {
        let waiting = self.burst.borrow_mut().take();
        if let Some(page) = waiting {
            self.fan_out(channel, &page);
        }
    }

    pub(super) fn fan_out(&self, channel: &Channel, page: &Page) {
        let cursor = self.cursor();
        for framing in Framing::ALL {
            let Some(sockets) = self.readers.live(framing) else { continue };
            let Delivery { batch, then, .. } = Delivery::new(framing, channel, None, page, cursor);
            if framing == Framing::TidewireV1 {
                for slow in self.readers.send_in_window(
                    sockets,
                    &batch,
                    page.end(),
                    self.settings.socket_window_bytes,
                ) {
                    self.close_slow(&slow);
                }
            } else if !batch.is_empty() {
                sockets.send(&batch);
            }
            if framing == Framing::Yjs {
                for message in page.events.iter().flat_map(|event| update_messages(&event.data)) {
                    sockets.send_bytes(&message);
                }
            }
            if let Then::End(end) = then {
                if !end.frame.is_empty() {
                    sockets.send(&end.frame);
                }
                sockets.close(framing.close_number(end.code), end.reason);
            }
        }
        // A long poll has its answer.
        if let Some(sockets) = self.readers.live(Framing::News) {
            sockets.clear();
        }
    }
}
