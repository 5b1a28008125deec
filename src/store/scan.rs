//! Reads the whole table, for operators.

use std::time::Duration;

use super::backoff::while_busy;
use super::layout::Key;
use super::table::{Attributes, Page};
use super::{Store, StoreError};

/// Most items of one page; an engine may end it earlier.
const PAGE: usize = 1000;
/// How long one page is tried again while the store is busy. Only an operator waits for it.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

impl Store {
    /// Returns about how many items there are, if that is known.
    pub async fn approximate_items(&self) -> Option<u64> {
        self.table.approximate_items().await
    }

    /// Reads some items of the whole table, consistently, in no particular order.
    pub(super) async fn scan_page(
        &self,
        attributes: Attributes,
        after: Option<Key>,
    ) -> Result<Page, StoreError> {
        let scan = async || self.table.scan(attributes, after.clone(), PAGE).await;
        while_busy(BUSY_TIMEOUT, scan).await
    }
}
