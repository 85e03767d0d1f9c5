//! The channels of a tenant.
//!
//! Objects cannot be listed from inside. So each tenant has its own object, of its channels' class,
//! that lists their names. A channel is created only after its name is listed, so the list is
//! complete.

use futures_util::future::try_join_all;
use tidewire_core::{Grant, Operation};
use worker::{Headers, Response, Result};

use super::Inner;
use crate::handover::{Handover, Task, binding, tenant_object};

/// Most channels that one request erases: an invocation on the Free plan may make 50 requests.
const CHANNELS: u64 = 40;

impl Inner {
    /// Registers the channel with its tenant, before a request, or a connection that may publish,
    /// can create it.
    ///
    /// Such a connection ends when the channel is erased, so a channel that it creates is
    /// registered as well.
    pub(super) async fn register(
        &self,
        operation: &Operation,
        grant: &Grant,
        headers: &Headers,
    ) -> Result<()> {
        let tenant = self
            .name
            .as_ref()
            .filter(|_| operation.creates(grant))
            .and_then(|name| Some((name, name.tenant()?)));
        // A fault of the store is reported by the operation that reads it next.
        let Some((name, tenant)) = tenant.filter(|_| matches!(self.channel(), Ok(None))) else {
            return Ok(());
        };
        let binding = binding(headers)?;
        loop {
            let vanished = self.vanished.get();
            let task = Task::Register(name.as_str().into());
            self.handover(&binding).task(&tenant_object(&format!("{tenant}:")), &task).await?;
            // If it was erased in the meantime, the tenant has forgotten it.
            if vanished == self.vanished.get() {
                return Ok(());
            }
        }
    }

    /// Carries out a task of the tenant's object or of one of its channels. 204, or 202 if more is
    /// left to erase.
    pub(super) async fn carry_out(&self, task: Task, binding: &str) -> Result<Response> {
        let mut status = 204;
        match task {
            Task::Register(name) => self.store.register(&name)?,
            Task::Vanish => {
                self.vanished.set(self.vanished.get() + 1);
                self.delete().await.map_err(|error| worker::Error::RustError(error.to_string()))?;
            }
            Task::Erase => {
                let registered = self.store.registered(CHANNELS)?;
                let handover = self.handover(binding);
                try_join_all(registered.iter().map(|(name, _)| handover.task(name, &Task::Vanish)))
                    .await?;
                for (name, mark) in &registered {
                    self.store.forget_registered(name, *mark)?;
                }
                if self.store.registered(1)?.is_empty() {
                    self.store.delete(false).await?;
                } else {
                    status = 202;
                }
            }
        }
        Ok(Response::empty()?.with_status(status))
    }

    fn handover<'a>(&'a self, binding: &'a str) -> Handover<'a> {
        Handover { env: &self.env, binding, settings: &self.settings, offers_subprotocol: false }
    }
}
