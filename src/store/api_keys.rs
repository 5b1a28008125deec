//! API keys in the table.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use jiff::civil::Date;

use super::keys;
use super::{Store, StoreError, item};
use crate::directory::{ApiKey, Company, CompanyId, KeyId, User, UserId};

/// Most keys that are listed.
const MAX_LISTED_KEYS: usize = 10_000;

pub(super) fn is_condition_failed(error: &SdkError<UpdateItemError>) -> bool {
    error
        .as_service_error()
        .is_some_and(UpdateItemError::is_conditional_check_failed_exception)
}

impl Store {
    /// The key of that id, of whatever company.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        match self.get(keys::api_key(id)).await? {
            Some(found) => item::to_api_key(id, &found).map(Some),
            None => Ok(None),
        }
    }

    /// Records the day a key is used on, unless that day or a later one is recorded already. It names no other
    /// attribute than `lastUsed`, not even in its condition, because the handlers' roles allow no other. So a key
    /// that is revoked after it was verified, and before this, still gets the day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark_key_used(&self, id: KeyId, day: Date) -> Result<(), StoreError> {
        let recorded = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::key(keys::api_key(id))))
            .update_expression("SET #used = :day")
            .condition_expression(
                "attribute_exists(#pk) AND (attribute_not_exists(#used) OR #used < :day)",
            )
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#used", item::LAST_USED)
            .expression_attribute_values(":day", item::string(day))
            .send()
            .await;
        match recorded {
            Err(error) if is_condition_failed(&error) => Ok(()),
            recorded => recorded.map(drop).map_err(StoreError::from_sdk),
        }
    }

    /// A key's owner and company, in one call.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn owner_and_company(
        &self,
        company: CompanyId,
        owner: UserId,
    ) -> Result<(Option<User>, Option<Company>), StoreError> {
        let keys = [keys::user(company, owner), keys::company(company)];
        let items = self.batch_get(keys.into_iter()).await?;
        let mut found = (None, None);
        for entry in &items {
            if keys::is_company(item::Reader(entry).string(keys::SK)?) {
                found.1 = Some(item::to_company(company, entry)?);
            } else {
                found.0 = item::to_user(owner, entry)?;
            }
        }
        Ok(found)
    }

    /// A company's keys, oldest first, revoked ones included.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_keys(&self, company: CompanyId) -> Result<Vec<ApiKey>, StoreError> {
        let mut api_keys = self
            .listed(
                &keys::keys_of(company),
                MAX_LISTED_KEYS,
                KeyId::parse,
                keys::api_key,
                item::to_api_key,
            )
            .await?;
        api_keys.sort_by_key(|api_key| (api_key.created, api_key.id));
        Ok(api_keys)
    }
}
