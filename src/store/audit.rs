//! The audit trail in the table.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::item::Reader;
use super::keys::{self, Key};
use super::{BATCH_SIZE, Store, StoreError, item};
use crate::directory::{CompanyId, UserId};

/// A record of the audit trail, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// The request that did it.
    pub request_id: String,
    /// Whom it is about; `None` for the company itself.
    pub user: Option<UserId>,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub operation: String,
    /// Names of the attributes that changed.
    pub attributes: Vec<String>,
    /// API keys that changed with it: made (`+id`), honoured until a time (`~id until time`), revoked
    /// (`-id`).
    pub keys: Vec<String>,
    /// State or status before.
    pub before: Option<String>,
    /// State or status after.
    pub after: String,
}

impl Store {
    /// The same store with another time that audit records are kept.
    #[must_use]
    pub fn keeping_audit_for(self, audit_retention: SignedDuration) -> Self {
        Self {
            audit_retention,
            ..self
        }
    }

    /// What happened to a user since a time, oldest first; also to one who is anonymised.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_of_user(
        &self,
        company: CompanyId,
        user: UserId,
        since: Timestamp,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let (first, last) = keys::audit_range(since);
        let partition = keys::audited_partition(company, Some(user));
        let query = self
            .partition(partition)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#sk", keys::SK)
            .expression_attribute_values(":first", item::string(&first))
            .expression_attribute_values(":last", item::string(&last));
        let records = self.query_all(query).await?;
        records.iter().map(item::to_audit_entry).collect()
    }

    /// What happened in a company from one time to another, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
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
                for record in self.batch_get(batch.iter().cloned()).await? {
                    entries.push(item::to_audit_entry(&record)?);
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

    /// Who has changed in a company from one time to another, as far as the trail knows. Its records are
    /// not read, so one that is damaged hides nobody.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// Primary keys of the items in one partition of the index.
    async fn primary_keys(&self, partition: &str) -> Result<Vec<Key>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::INDEX)
            .key_condition_expression("#partition = :partition")
            .expression_attribute_names("#partition", keys::INDEX_PK)
            .expression_attribute_values(":partition", item::string(partition));
        let entries = self.query_all(query).await?;
        entries.iter().map(|entry| Reader(entry).key()).collect()
    }
}
