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
    self, DOCUMENT, INDEX_SK, Item, LookUp, PK, Reader, SK, keys, to_user, user_id_of_look_up,
    user_of_look_up,
};
use super::table::{BATCH_SIZE, PartitionRange};
use super::user_write::UserWrite;
use super::write::WriteError;
use super::{MAX_LOOK_UP_MATCHES, Store, StoreError, UserChange};
use crate::directory::{CompanyId, KeyChange, User, UserId};

/// Most users that one request may look at, for filters and sorting that no look-up serves.
pub const MAX_SCANNED_USERS: usize = 10_000;
/// Batches that are read at the same time.
const CONCURRENT_BATCHES: usize = 3;
/// What a batch should hold at most, in bytes of documents, by what those before it held. With the
/// largest users possible, the first batches hold 6.5 MB each.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Fewest users in a batch.
const MIN_BATCH_SIZE: usize = 10;
/// How long a change is made again on what someone else wrote meanwhile.
const PATIENCE: Duration = Duration::from_secs(8);

/// What a decision on a user's current version comes to.
#[derive(Debug)]
pub enum Next<'k> {
    /// This is the user now. Nothing is written if that is what they were.
    Update(User),
    /// The same, and keys change with it.
    UpdateWithKeys(User, Vec<KeyChange<'k>>),
    /// Nothing personal stays; the user's keys are revoked.
    Anonymise,
}

/// The item of a user as it was read. Documents are compact as text; read one at a time.
#[derive(Debug)]
pub struct StoredUser {
    /// The user's id.
    pub id: UserId,
    /// `None` for a deleted user.
    item: Option<Item>,
}

impl StoredUser {
    /// The length of the user's document, in bytes of JSON.
    #[must_use]
    pub fn document_bytes(&self) -> usize {
        let item = self.item.as_ref();
        let document = item.and_then(|item| Reader(item).optional(DOCUMENT));
        document.map_or(0, str::len)
    }

    /// The user; `None` if they are deleted.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn read(&self) -> Result<Option<User>, StoreError> {
        match &self.item {
            Some(found) => to_user(self.id, found),
            None => Ok(None),
        }
    }
}

/// How many users the next batch holds, if they are like those of this one.
fn next_batch_size(batch: &[StoredUser]) -> usize {
    let bytes: usize = batch.iter().map(StoredUser::document_bytes).sum();
    let fitting = BATCH_BYTES.saturating_mul(batch.len()) / bytes.max(1);
    fitting.clamp(MIN_BATCH_SIZE, BATCH_SIZE)
}

impl Store {
    /// The user of that id; `None` if there is none in this company, or they are anonymised.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn user(&self, company: CompanyId, id: UserId) -> Result<Option<User>, StoreError> {
        match self.table.get(keys::user(company, id)).await? {
            Some(found) => to_user(id, &found),
            None => Ok(None),
        }
    }

    /// The user who bears a `userName`.
    ///
    /// # Errors
    /// [`StoreError`].
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
            Some(found) => self.user(company, user_id_of_look_up(&found)?).await,
            None => Ok(None),
        }
    }

    /// The ids of the users who have an `externalId` or email, in order.
    ///
    /// # Errors
    /// [`StoreError::TooManyMatches`] beyond [`MAX_LOOK_UP_MATCHES`], or an error of the store.
    pub async fn user_ids_by_look_up(
        &self,
        company: CompanyId,
        look_up: LookUp,
        value: &str,
    ) -> Result<Vec<UserId>, StoreError> {
        let mut ids = Vec::new();
        let mut after = None;
        let pk = look_up.pk(company, value);
        let range = PartitionRange {
            pk: &pk,
            between: None,
        };
        loop {
            let page = self.table.read_partition(range, after).await?;
            for found in &page.items {
                let user = user_of_look_up(Reader(found).string(SK)?);
                ids.push(user.ok_or(StoreError::Corrupt(SK))?);
            }
            if ids.len() > MAX_LOOK_UP_MATCHES {
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

    /// The users of these ids, in this order; deleted ones are left out.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// The items of the users of these ids, one for each id and in this order, in batches: together
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

    /// Number of the company's users.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// Ids of the company's users `offset..offset + limit`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// Ids of up to `limit` users of the company that come after one, oldest first; that one may be
    /// gone. `None` begins with the oldest.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// All of the company's users, oldest first, for an operator: a walk from the last id of a batch to the next.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// The ids of all of the company's users, oldest first.
    ///
    /// # Errors
    /// [`StoreError::TooManyUsers`] beyond [`MAX_SCANNED_USERS`], or an error of the store.
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
    /// [`StoreError::UserNameTaken`].
    pub async fn create_user(&self, change: &UserChange, user: &User) -> Result<(), StoreError> {
        match self.write_user(&UserWrite::create(change, user)).await {
            Ok(()) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
            // The answer was lost, and someone has changed the new user since.
            Err(WriteError::VersionChanged) => Err(StoreError::Busy(
                "the user was changed meanwhile".to_owned(),
            )),
        }
    }

    /// Reads a user, lets `decide` say what becomes of them, and writes that. If someone else
    /// changed the user meanwhile, it is decided again on what they wrote. Returns the user as they
    /// are now, `None` if there is no such user in this company.
    ///
    /// # Errors
    /// What `decide` returns, or a [`StoreError`].
    pub async fn change_user<'k, E: From<StoreError>>(
        &self,
        change: &UserChange,
        id: UserId,
        mut decide: impl FnMut(&User) -> Result<Next<'k>, E>,
    ) -> Result<Option<User>, E> {
        self.change_user_after(change, id, |user| std::future::ready(decide(&user)))
            .await
    }

    /// The same, where deciding takes a while.
    ///
    /// # Errors
    /// What `decide` returns, or a [`StoreError`].
    pub async fn change_user_after<'k, E: From<StoreError>, F>(
        &self,
        change: &UserChange,
        id: UserId,
        mut decide: impl FnMut(Arc<User>) -> F,
    ) -> Result<Option<User>, E>
    where
        F: Future<Output = Result<Next<'k>, E>>,
    {
        let mut backoff = Backoff::new(PATIENCE);
        loop {
            let Some(before) = self.user(change.company, id).await? else {
                return Ok(None);
            };
            let before = Arc::new(before);
            let (after, keys) = match decide(Arc::clone(&before)).await? {
                Next::Update(after) | Next::UpdateWithKeys(after, _) if after == *before => {
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
