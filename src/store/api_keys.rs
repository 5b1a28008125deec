//! API keys in the table.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use jiff::civil::Date;

use super::keys;
use super::{Store, StoreError, item};
use crate::directory::{ApiKey, Company, CompanyId, KeyId, User, UserId};

/// Most keys that are listed.
const MAX_LISTED_KEYS: usize = 10_000;

fn is_condition_failed(error: &SdkError<UpdateItemError>) -> bool {
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

    /// Notes the day a key is used on, if it is still honoured and neither that day nor a later one is
    /// noted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark_key_used(&self, id: KeyId, day: Date) -> Result<(), StoreError> {
        let noted = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::key(keys::api_key(id))))
            .update_expression("SET #used = :day")
            .condition_expression(
                "attribute_exists(#pk) AND attribute_not_exists(#revoked) \
                 AND (attribute_not_exists(#used) OR #used < :day)",
            )
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#used", item::LAST_USED)
            .expression_attribute_names("#revoked", item::REVOKED)
            .expression_attribute_values(":day", item::string(day))
            .send()
            .await;
        match noted {
            Err(error) if is_condition_failed(&error) => Ok(()),
            noted => noted.map(drop).map_err(StoreError::from_sdk),
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
