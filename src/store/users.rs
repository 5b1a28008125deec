//! Users in the table: finding, counting, listing, changing.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::backoff::Backoff;
use super::item::{Item, Reader, user_id_of_look_up};
use super::keys::{self, LookUp, SK, user_of_look_up};
use super::write::{Change, UserWrite, WriteError};
use super::{BATCH_SIZE, MAX_LOOK_UP_MATCHES, Store, StoreError, item};
use crate::directory::{Actor, AuditRecord, CompanyId, KeyChange, Operation, State, User, UserId};
use crate::scim::schema::USER;

/// Most users that one request may look at, for filters and sorting that no look-up serves.
pub const MAX_SCANNED_USERS: usize = 10_000;
/// Batches that are read at the same time.
const CONCURRENT_BATCHES: usize = 8;
/// How long a change is made again on what someone else wrote meanwhile.
const PATIENCE: Duration = Duration::from_secs(8);

/// Who changes a user, how and when.
#[derive(Debug, Clone)]
pub struct UserChange {
    /// The company.
    pub company: CompanyId,
    /// Who.
    pub actor: Actor,
    /// What, for the audit trail.
    pub operation: Operation,
    /// The request's id, for the audit trail.
    pub request_id: String,
    /// When.
    pub now: Timestamp,
}

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

impl Store {
    /// The user of that id; `None` if there is none in this company, or they are anonymised.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn user(&self, company: CompanyId, id: UserId) -> Result<Option<User>, StoreError> {
        match self.get(keys::user(company, id)).await? {
            Some(found) => item::to_user(id, &found),
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
        match self.get(keys::user_name(company, user_name)).await? {
            Some(found) => self.user(company, user_id_of_look_up(&found)?).await,
            None => Ok(None),
        }
    }

    /// The users who bear an `externalId` or email.
    ///
    /// # Errors
    /// [`StoreError::TooManyMatches`] beyond [`MAX_LOOK_UP_MATCHES`].
    pub async fn users_by_look_up(
        &self,
        company: CompanyId,
        look_up: LookUp,
        value: &str,
    ) -> Result<Vec<User>, StoreError> {
        let mut ids = Vec::new();
        let mut from = None;
        loop {
            let output = self
                .partition(look_up.pk(company, value))
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(StoreError::from_sdk)?;
            for found in output.items.unwrap_or_default() {
                let user = user_of_look_up(Reader(&found).string(SK)?);
                ids.push(user.ok_or(StoreError::Corrupt(SK))?);
            }
            if ids.len() > MAX_LOOK_UP_MATCHES {
                return Err(StoreError::TooManyMatches);
            }
            match output.last_evaluated_key {
                Some(next) => from = Some(next),
                None => return self.users(company, &ids).await,
            }
        }
    }

    /// The users of these ids, in this order; those that are gone are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn users(&self, company: CompanyId, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let batches: Vec<Vec<User>> = self.user_batches(company, ids).try_collect().await?;
        Ok(batches.into_iter().flatten().collect())
    }

    fn user_batches<'s>(
        &'s self,
        company: CompanyId,
        ids: &[UserId],
    ) -> impl Stream<Item = Result<Vec<User>, StoreError>> + use<'s> {
        let batches: Vec<Vec<UserId>> = ids.chunks(BATCH_SIZE).map(<[UserId]>::to_vec).collect();
        stream::iter(batches)
            .map(move |batch| self.user_batch(company, batch))
            .buffered(CONCURRENT_BATCHES)
    }

    async fn user_batch(
        &self,
        company: CompanyId,
        ids: Vec<UserId>,
    ) -> Result<Vec<User>, StoreError> {
        let items = self
            .batch_get(ids.iter().map(|id| keys::user(company, *id)))
            .await?;
        let mut by_pk: HashMap<String, Item> = HashMap::with_capacity(items.len());
        for found in items {
            by_pk.insert(Reader(&found).string(keys::PK)?.to_owned(), found);
        }
        ids.iter()
            .filter_map(|id| {
                let found = by_pk.get(&keys::user(company, *id).pk)?;
                item::to_user(*id, found).transpose()
            })
            .collect()
    }

    /// Number of the company's users.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_users(&self, company: CompanyId) -> Result<usize, StoreError> {
        // A Query is charged by what it reads in all, a BatchGetItem for each item: 1 unit, not 16.
        let query = self.partition(keys::counters(company));
        let mut total = 0;
        for counter in self.query_all(query).await? {
            total += Reader(&counter).number(item::USERS)?;
        }
        usize::try_from(total).map_err(|_| StoreError::Corrupt(item::USERS))
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
            .map(|id| UserId::parse(id).ok_or(StoreError::Corrupt(keys::INDEX_SK)))
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
            .map(|id| UserId::parse(id).ok_or(StoreError::Corrupt(keys::INDEX_SK)))
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

    /// All of the company's users, oldest first, in batches: together they may be more than fits into
    /// memory.
    ///
    /// # Errors
    /// [`StoreError::TooManyUsers`] beyond [`MAX_SCANNED_USERS`].
    pub async fn all_users(
        &self,
        company: CompanyId,
    ) -> Result<impl Stream<Item = Result<Vec<User>, StoreError>>, StoreError> {
        let ids = self.user_ids(company, 0, MAX_SCANNED_USERS + 1).await?;
        if ids.len() > MAX_SCANNED_USERS {
            return Err(StoreError::TooManyUsers);
        }
        Ok(self.user_batches(company, &ids))
    }

    /// Writes a new user.
    ///
    /// # Errors
    /// [`StoreError::UserNameTaken`].
    pub async fn create_user(&self, change: &UserChange, user: &User) -> Result<(), StoreError> {
        let write = UserWrite {
            company: change.company,
            change: Change::Create(user),
            keys: Vec::new(),
            audit: audit(change, None, Some(user), &[]),
        };
        match self.write_user(write).await {
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
        let mut backoff = Backoff::new(PATIENCE);
        loop {
            let Some(before) = self.user(change.company, id).await? else {
                return Ok(None);
            };
            let (after, keys) = match decide(&before)? {
                Next::Update(after) | Next::UpdateWithKeys(after, _) if after == before => {
                    return Ok(Some(before));
                }
                Next::Update(after) => (Some(after), Vec::new()),
                Next::UpdateWithKeys(after, keys) => (Some(after), keys),
                Next::Anonymise => {
                    let revoked = before.keys.keys().copied().map(KeyChange::Revoke);
                    (None, revoked.collect())
                }
            };
            let write = UserWrite {
                company: change.company,
                change: match &after {
                    Some(after) => Change::Update {
                        before: &before,
                        after,
                    },
                    None => Change::Anonymise(&before),
                },
                audit: audit(change, Some(&before), after.as_ref(), &keys),
                keys,
            };
            match self.write_user(write).await {
                Ok(()) => return Ok(Some(after.unwrap_or(before))),
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

fn audit(
    change: &UserChange,
    before: Option<&User>,
    after: Option<&User>,
    keys: &[KeyChange<'_>],
) -> AuditRecord {
    let attributes = match (before, after) {
        (Some(before), Some(after)) => before.document.changed_attributes(&after.document, &USER),
        (None, Some(after)) => after
            .document
            .changed_attributes(&Default::default(), &USER),
        (_, None) => Vec::new(),
    };
    AuditRecord {
        at: change.now,
        request_id: change.request_id.clone(),
        actor: change.actor,
        operation: change.operation,
        attributes,
        keys: keys.iter().map(ToString::to_string).collect(),
        before: before.map(|user| user.state().as_str()),
        after: after.map_or(State::Anonymised, User::state).as_str(),
    }
}
