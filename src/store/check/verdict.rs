//! What looking again at a suspect has come to, and making its repairs.

use std::collections::BTreeSet;
use std::fmt;

use super::finding::{Fault, Finding, Remedy};
use super::repair::Repair;
use crate::directory::{CompanyId, User};
use crate::store::layout::{Item, Key, LookUpEntry, is_indexed_as};
use crate::store::write::WriteError;
use crate::store::{Store, StoreError, UserChange};

pub(super) const LIST: Remedy = Remedy::Write("put it where it belongs in the index");

/// What a second, consistent look at a suspect has come to.
#[derive(Default)]
pub struct Verdict {
    /// The company, if it is known.
    pub company: Option<CompanyId>,
    /// What is wrong; nothing if the first look met a change halfway.
    pub findings: Vec<Finding>,
    pub(super) repairs: Vec<Repair>,
}

impl fmt::Debug for Verdict {
    /// Without the repairs: they hold what is personal.
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
        look_ups: BTreeSet<LookUpEntry>,
    ) {
        after.version = before.version + 1;
        self.repairs.push(Repair::Rewrite {
            before: Box::new(before.clone()),
            after: Box::new(after),
            look_ups,
        });
    }

    /// Whether a repair can be written for something that was found.
    #[must_use]
    pub fn is_repairable(&self) -> bool {
        let is_write = |finding: &Finding| matches!(finding.remedy, Remedy::Write(_));
        self.findings.iter().any(is_write)
    }
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
