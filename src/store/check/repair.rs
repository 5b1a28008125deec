//! Puts right what was found, as long as it still is what was seen.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;

use super::finding::Verdict;
use super::survey::Count;
use crate::directory::{AuditRecord, CompanyId, KeyChange, KeyId, State, User, UserId};
use crate::store::item::{self, Item, Reader, number};
use crate::store::keys::{self, Key};
use crate::store::users::UserChange;
use crate::store::write::{Change, LookUpEntry, Transaction, UserWrite, WriteError};
use crate::store::{Store, StoreError};

/// A user's item as it was seen; `None` if it was not there.
type Seen = (UserId, Option<Item>);

/// A write that puts something right; one transaction.
pub(super) enum Repair {
    /// The user once more, with the look-ups that are missing.
    Rewrite {
        before: Box<User>,
        after: Box<User>,
        look_ups: BTreeSet<LookUpEntry>,
    },
    DeleteLookUp {
        key: Key,
        /// To whom it leads, as it is stored.
        seen: Option<AttributeValue>,
        user: Option<Seen>,
    },
    /// Into the index.
    List {
        key: Key,
        place: (String, String),
    },
    /// Nothing may be left of the user but what tells that there was one.
    Strip {
        id: UserId,
        found: Item,
    },
    SetCounter(Count),
    /// A key without an owner.
    Revoke {
        id: KeyId,
        user: Seen,
    },
}

/// What became of a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repaired {
    /// It is done.
    Done,
    /// Somebody changed what was seen: it is to be looked at again.
    ChangedMeanwhile,
    /// Another user of the company has the `userName` now.
    UserNameTaken,
}

impl Store {
    /// Makes the repairs of a verdict, in the name of `change`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn repair(
        &self,
        verdict: &Verdict,
        change: &UserChange,
    ) -> Result<Repaired, StoreError> {
        for (number, repair) in verdict.repairs.iter().enumerate() {
            // Each has a record of its own.
            let change = UserChange {
                request_id: format!("{}-{number}", change.request_id),
                ..change.clone()
            };
            match self.make(repair, &change).await {
                Ok(()) => {}
                Err(WriteError::VersionChanged) => return Ok(Repaired::ChangedMeanwhile),
                Err(WriteError::Store(StoreError::UserNameTaken)) => {
                    return Ok(Repaired::UserNameTaken);
                }
                Err(WriteError::Store(error)) => return Err(error),
            }
        }
        Ok(Repaired::Done)
    }

    async fn make(&self, repair: &Repair, change: &UserChange) -> Result<(), WriteError> {
        let company = change.company;
        let mut transaction = Transaction::new(self);
        match repair {
            Repair::Rewrite {
                before,
                after,
                look_ups,
            } => {
                let write = UserWrite {
                    company,
                    change: Change::Repair {
                        before,
                        after,
                        look_ups,
                    },
                    keys: Vec::new(),
                    audit: record(change, before.state(), after.state(), Vec::new()),
                };
                return self.write_user(write).await;
            }
            Repair::DeleteLookUp { key, seen, user } => {
                transaction.delete_look_up(key.clone(), seen.clone())?;
                if let Some(user) = user {
                    self.hold_to(&mut transaction, change, user, Vec::new())?;
                }
            }
            Repair::List { key, place } => transaction.set_index(key.clone(), place)?,
            Repair::Strip { id, found } => {
                let version = Reader(found).number(item::VERSION)?;
                let Some(stripped) = item::stripped(found, &transaction.write_id)? else {
                    return Ok(());
                };
                transaction.strip(stripped, version)?;
                let gone = State::Anonymised;
                let record = record(change, gone, gone, Vec::new());
                transaction.audit(self, company, Some(*id), &record)?;
            }
            Repair::SetCounter(count) => {
                let key = keys::counter(company, count.shard);
                let seen = count.seen.as_ref().map(number);
                transaction.set_counter(key, seen, count.least)?;
            }
            Repair::Revoke { id, user } => {
                let revocation = KeyChange::Revoke(*id);
                transaction.api_key(&revocation, change.now)?;
                let keys = vec![revocation.to_string()];
                self.hold_to(&mut transaction, change, user, keys)?;
            }
        }
        self.commit(&transaction).await
    }

    /// Holds a transaction to a user as they were seen, and records it with them, or with the company
    /// if there is no such user.
    fn hold_to(
        &self,
        transaction: &mut Transaction,
        change: &UserChange,
        (id, seen): &Seen,
        keys: Vec<String>,
    ) -> Result<(), StoreError> {
        let company: CompanyId = change.company;
        let key = keys::user(company, *id);
        let Some(seen) = seen else {
            transaction.expect_user(key, None)?;
            let record = record_of_nobody(change, keys);
            return transaction.audit(self, company, None, &record);
        };
        let version = Reader(seen).number(item::VERSION)?;
        transaction.expect_user(key, Some(version))?;
        let state = item::to_user(*id, seen)?.map_or(State::Anonymised, |user| user.state());
        let record = record(change, state, state, keys);
        transaction.audit(self, company, Some(*id), &record)
    }
}

fn record(change: &UserChange, before: State, after: State, keys: Vec<String>) -> AuditRecord {
    AuditRecord {
        before: Some(before.as_str()),
        after: after.as_str(),
        ..record_of_nobody(change, keys)
    }
}

/// A record about the company, whose status stays what it is.
fn record_of_nobody(change: &UserChange, keys: Vec<String>) -> AuditRecord {
    AuditRecord {
        at: change.now,
        request_id: change.request_id.clone(),
        actor: change.actor,
        operation: change.operation,
        attributes: Vec::new(),
        keys,
        before: None,
        after: "unchanged",
    }
}
