//! Revoked tickets and users.

use tidewire_core::Revocation;
use worker::{Error, Result};

use super::rows::{integer, number, optional_text};
use super::{Store, sql};

impl Store {
    /// Revocations, including expired ones.
    pub(crate) fn revocations(&self) -> Result<Vec<Revocation>> {
        if !self.has_revocations.get() {
            return Ok(Vec::new());
        }
        let rows = self.sql.exec(sql::REVOKED, None)?;
        rows.raw()
            .map(|row| {
                let mut row = row?.into_iter();
                let of = optional_text(row.next()).unwrap_or_default();
                let until_ms = integer(row.next())?;
                Revocation::from_columns(&of, until_ms).ok_or_else(|| {
                    Error::RustError(format!("the store has {of:?} instead of a revocation"))
                })
            })
            .collect()
    }

    pub(crate) fn put_revocation(&self, revocation: &Revocation) -> Result<()> {
        self.sql.exec(sql::REVOCATIONS, None)?;
        self.has_revocations.set(true);
        let values = vec![revocation.column().into(), number(revocation.until_ms)];
        self.sql.exec(sql::REVOKE, values)?;
        Ok(())
    }

    /// Removes expired revocations.
    pub(crate) fn prune_revocations(&self, now_ms: u64) -> Result<()> {
        if self.has_revocations.get() {
            self.sql.exec(sql::FORGET_REVOCATIONS, vec![number(now_ms)])?;
        }
        Ok(())
    }
}
