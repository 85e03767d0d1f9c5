//! Subscriptions of Web Push. Keyed by the channel's name: there may be some before its first event.

use tidewire_core::{PUSH_PAGE_EVENTS, PushPage, PushRow};

use super::RedisStore;
use super::call::Call;
use super::connection::run;
use super::keys::key_of_owed;
use super::reply::{damaged, push_page, push_rows, texts};
use crate::store::{PushTable, Result};

impl PushTable for RedisStore {
    async fn push_rows(&self) -> Result<Vec<PushRow>> {
        push_rows(self.ask("push_rows", |call| call).await?)
    }

    async fn claim_push(&self, _: u64, until_ms: u64) -> Result<Vec<PushRow>> {
        push_rows(self.ask("claim_push", |call| call.number(until_ms)).await?)
    }

    async fn put_push(&self, row: PushRow) -> Result<()> {
        self.ask("put_push", |call| {
            call.text(row.id.as_str())
                .optional(row.due_ms)
                .optional(row.until_ms)
                .text(row.data.as_str())
        })
        .await?;
        Ok(())
    }

    async fn save_push(&self, row: PushRow) -> Result<()> {
        self.ask("save_push", |call| call.text(row.id.as_str()).text(row.data.as_str())).await?;
        Ok(())
    }

    async fn settle_push(&self, row: PushRow, pushed: u64, _: u64) -> Result<()> {
        self.ask("settle_push", |call| {
            call.text(row.id.as_str()).optional(row.due_ms).text(row.data.as_str()).number(pushed)
        })
        .await?;
        Ok(())
    }

    async fn remove_push(&self, id: String) -> Result<()> {
        self.ask("remove_push", |call| call.text(id.as_str())).await?;
        Ok(())
    }

    async fn push_page(&self, after: u64) -> Result<PushPage> {
        let asked = |call: Call| call.number(after).number(PUSH_PAGE_EVENTS);
        push_page(self.ask("push_page", asked).await?).ok_or_else(|| damaged("event"))
    }

    async fn next_push_ms(&self) -> Result<Option<u64>> {
        let reply = self.ask("next_push", |call| call).await?;
        Ok(texts(reply).next().flatten().and_then(|text| text.parse().ok()))
    }

    async fn due_push(function: &str, now_ms: u64, most: u64) -> Result<Vec<String>> {
        let (key, now, most) = (key_of_owed(function), now_ms.to_string(), most.to_string());
        let arguments = [key.as_str(), "-inf", &now, "LIMIT", "0", &most];
        let found = run("ZRANGEBYSCORE", arguments.map(|text| text.into()).into()).await?;
        let name = |name: String| name.split_once('/').map(|(_, channel)| channel.to_owned());
        Ok(texts(found).flatten().filter_map(name).collect())
    }
}
