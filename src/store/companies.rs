//! Companies in the table.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};

use super::keys::{self, PK};
use super::users::UserChange;
use super::{Store, StoreError, item};
use crate::directory::{AuditRecord, Company, CompanyId, CompanyStatus};

/// Most companies that are listed.
const MAX_COMPANIES: usize = 10_000;

impl Store {
    /// Writes a new company.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_company(
        &self,
        change: &UserChange,
        company: &Company,
    ) -> Result<(), StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item::from_company(company)))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .build()
            .map_err(StoreError::incomplete)?;
        self.client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(self.company_audit(change, None, company.status)?)
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        Ok(())
    }

    /// The company of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn company(&self, id: CompanyId) -> Result<Option<Company>, StoreError> {
        match self.get(keys::company(id)).await? {
            Some(found) => item::to_company(id, &found).map(Some),
            None => Ok(None),
        }
    }

    /// Honours or refuses a company's keys from now on; `None` if there is no such company.
    ///
    /// # Errors
    /// [`StoreError`].
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
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(item::key(keys::company(change.company))))
            .update_expression("SET #status = :status")
            .condition_expression("#status = :before")
            .expression_attribute_names("#status", item::STATUS)
            .expression_attribute_values(":status", item::string(status.as_str()))
            .expression_attribute_values(":before", item::string(before.status.as_str()))
            .build()
            .map_err(StoreError::incomplete)?;
        let written = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(update).build())
            .transact_items(self.company_audit(change, Some(before.status), status)?)
            .send()
            .await;
        if let Err(error) = written {
            // Somebody else may have done the same at the same time.
            let now = self.company(change.company).await?;
            return match now {
                Some(company) if company.status == status => Ok(Some(company)),
                _ => Err(StoreError::from_sdk(error)),
            };
        }
        Ok(Some(Company { status, ..before }))
    }

    /// The record of a company's change, for its transaction.
    fn company_audit(
        &self,
        change: &UserChange,
        before: Option<CompanyStatus>,
        after: CompanyStatus,
    ) -> Result<TransactWriteItem, StoreError> {
        let record = AuditRecord {
            at: change.now,
            request_id: change.request_id.clone(),
            actor: change.actor,
            operation: change.operation,
            attributes: Vec::new(),
            keys: Vec::new(),
            before: before.map(CompanyStatus::as_str),
            after: after.as_str(),
        };
        let audit = item::from_audit(change.company, None, &record, self.audit_retention);
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(audit))
            .build()
            .map_err(StoreError::incomplete)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// All companies, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn companies(&self) -> Result<Vec<Company>, StoreError> {
        let mut companies = self
            .listed(
                keys::COMPANIES,
                MAX_COMPANIES,
                CompanyId::parse,
                keys::company,
                item::to_company,
            )
            .await?;
        companies.sort_by_key(|company| company.id);
        Ok(companies)
    }
}
