//! Bounded reads, for pages that operators look at: each makes the same number of calls however much there is.

use jiff::Timestamp;

use super::layout::{AuditEntry, keys, to_audit_entry};
use super::table::{BATCH_SIZE, IndexRange, PartitionRange};
use super::{Listed, Store, StoreError};
use crate::directory::{ApiKey, Company, CompanyId, KeyId, User, UserId};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// What was read.
    pub entries: Vec<T>,
    /// Whether nothing comes after it.
    pub is_last: bool,
}

/// A number, as far as it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundedCount {
    /// How many there are, at least.
    pub least: usize,
    /// Whether there are no more.
    pub is_exact: bool,
}

impl Store {
    /// Returns up to `limit` companies, at most [`BATCH_SIZE`], that come after one, oldest first; `None` begins with the
    /// oldest. It makes two calls.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn companies_after(
        &self,
        after: Option<CompanyId>,
        limit: usize,
    ) -> Result<Listing<Company>, StoreError> {
        let mut companies = self
            .listed_after::<Company>(keys::COMPANIES, after.map(|id| id.to_string()), limit)
            .await?;
        companies.entries.sort_by_key(|company| company.id);
        Ok(companies)
    }

    /// Returns up to `limit` API keys of a company, at most [`BATCH_SIZE`], that come after one in the order of their
    /// ids, revoked ones included. It makes two calls.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn api_keys_after(
        &self,
        company: CompanyId,
        after: Option<KeyId>,
        limit: usize,
    ) -> Result<Listing<ApiKey>, StoreError> {
        let after = after.map(|id| id.to_string());
        let mut found = self
            .listed_after::<ApiKey>(&keys::keys_of(company), after, limit)
            .await?;
        found.entries.sort_by_key(|key| key.id);
        Ok(found)
    }

    /// Returns up to `limit` users of a company, at most [`BATCH_SIZE`], that come after one, oldest first. It makes two
    /// calls.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn users_after(
        &self,
        company: CompanyId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Listing<User>, StoreError> {
        let limit = limit.min(BATCH_SIZE);
        let mut ids = self.user_ids_after(company, after, limit + 1).await?;
        let is_last = ids.len() <= limit;
        ids.truncate(limit);
        Ok(Listing {
            entries: self.users(company, &ids).await?,
            is_last,
        })
    }

    /// Counts the changes in a company on the day of a time, in UTC, up to `limit`. It makes one call, and reads the
    /// index only.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn changes_on_day(
        &self,
        company: CompanyId,
        day: Timestamp,
        limit: usize,
    ) -> Result<BoundedCount, StoreError> {
        let range = IndexRange {
            partition: &keys::audit_day_of(company, day),
            above: None,
            limit: Some(limit),
        };
        let page = self.table.read_index(range, None).await?;
        Ok(BoundedCount {
            least: page.entries.len(),
            is_exact: page.next.is_none(),
        })
    }

    /// Returns the first changes of a user since a time, oldest first, as many as one call reads; also of an anonymised
    /// user.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn first_changes_of_user(
        &self,
        company: CompanyId,
        user: UserId,
        since: Timestamp,
    ) -> Result<Listing<AuditEntry>, StoreError> {
        let (first, last) = keys::audit_range(since);
        let partition = keys::audited_partition(company, Some(user));
        let range = PartitionRange {
            pk: &partition,
            between: Some((&first, &last)),
        };
        let page = self.table.read_partition(range, None).await?;
        Ok(Listing {
            entries: page
                .items
                .iter()
                .map(to_audit_entry)
                .collect::<Result<_, _>>()?,
            is_last: page.next.is_none(),
        })
    }

    /// Returns what up to `limit` entries of one partition of the index stand for, of those above one, in no particular
    /// order.
    async fn listed_after<T: Listed>(
        &self,
        partition: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listing<T>, StoreError> {
        let limit = limit.min(BATCH_SIZE);
        let mut ids = self
            .index_range(partition, after.as_deref(), 0, limit + 1)
            .await?;
        let is_last = ids.len() <= limit;
        ids.truncate(limit);
        Ok(Listing {
            entries: self.listed_by_ids(&ids).await?,
            is_last,
        })
    }
}
