//! Companies in the table.

use super::keys::{self, PK};
use super::{BATCH_SIZE, Store, StoreError, item};
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
        let ids: Vec<CompanyId> = self
            .index_range(keys::COMPANIES, 0, MAX_COMPANIES)
            .await?
            .iter()
            .filter_map(|id| CompanyId::parse(id))
            .collect();
        let mut companies = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH_SIZE) {
            let items = self
                .batch_get(batch.iter().map(|id| keys::company(*id)))
                .await?;
            for found in &items {
                let id = item::Reader(found)
                    .string(keys::INDEX_SK)
                    .ok()
                    .and_then(CompanyId::parse)
                    .ok_or(StoreError::Corrupt(keys::INDEX_SK))?;
                companies.push(item::to_company(id, found)?);
            }
        }
        companies.sort_by_key(|company| company.id);
        Ok(companies)
    }
}
