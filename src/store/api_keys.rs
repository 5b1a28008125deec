//! API keys in the table.

use jiff::civil::Date;

use super::layout::attributes::LAST_USED;
use super::layout::{Item, Key, Reader, SK, Value, keys, to_api_key, to_company, to_user};
use super::transaction::{Condition, Update};
use super::{Listed, Store, StoreError};
use crate::directory::{ApiKey, Company, CompanyId, KeyId, User, UserId};

/// Most keys that are listed.
const MAX_LISTED_KEYS: usize = 10_000;

impl Listed for ApiKey {
    type Id = KeyId;

    fn parse(text: &str) -> Option<KeyId> {
        KeyId::parse(text)
    }

    fn key(id: KeyId) -> Key {
        keys::api_key(id)
    }

    fn read(id: KeyId, item: &Item) -> Result<Self, StoreError> {
        to_api_key(id, item)
    }
}

impl Store {
    /// Returns the key with this id, whichever company has it.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn find_key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        match self.table.get(keys::api_key(id)).await? {
            Some(found) => to_api_key(id, &found).map(Some),
            None => Ok(None),
        }
    }

    /// Records the day a key is used on, unless that day or a later one is recorded already. It names no other
    /// attribute than `lastUsed`, not even in its condition, because the handlers' roles allow no other. So a key
    /// that is revoked after it was verified, and before this, still gets the day.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn mark_key_used(&self, id: KeyId, day: Date) -> Result<(), StoreError> {
        let day = Value::string(day);
        let is_first = Condition::AbsentOrLess(LAST_USED, day.clone());
        let condition = Condition::All(vec![Condition::Exists, is_first]);
        let update = Update::set(keys::api_key(id), [(LAST_USED, day)], condition);
        self.table.update(update).await?;
        Ok(())
    }

    /// Returns a key's owner and company, in one call.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn owner_and_company(
        &self,
        company: CompanyId,
        owner: UserId,
    ) -> Result<(Option<User>, Option<Company>), StoreError> {
        let keys = [keys::user(company, owner), keys::company(company)];
        let items = self.table.get_many(keys.into()).await?;
        let mut found = (None, None);
        for entry in &items {
            if keys::is_company(Reader(entry).string(SK)?) {
                found.1 = Some(to_company(company, entry)?);
            } else {
                found.0 = to_user(owner, entry)?;
            }
        }
        Ok(found)
    }

    /// Returns a company's keys, oldest first, revoked ones included.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn api_keys(&self, company: CompanyId) -> Result<Vec<ApiKey>, StoreError> {
        let mut api_keys = self
            .listed::<ApiKey>(&keys::keys_of(company), MAX_LISTED_KEYS)
            .await?;
        api_keys.sort_by_key(|api_key| (api_key.created, api_key.id));
        Ok(api_keys)
    }
}
