//! Users in the table: finding, counting, listing, changing.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _};

use super::backoff::Backoff;
use super::layout::attributes::USERS;
use super::layout::{
    self, DOCUMENT, INDEX_SK, Item, Lookup, PK, Reader, SK, keys, to_user, user_id_of_lookup,
    user_of_lookup,
};
use super::table::{BATCH_SIZE, PartitionRange};
use super::user_write::UserWrite;
use super::write::WriteError;
use super::{MAX_LOOKUP_MATCHES, Store, StoreError, UserChange};
use crate::directory::{CompanyId, KeyChange, User, UserId};

/// Most users that one request may read, for filters and sorting that no lookup serves.
pub const MAX_SCANNED_USERS: usize = 10_000;
/// Batches that are read at the same time.
const CONCURRENT_BATCHES: usize = 3;
/// Most bytes of documents in a batch, as estimated from the batches before it. With the largest users possible, the
/// first batches hold 6.5 MB each.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Fewest users in a batch.
const MIN_BATCH_SIZE: usize = 10;
/// How long a change is tried again if others change the user meanwhile.
const RETRY_BUDGET: Duration = Duration::from_secs(8);

/// The decision on a user's current version.
#[derive(Debug)]
pub enum Next<'k> {
    /// The user becomes this. Nothing is written if nothing changes.
    Update(User),
    /// The user becomes this, and these keys change with it.
    UpdateWithKeys(User, Vec<KeyChange<'k>>),
    /// Nothing personal stays; the user's keys are revoked.
    Anonymise,
}

/// The item of a user as it was read. Its document stays text, which is compact, until it is read.
#[derive(Debug)]
pub struct StoredUser {
    /// The user's id.
    pub id: UserId,
    /// `None` for a deleted user.
    item: Option<Item>,
}

impl StoredUser {
    /// Returns the length of the user's document, in bytes of JSON.
    #[must_use]
    pub fn document_bytes(&self) -> usize {
        let item = self.item.as_ref();
        let document = item.and_then(|item| Reader(item).optional(DOCUMENT));
        document.map_or(0, str::len)
    }

    /// Returns the user; `None` if it is deleted.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the item cannot be read.
    pub fn read(&self) -> Result<Option<User>, StoreError> {
        match &self.item {
            Some(found) => to_user(self.id, found),
            None => Ok(None),
        }
    }
}

/// Returns how many users the next batch holds, if they are like those of this one.
fn next_batch_size(batch: &[StoredUser]) -> usize {
    let bytes: usize = batch.iter().map(StoredUser::document_bytes).sum();
    let fitting = BATCH_BYTES.saturating_mul(batch.len()) / bytes.max(1);
    fitting.clamp(MIN_BATCH_SIZE, BATCH_SIZE)
}

