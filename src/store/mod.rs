//! The directory in one table of items: the access paths.
//!
//! `layout` says what is stored where, `transaction` what a write is, the trait `table::Table` what an engine provides.
//! Only `dynamodb`, the engine on the AWS SDK, and `embedded`, which connects the SDK to DynamoDB's API in this
//! process, name the SDK.

mod api_keys;
mod audit;
pub mod backoff;
mod change;
pub mod check;
mod companies;
pub mod copy;
pub mod dynamodb;
pub mod error;
pub mod layout;
mod listing;
pub mod memory;
mod scan;
mod scan_budget;
pub mod table;
#[cfg(test)]
mod tests;
pub mod transaction;
pub mod usage;
mod user_write;
mod users;
mod write;

use std::sync::Arc;

use jiff::SignedDuration;

use crate::directory::KeyId;
use crate::directory::audit::DEFAULT_RETENTION_DAYS;
use layout::{INDEX_SK, Item, Key, Reader};
use table::{BATCH_SIZE, IndexRange, PartitionRange, ReadinessCheck, Table};

pub use change::UserChange;
pub use error::{MAX_LOOKUP_MATCHES, StoreError};
pub use layout::{AuditEntry, Lookup};
pub use listing::{BoundedCount, Listing};
pub use scan_budget::{SCAN_UNITS_PER_MINUTE, Scan, read_units};
pub use users::{MAX_SCANNED_USERS, Next, StoredUser};

fn audit_retention(days: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

/// What a partition of the index lists.
trait Listed: Sized {
    /// The sort key of an entry, as an id.
    type Id: Copy;

    /// Reads an id.
    fn parse(text: &str) -> Option<Self::Id>;

    /// Returns the key of the item that an entry stands for.
    fn key(id: Self::Id) -> Key;

    /// Reads the item.
    fn read(id: Self::Id, item: &Item) -> Result<Self, StoreError>;
}

/// The directory, on the table of an engine.
#[derive(Debug, Clone)]
pub struct Store {
    table: Arc<dyn Table>,
    /// How long audit records are kept.
    audit_retention: SignedDuration,
}

impl Store {
    /// Makes a store on a table.
    #[must_use]
    pub fn on(table: Arc<dyn Table>) -> Self {
        Self {
            table,
            audit_retention: audit_retention(DEFAULT_RETENTION_DAYS),
        }
    }

    /// Opens the connection to the table before the first request needs it, by a read that every
    /// handler of users may make. It does not matter how the read ends.
    pub async fn connect(&self) {
        if let Err(error) = self.find_key(KeyId::new(0)).await {
            tracing::warn!(%error, "the connection to the store could not be opened ahead");
        }
    }

    /// Returns the store on a table that `wrap` makes of its own, such as one that counts calls.
    #[must_use]
    pub fn wrapping_table(self, wrap: impl FnOnce(Arc<dyn Table>) -> Arc<dyn Table>) -> Self {
        Self {
            table: wrap(self.table),
            ..self
        }
    }

    /// Checks what the table needs to serve requests, one after another until something is missing.
    pub async fn readiness(&self) -> Vec<ReadinessCheck> {
        self.table.readiness().await
    }

    /// Reads everything in a range, page after page.
    async fn read_all(&self, range: PartitionRange<'_>) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let page = self.table.read_partition(range, after).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// Returns what the first `limit` entries of one partition of the index stand for, in no particular
    /// order. Their sort keys are ids.
    async fn listed<T: Listed>(&self, partition: &str, limit: usize) -> Result<Vec<T>, StoreError> {
        let ids = self.index_range(partition, None, 0, limit).await?;
        self.listed_by_ids(&ids).await
    }

    /// Returns what entries of the index stand for, by their sort keys, in no particular order.
    async fn listed_by_ids<T: Listed>(&self, ids: &[String]) -> Result<Vec<T>, StoreError> {
        let corrupt = || StoreError::Corrupt(INDEX_SK);
        let ids = ids
            .iter()
            .map(|id| T::parse(id).ok_or_else(corrupt))
            .collect::<Result<Vec<_>, _>>()?;
        let mut listed = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH_SIZE) {
            let keys = batch.iter().map(|id| T::key(*id)).collect();
            for found in self.table.get_many(keys).await? {
                let reader = Reader(&found);
                let id = reader.string(INDEX_SK)?;
                listed.push(T::read(T::parse(id).ok_or_else(corrupt)?, &found)?);
            }
        }
        Ok(listed)
    }

    /// Returns the sort keys `offset..offset + limit` of one partition of the index, of those above one.
    async fn index_range(
        &self,
        partition: &str,
        above: Option<&str>,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let end = offset.saturating_add(limit);
        let mut sort_keys: Vec<String> = Vec::new();
        let mut passed = 0;
        let mut after = None;
        while passed < end {
            let range = IndexRange {
                partition,
                above,
                limit: Some(end - passed),
            };
            let page = self.table.read_index(range, after).await?;
            let skipped = offset.saturating_sub(passed).min(page.entries.len());
            passed += page.entries.len();
            let entries = page.entries.into_iter().skip(skipped);
            sort_keys.extend(entries.map(|entry| entry.sort));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        Ok(sort_keys)
    }
}
