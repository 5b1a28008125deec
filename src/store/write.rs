//! The one write path: drafts a transaction, and commits it until it is written or refused.

use std::time::Duration;

use jiff::SignedDuration;
use uuid::Uuid;

use super::backoff::Backoff;
use super::layout::from_audit;
use super::table::CommitError;
use super::transaction::{Action, Condition, Transaction};
use super::{Store, StoreError};
use crate::directory::{AuditRecord, CompanyId, UserId};

/// Retry budget of a transaction. With the engine's own timeouts, a write ends well before the deadline of a request,
/// 25 s.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(8);

/// The reason why a transaction was not written.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The user, or another item that the change depends on, has changed since it was read.
    VersionChanged,
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The purpose of an action of a transaction, which decides what its failed condition means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The user, of the version that was read.
    User,
    /// The lookup item that makes a `userName` unique.
    UserNameGuard,
    /// The record of this very change: if it is there already, so is the change.
    Audit,
    /// Another item that the change depends on.
    Seen,
    /// Anything else.
    Other,
}

/// A draft of a transaction.
#[derive(Debug)]
pub(super) struct Draft {
    transaction: Transaction,
    /// What the actions are for, one role for each.
    roles: Vec<Role>,
}

impl Draft {
    pub(super) fn new() -> Self {
        Self {
            transaction: Transaction {
                id: Uuid::now_v7().to_string(),
                actions: Vec::new(),
            },
            roles: Vec::new(),
        }
    }

    /// Identifies the transaction, and in an item the write that made it what it is.
    pub(super) fn id(&self) -> &str {
        &self.transaction.id
    }

    pub(super) fn push(&mut self, role: Role, action: Action) {
        self.roles.push(role);
        self.transaction.actions.push(action);
    }

    /// Adds a record to the audit trail of a user, or of the company itself. Time and request in its key are those of
    /// one change, so it can be written only once.
    pub(super) fn audit(
        &mut self,
        company: CompanyId,
        user: Option<UserId>,
        record: &AuditRecord,
        retention: SignedDuration,
    ) {
        let item = from_audit(company, user, record, retention);
        let condition = Condition::Absent;
        self.push(Role::Audit, Action::Put { item, condition });
    }

    /// Decides what it means that these actions' conditions did not hold. It is a success if the change was written
    /// before, even if others have changed the user since.
    fn outcome(&self, failed: &[usize]) -> Result<(), WriteError> {
        let roles = failed
            .iter()
            .filter_map(|position| self.roles.get(*position));
        let is_failed = |role: Role| roles.clone().any(|failed| *failed == role);
        if is_failed(Role::Audit) {
            Ok(())
        } else if is_failed(Role::User) || is_failed(Role::Seen) {
            Err(WriteError::VersionChanged)
        } else if is_failed(Role::UserNameGuard) {
            Err(WriteError::Store(StoreError::UserNameTaken))
        } else {
            let reason = "transaction cancelled: a condition did not hold".to_owned();
            Err(WriteError::Store(StoreError::Refused(reason)))
        }
    }
}

impl Store {
    /// Commits a transaction until it is written, refused, or [`COMMIT_TIMEOUT`] ends. A response may be lost after the
    /// transaction was written: the engine then recognises it, or finds the audit record of the change. In the second
    /// case the success is reported only after the engine has confirmed it.
    pub(super) async fn commit(&self, draft: &Draft) -> Result<(), WriteError> {
        let mut backoff = Backoff::new(COMMIT_TIMEOUT);
        loop {
            let error = match self.table.commit(&draft.transaction).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Conditions(failed)) => {
                    draft.outcome(&failed)?;
                    match self.table.confirm().await {
                        Ok(()) => return Ok(()),
                        Err(error) => error,
                    }
                }
                Err(CommitError::Store(error)) => error,
            };
            if !matches!(error, StoreError::Busy(_)) {
                return Err(WriteError::Store(error));
            }
            if !backoff.pause().await {
                return Err(WriteError::Store(error));
            }
        }
    }
}
