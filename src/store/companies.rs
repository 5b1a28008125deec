//! Companies in the table.

use super::keys::{self, PK};
use super::{Store, StoreError, item};
use crate::directory::{Company, CompanyId};

/// Most companies that are listed.
const MAX_COMPANIES: usize = 10_000;

impl Store {
    /// Writes a new company.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_company(&self, company: &Company) -> Result<(), StoreError> {
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::from_company(company)))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
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
