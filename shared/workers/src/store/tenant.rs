//! The channels of a tenant, in the tenant's own object.

use worker::Result;

use super::rows::{integer, number, optional_text};
use super::{Store, sql};

impl Store {
    /// Registers a channel of the tenant whose object this is, under a new mark each time.
    pub(crate) fn register(&self, name: &str) -> Result<()> {
        self.sql.exec(sql::TENANT, None)?;
        self.sql.exec(sql::REGISTER, vec![name.into()])?;
        Ok(())
    }

    /// Channels of the tenant, with their marks.
    pub(crate) fn registered(&self, most: u64) -> Result<Vec<(String, u64)>> {
        if !self.has_table("tenant")? {
            return Ok(Vec::new());
        }
        let rows = self.sql.exec(sql::REGISTERED, vec![number(most)])?;
        rows.raw()
            .map(|row| {
                let mut row = row?.into_iter();
                Ok((optional_text(row.next()).unwrap_or_default(), integer(row.next())?))
            })
            .collect()
    }

    /// Forgets a channel of the tenant, unless it was registered again since.
    pub(crate) fn forget_registered(&self, name: &str, mark: u64) -> Result<()> {
        if self.has_table("tenant")? {
            self.sql.exec(sql::FORGET_REGISTERED, vec![name.into(), number(mark)])?;
        }
        Ok(())
    }
}
