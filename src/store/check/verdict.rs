//! The verdict on a suspicious item, and its repairs.

use std::collections::BTreeSet;
use std::fmt;

use super::finding::{Fault, Finding, Remedy};
use super::repair::Repair;
use crate::directory::{CompanyId, User};
use crate::store::layout::{Item, Key, LookupEntry, is_indexed_as};
use crate::store::write::WriteError;
use crate::store::{Store, StoreError, UserChange};

pub(super) const LIST: Remedy = Remedy::Write("put it where it belongs in the index");

/// The result of reading a suspicious item again, consistently.
#[derive(Default)]
pub struct Verdict {
    /// The company, if it is known.
    pub company: Option<CompanyId>,
    /// What is wrong; nothing if a change was only half visible before.
    pub findings: Vec<Finding>,
    pub(super) repairs: Vec<Repair>,
}

impl fmt::Debug for Verdict {
    /// Writes the verdict without the repairs, which have personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdict")
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}

impl Verdict {
    pub(super) fn find(&mut self, fault: Fault, key: &Key, remedy: Remedy) {
        self.findings.push(Finding::new(fault, key, remedy));
    }

    /// Finds an item that is not where it belongs in the index.
    pub(super) fn list(&mut self, key: &Key, company: CompanyId, found: &Item) {
        let Some(place) = key.indexed(company) else {
            return;
        };
        if !is_indexed_as(found, Some(&place)) {
            self.find(Fault::NotListed, key, LIST);
            let key = key.clone();
            self.repairs.push(Repair::List { key, place });
        }
    }

    pub(super) fn rewrite(
        &mut self,
        before: &User,
        mut after: User,
        lookups: BTreeSet<LookupEntry>,
    ) {
        after.version = before.version + 1;
        self.repairs.push(Repair::Rewrite {
            before: Box::new(before.clone()),
            after: Box::new(after),
            lookups,
        });
    }

    /// Returns whether a repair can be written for something that was found.
    #[must_use]
    pub fn is_repairable(&self) -> bool {
        let is_write = |finding: &Finding| matches!(finding.remedy, Remedy::Write(_));
        self.findings.iter().any(is_write)
    }
}

/// The result of a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repaired {
    /// It is done.
    Done,
    /// An item has changed since it was read: it must be examined again.
    ChangedMeanwhile,
    /// Another user of the company has the `userName` now.
    UserNameTaken,
}

impl Store {
    /// Makes the repairs of a verdict, in the name of `change`.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
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
            let draft = repair.draft(&change, self.audit_retention)?;
            let Some(draft) = draft else {
                continue;
            };
            match self.commit(&draft).await {
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
}
