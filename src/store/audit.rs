//! The audit trail in the table.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan as _};

use super::layout::{AuditEntry, Key, keys, to_audit_entry};
use super::table::{BATCH_SIZE, IndexRange, PartitionRange};
use super::{Store, StoreError, audit_retention};
use crate::directory::{CompanyId, UserId};

impl Store {
    /// Returns the same store, which keeps audit records for so many days.
    #[must_use]
    pub fn keeping_audit_for(self, days: u32) -> Self {
        Self {
            audit_retention: audit_retention(days),
            ..self
        }
    }

    /// Returns the changes of a user since a time, oldest first; also of an anonymised user.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn audit_of_user(
        &self,
        company: CompanyId,
        user: UserId,
        since: Timestamp,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let (first, last) = keys::audit_range(since);
        let partition = keys::audited_partition(company, Some(user));
        let records = self
            .read_all(PartitionRange {
                pk: &partition,
                between: Some((&first, &last)),
            })
            .await?;
        records.iter().map(to_audit_entry).collect()
    }

    /// Returns the changes in a company from one time to another, oldest first.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn audit_of_company(
        &self,
        company: CompanyId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let mut entries = Vec::new();
        let mut day = since;
        while keys::day(day) <= keys::day(until) {
            let partition = keys::audit_day_of(company, day);
            let found = self.primary_keys(&partition).await?;
            for batch in found.chunks(BATCH_SIZE) {
                for record in self.table.get_many(batch.to_vec()).await? {
                    entries.push(to_audit_entry(&record)?);
                }
            }
            match day.checked_add(24.hours()) {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        entries.retain(|entry| since <= entry.at && entry.at <= until);
        entries
            .sort_by(|left, right| (left.at, &left.request_id).cmp(&(right.at, &right.request_id)));
        Ok(entries)
    }

    /// Returns the users of a company that the trail names from one time to another. Its records are not read, so a
    /// damaged one hides no user.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn changed_users(
        &self,
        company: CompanyId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeSet<UserId>, StoreError> {
        let mut changed = BTreeSet::new();
        let mut day = since;
        while keys::day(day) <= keys::day(until) {
            let records = self.primary_keys(&keys::audit_day_of(company, day)).await?;
            let users = records
                .iter()
                .filter_map(|key| keys::audited(&key.pk, &key.sk));
            changed.extend(
                users
                    .filter(|(_, at, _)| since <= *at)
                    .filter_map(|(user, ..)| user),
            );
            match day.checked_add(24.hours()) {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        Ok(changed)
    }

    /// Returns the primary keys of the items in one partition of the index.
    async fn primary_keys(&self, partition: &str) -> Result<Vec<Key>, StoreError> {
        let range = IndexRange {
            partition,
            above: None,
            limit: None,
        };
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.table.read_index(range, after).await?;
            found.extend(page.entries.into_iter().map(|entry| entry.key));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }
}
