//! Subscriptions of Web Push: this engine has none, and says so when a page subscribes.

use tidewire_core::{PushPage, PushRow};

use super::RedisStore;
use crate::store::{PushTable, Result};

impl PushTable for RedisStore {
    const HAS_PUSH: bool = false;

    async fn push_rows(&self) -> Result<Vec<PushRow>> {
        Ok(Vec::new())
    }

    async fn claim_push(&self, _: u64, _: u64) -> Result<Vec<PushRow>> {
        Ok(Vec::new())
    }

    async fn put_push(&self, _: PushRow) -> Result<()> {
        Ok(())
    }

    async fn save_push(&self, _: PushRow) -> Result<()> {
        Ok(())
    }

    async fn settle_push(&self, _: PushRow, _: u64, _: u64) -> Result<()> {
        Ok(())
    }

    async fn remove_push(&self, _: String) -> Result<()> {
        Ok(())
    }

    async fn push_page(&self, _: u64) -> Result<PushPage> {
        Ok(PushPage::default())
    }

    async fn next_push_ms(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    async fn due_push(_: &str, _: u64, _: u64) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}