impl Store {
    /// Returns the user with this id; `None` if there is none in this company, or it is anonymised.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn user(&self, company: CompanyId, id: UserId) -> Result<Option<User>, StoreError> {
        match self.table.get(keys::user(company, id)).await? {
            Some(found) => to_user(id, &found),
            None => Ok(None),
        }
    }

    /// Returns the user with this `userName`.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn user_by_user_name(
        &self,
        company: CompanyId,
        user_name: &str,
    ) -> Result<Option<User>, StoreError> {
        match self
            .table
            .get(layout::user_name(company, user_name))
            .await?
        {
            Some(found) => self.user(company, user_id_of_lookup(&found)?).await,
            None => Ok(None),
        }
    }

    /// Returns the ids of the users with this `externalId` or email, in order.
    ///
    /// # Errors
    /// [`StoreError::TooManyMatches`] if more than [`MAX_LOOKUP_MATCHES`] users have the value. Otherwise it fails as
    /// every call does: see [`StoreError`].
    pub async fn user_ids_by_lookup(
        &self,
        company: CompanyId,
        lookup: Lookup,
        value: &str,
    ) -> Result<Vec<UserId>, StoreError> {
        let mut ids = Vec::new();
        let mut after = None;
        let pk = lookup.pk(company, value);
        let range = PartitionRange {
            pk: &pk,
            between: None,
        };
        loop {
            let page = self.table.read_partition(range, after).await?;
            for found in &page.items {
                let user = user_of_lookup(Reader(found).string(SK)?);
                ids.push(user.ok_or(StoreError::Corrupt(SK))?);
            }
            if ids.len() > MAX_LOOKUP_MATCHES {
                return Err(StoreError::TooManyMatches);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Returns the users with these ids, in this order, without deleted ones.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn users(&self, company: CompanyId, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let mut batches = pin!(self.stored_users(company, ids.to_vec()));
        let mut users = Vec::with_capacity(ids.len());
        while let Some(batch) = batches.next().await.transpose()? {
            for stored in batch {
                users.extend(stored.read()?);
            }
        }
        Ok(users)
    }

    /// Returns the items of the users of these ids, one for each id and in this order, in batches: together
    /// they may be more than fits into memory.
    pub fn stored_users(
        &self,
        company: CompanyId,
        ids: Vec<UserId>,
    ) -> impl Stream<Item = Result<Vec<StoredUser>, StoreError>> {
        let size = Arc::new(AtomicUsize::new(BATCH_SIZE));
        let batches = stream::unfold((ids, Arc::clone(&size)), async |(mut ids, size)| {
            let length = size.load(Ordering::Relaxed).min(ids.len());
            let rest = ids.split_off(length);
            (!ids.is_empty()).then_some((ids, (rest, size)))
        });
        let read = move |ids| {
            let size = Arc::clone(&size);
            async move {
                let batch = self.stored_batch(company, ids).await?;
                size.store(next_batch_size(&batch), Ordering::Relaxed);
                Ok(batch)
            }
        };
        batches.map(read).buffered(CONCURRENT_BATCHES)
    }

    async fn stored_batch(
        &self,
        company: CompanyId,
        ids: Vec<UserId>,
    ) -> Result<Vec<StoredUser>, StoreError> {
        let keys = ids.iter().map(|id| keys::user(company, *id)).collect();
        let items = self.table.get_many(keys).await?;
        let mut by_pk: HashMap<String, Item> = HashMap::with_capacity(items.len());
        for found in items {
            by_pk.insert(Reader(&found).string(PK)?.to_owned(), found);
        }
        let stored = ids.into_iter().map(|id| StoredUser {
            id,
            item: by_pk.remove(&keys::user(company, id).pk),
        });
        Ok(stored.collect())
    }

    /// Returns the number of the company's users.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn count_users(&self, company: CompanyId) -> Result<usize, StoreError> {
        // A Query is charged by what it reads in all, a BatchGetItem for each item: 1 unit, not 16.
        let pk = keys::counters(company);
        let range = PartitionRange {
            pk: &pk,
            between: None,
        };
        let mut total = 0;
        for counter in self.read_all(range).await? {
            total += Reader(&counter).number(USERS)?;
        }
        usize::try_from(total).map_err(|_| StoreError::Corrupt(USERS))
    }

    /// Returns the ids of the company's users `offset..offset + limit`, oldest first.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn user_ids(
        &self,
        company: CompanyId,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.index_range(&keys::users_of(company), None, offset, limit)
            .await?
            .iter()
            .map(|id| UserId::parse(id).ok_or(StoreError::Corrupt(INDEX_SK)))
            .collect()
    }

    /// Returns the ids of up to `limit` users of the company that come after one, oldest first; that one may be
    /// deleted. `None` begins with the oldest.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn user_ids_after(
        &self,
        company: CompanyId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let after = after.map(|id| id.to_string());
        self.index_range(&keys::users_of(company), after.as_deref(), 0, limit)
            .await?
            .iter()
            .map(|id| UserId::parse(id).ok_or(StoreError::Corrupt(INDEX_SK)))
            .collect()
    }

    /// Returns all of the company's users, oldest first, for an operator: a walk from the last id of a batch to the
    /// next.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn listed_users(&self, company: CompanyId) -> Result<Vec<User>, StoreError> {
        let mut users = Vec::new();
        let mut after = None;
        loop {
            let ids = self.user_ids_after(company, after, BATCH_SIZE).await?;
            users.extend(self.users(company, &ids).await?);
            if ids.len() < BATCH_SIZE {
                return Ok(users);
            }
            after = ids.last().copied();
        }
    }

    /// Returns the ids of all of the company's users, oldest first.
    ///
    /// # Errors
    /// [`StoreError::TooManyUsers`] if the company has more than [`MAX_SCANNED_USERS`]. Otherwise it fails
    /// as every call does: see [`StoreError`].
    pub async fn scanned_user_ids(&self, company: CompanyId) -> Result<Vec<UserId>, StoreError> {
        let ids = self.user_ids(company, 0, MAX_SCANNED_USERS + 1).await?;
        if ids.len() > MAX_SCANNED_USERS {
            return Err(StoreError::TooManyUsers);
        }
        Ok(ids)
    }

    /// Writes a new user.
    ///
    /// # Errors
    /// [`StoreError::UserNameTaken`] if another user of the company has the `userName`, [`StoreError::Busy`] also if
    /// the user was changed before a lost response was recognised.
    pub async fn create_user(&self, change: &UserChange, user: &User) -> Result<(), StoreError> {
        match self.write_user(&UserWrite::create(change, user)).await {
            Ok(()) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
            // The response was lost, and someone has changed the new user since.
            Err(WriteError::VersionChanged) => Err(StoreError::Busy(
                "the user was changed meanwhile".to_owned(),
            )),
        }
    }

    /// Reads a user, calls `decide` with it, and writes the decision. If someone else changed the user meanwhile,
    /// `decide` is called again with the new version. Returns the user as it is now, `None` if there is no such user
    /// in this company.
    ///
    /// # Errors
    /// The error that `decide` returns. [`StoreError::UserNameTaken`] if another user of the company has the new
    /// `userName`, [`StoreError::Busy`] also if others keep changing the user.
    pub async fn change_user<'k, E: From<StoreError>>(
        &self,
        change: &UserChange,
        id: UserId,
        mut decide: impl FnMut(&User) -> Result<Next<'k>, E>,
    ) -> Result<Option<User>, E> {
        self.change_user_after(change, id, |user| std::future::ready(decide(&user)))
            .await
    }

    /// Changes a user as [`Store::change_user`] does, with a `decide` that is asynchronous.
    ///
    /// # Errors
    /// The error that `decide` returns. [`StoreError::UserNameTaken`] if another user of the company has the new
    /// `userName`, [`StoreError::Busy`] also if others keep changing the user.
    pub async fn change_user_after<'k, E: From<StoreError>, F>(
        &self,
        change: &UserChange,
        id: UserId,
        mut decide: impl FnMut(Arc<User>) -> F,
    ) -> Result<Option<User>, E>
    where
        F: Future<Output = Result<Next<'k>, E>>,
    {
        let mut backoff = Backoff::new(RETRY_BUDGET);
        loop {
            let Some(before) = self.user(change.company, id).await? else {
                return Ok(None);
            };
            let before = Arc::new(before);
            let (after, keys) = match decide(Arc::clone(&before)).await? {
                Next::Update(after) | Next::UpdateWithKeys(after, _) if after == *before => {
                    // The client may repeat a change whose response was lost.
                    self.table.confirm().await?;
                    return Ok(Some(after));
                }
                Next::Update(after) => (Some(after), Vec::new()),
                Next::UpdateWithKeys(after, keys) => (Some(after), keys),
                Next::Anonymise => (None, Vec::new()),
            };
            let write = match &after {
                Some(after) => UserWrite::update(change, &before, after, keys),
                None => UserWrite::anonymise(change, &before),
            };
            match self.write_user(&write).await {
                Ok(()) => return Ok(Some(after.unwrap_or_else(|| Arc::unwrap_or_clone(before)))),
                Err(WriteError::VersionChanged) => {}
                Err(WriteError::Store(error)) => return Err(error.into()),
            }
            if !backoff.pause().await {
                let busy = "others keep changing the user".to_owned();
                return Err(StoreError::Busy(busy).into());
            }
        }
    }
}
