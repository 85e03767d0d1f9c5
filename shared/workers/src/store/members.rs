//! Members that joined over HTTP.

use tidewire_core::{Lease, Member};
use worker::Result;

use super::rows::{integer, number, optional_text};
use super::{Store, sql};

impl Store {
    /// Members that joined over HTTP.
    pub(crate) fn leases(&self) -> Result<Vec<Lease>> {
        if !self.has_presence()? {
            return Ok(Vec::new());
        }
        let rows = self.sql.exec(sql::LEASES, None)?;
        rows.raw()
            .map(|row| {
                let mut row = row?.into_iter();
                let id = optional_text(row.next()).unwrap_or_default();
                Ok(Lease {
                    member: Member { id, state: optional_text(row.next()) },
                    until_ms: integer(row.next())?,
                })
            })
            .collect()
    }

    pub(crate) fn put_member(&self, id: &str, state: &str, until_ms: u64) -> Result<()> {
        if !self.has_presence()? {
            self.sql.exec(sql::PRESENCE, None)?;
            self.has_presence.set(Some(true));
        }
        self.sql.exec(sql::PUT_MEMBER, vec![id.into(), state.into(), number(until_ms)])?;
        Ok(())
    }

    pub(crate) fn remove_member(&self, id: &str) -> Result<()> {
        if self.has_presence()? {
            self.sql.exec(sql::REMOVE_MEMBER, vec![id.into()])?;
        }
        Ok(())
    }

    fn has_presence(&self) -> Result<bool> {
        let has_presence =
            self.has_presence.get().map_or_else(|| self.has_table("presence"), Ok)?;
        self.has_presence.set(Some(has_presence));
        Ok(has_presence)
    }
}
