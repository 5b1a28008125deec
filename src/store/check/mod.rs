//! Whether the items of the table agree with each other: for an operator, and the only place that reads
//! the whole table. `survey` walks through it and suspects, `examine` looks again at each suspect by
//! consistent reads, `repair` writes.

mod examine;
mod finding;
mod repair;
mod survey;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use super::backoff::Backoff;
use super::item::{self, Item};
use super::keys::{self, COUNTER_SHARDS, Kind};
use super::{Store, StoreError};
use crate::directory::CompanyId;
use survey::Counters;

pub use finding::{Fault, Finding, Remedy, Verdict};
pub use repair::Repaired;
pub use survey::{Survey, Suspect};

/// Items of one page; DynamoDB ends it at 1 MB besides.
const PAGE: i32 = 1000;
/// How long one page, or one suspect, is tried again while the store is busy: nobody waits for an
/// answer but an operator.
const PATIENCE: Duration = Duration::from_secs(60);
/// After so long, a transaction that was seen in one item is there in all.
const COMMITTED: Duration = Duration::from_millis(500);

impl Store {
    /// About how many items there are, if that is known.
    pub async fn approximate_items(&self) -> Option<u64> {
        let describe = self.client.describe_table().table_name(&self.table);
        let table = describe.send().await.ok()?.table?;
        table.item_count?.try_into().ok()
    }

    /// Walks through the table, for one company or all; `seen` is told of each page's items.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn survey(
        &self,
        of: Option<CompanyId>,
        mut seen: impl FnMut(u64),
    ) -> Result<Survey, StoreError> {
        let mut survey = Survey::of(of);
        self.walk(None, &mut seen, |item| survey.note(item)).await?;
        for company in survey.counted() {
            let counters = self.counters(company).await?;
            survey.note_counters(company, &counters);
        }
        Ok(survey)
    }

    /// Walks through the table again to settle what [`Survey::needs_recount`] asks for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recount(
        &self,
        survey: &mut Survey,
        mut seen: impl FnMut(u64),
    ) -> Result<(), StoreError> {
        // A transaction that is being committed may show to a scan half, at this end or the other.
        sleep(COMMITTED).await;
        let mut counters = BTreeMap::new();
        for company in survey.doubted() {
            counters.insert(company, self.counters(company).await?);
        }
        let mut recount = survey.recount(&counters);
        sleep(COMMITTED).await;
        self.walk(Some("#pk, #sk, #state"), &mut seen, |item| {
            recount.note(item)
        })
        .await?;
        survey.settle(recount);
        Ok(())
    }

    /// Reads every item, consistently, page by page.
    async fn walk(
        &self,
        projection: Option<&str>,
        seen: &mut impl FnMut(u64),
        mut note: impl FnMut(&Item) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut from = None;
        loop {
            let (items, next) = self.page(projection, from).await?;
            items.iter().try_for_each(&mut note)?;
            seen(items.len() as u64);
            match next {
                Some(next) => from = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn page(
        &self,
        projection: Option<&str>,
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .limit(PAGE)
            .set_exclusive_start_key(from);
        let scan = match projection {
            None => scan,
            Some(projection) => scan
                .projection_expression(projection)
                .expression_attribute_names("#pk", keys::PK)
                .expression_attribute_names("#sk", keys::SK)
                .expression_attribute_names("#state", item::STATE),
        };
        patiently(async || {
            let output = scan.clone().send().await.map_err(StoreError::from_sdk)?;
            Ok((output.items.unwrap_or_default(), output.last_evaluated_key))
        })
        .await
    }

    async fn counters(&self, company: CompanyId) -> Result<Counters, StoreError> {
        let shards = (0..COUNTER_SHARDS).map(|shard| keys::counter(company, shard));
        let found = patiently(async || self.batch_get(shards.clone()).await).await?;
        let mut counters = Counters::new();
        for counter in found {
            if let Kind::Counter(_, shard) = item::Reader(&counter).key()?.kind() {
                counters.insert(shard, survey::stored_count(&counter));
            }
        }
        Ok(counters)
    }
}

/// Does something again while the store is busy.
async fn patiently<T>(attempt: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let mut backoff = Backoff::new(PATIENCE);
    loop {
        match attempt().await {
            Err(StoreError::Busy(_)) if backoff.pause().await => {}
            result => return result,
        }
    }
}
