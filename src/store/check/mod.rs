//! Checks for an operator whether the items of the table agree with each other. It is the only module that reads the
//! whole table. `survey` walks through the table and collects suspicious items, `examine` reads each of them again,
//! consistently, `repair` drafts what each repair writes, and `verdict` writes it.

mod count;
mod examine;
mod finding;
mod recount;
mod repair;
mod survey;
mod verdict;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use super::backoff::while_busy;
use super::layout::attributes::STATE;
use super::layout::keys::{self, COUNTER_SHARDS};
use super::layout::{Item, Kind, Reader};
use super::scan::BUSY_TIMEOUT;
use super::table::Attributes;
use super::{Store, StoreError};
use crate::directory::CompanyId;
use count::{Counters, stored_count};

pub use finding::{Fault, Finding, Remedy};
pub use survey::{Survey, Suspect};
pub use verdict::{Repaired, Verdict};

/// Time after which a transaction that was seen in one item is in all items.
const COMMITTED: Duration = Duration::from_millis(500);

impl Store {
    /// Walks through the table, for one company or all; `seen` gets the number of each page's items.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn survey(
        &self,
        of: Option<CompanyId>,
        mut seen: impl FnMut(u64),
    ) -> Result<Survey, StoreError> {
        let mut survey = Survey::of(of);
        self.walk(Attributes::All, &mut seen, |item| survey.note(item))
            .await?;
        for company in survey.counted() {
            let counters = self.counters(company).await?;
            survey.note_counters(company, &counters);
        }
        Ok(survey)
    }

    /// Walks through the table again, to settle the counters for which [`Survey::needs_recount`] is true.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
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
        self.walk(Attributes::KeysAnd(&[STATE]), &mut seen, |item| {
            recount.note(item)
        })
        .await?;
        survey.settle(recount);
        Ok(())
    }

    /// Reads every item, consistently, page by page.
    async fn walk(
        &self,
        attributes: Attributes,
        seen: &mut impl FnMut(u64),
        mut note: impl FnMut(&Item) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.scan_page(attributes, after).await?;
            page.items.iter().try_for_each(&mut note)?;
            seen(page.items.len() as u64);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn counters(&self, company: CompanyId) -> Result<Counters, StoreError> {
        let shards = (0..COUNTER_SHARDS).map(|shard| keys::counter(company, shard));
        let read = async || self.table.get_many(shards.clone().collect()).await;
        let found = while_busy(BUSY_TIMEOUT, read).await?;
        let mut counters = Counters::new();
        for counter in found {
            if let Kind::Counter(_, shard) = Reader(&counter).key()?.kind() {
                counters.insert(shard, stored_count(&counter));
            }
        }
        Ok(counters)
    }
}
