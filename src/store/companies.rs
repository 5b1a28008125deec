//! Companies in the table.

use super::change::UserChange;
use super::layout::attributes::STATUS;
use super::layout::{Item, Key, Value, from_company, keys, to_company};
use super::transaction::{Action, Condition, Update};
use super::write::{Draft, Role, WriteError};
use super::{Listed, Store, StoreError};
use crate::directory::{Company, CompanyId, CompanyStatus};

/// Most companies that are listed.
const MAX_COMPANIES: usize = 10_000;

impl Listed for Company {
    type Id = CompanyId;

    fn parse(text: &str) -> Option<CompanyId> {
        CompanyId::parse(text)
    }

    fn key(id: CompanyId) -> Key {
        keys::company(id)
    }

    fn read(id: CompanyId, item: &Item) -> Result<Self, StoreError> {
        to_company(id, item)
    }
}

impl Store {
    /// Writes a new company.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn create_company(
        &self,
        change: &UserChange,
        company: &Company,
    ) -> Result<(), StoreError> {
        let mut draft = Draft::new();
        let put = Action::Put {
            item: from_company(company),
            condition: Condition::Absent,
        };
        draft.push(Role::Seen, put);
        let record = change.record(None, company.status.as_str());
        draft.audit(change.company, None, &record, self.audit_retention);
        self.commit_company(&draft).await
    }

    /// Returns the company with this id.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn company(&self, id: CompanyId) -> Result<Option<Company>, StoreError> {
        match self.table.get(keys::company(id)).await? {
            Some(found) => to_company(id, &found).map(Some),
            None => Ok(None),
        }
    }

    /// Sets whether a company's keys are accepted from now on; returns `None` if there is no such company.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn set_company_status(
        &self,
        change: &UserChange,
        status: CompanyStatus,
    ) -> Result<Option<Company>, StoreError> {
        let Some(before) = self.company(change.company).await? else {
            return Ok(None);
        };
        if before.status == status {
            return Ok(Some(before));
        }
        let (old, new) = (before.status.as_str(), status.as_str());
        let mut draft = Draft::new();
        let condition = Condition::Equals(STATUS, Value::string(old));
        let set = [(STATUS, Value::string(new))];
        let update = Update::set(keys::company(change.company), set, condition);
        draft.push(Role::Seen, Action::Update(update));
        let record = change.record(Some(old), new);
        draft.audit(change.company, None, &record, self.audit_retention);
        if let Err(error) = self.commit_company(&draft).await {
            // Another program may have done the same at the same time.
            let now = self.company(change.company).await?;
            return match now {
                Some(company) if company.status == status => Ok(Some(company)),
                _ => Err(error),
            };
        }
        Ok(Some(Company { status, ..before }))
    }

    /// Commits a change of the company itself.
    async fn commit_company(&self, draft: &Draft) -> Result<(), StoreError> {
        match self.commit(draft).await {
            Ok(()) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
            Err(WriteError::VersionChanged) => {
                let busy = "the company was changed meanwhile".to_owned();
                Err(StoreError::Busy(busy))
            }
        }
    }

    /// Returns all companies, oldest first.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn companies(&self) -> Result<Vec<Company>, StoreError> {
        let mut companies = self
            .listed::<Company>(keys::COMPANIES, MAX_COMPANIES)
            .await?;
        companies.sort_by_key(|company| company.id);
        Ok(companies)
    }
}
