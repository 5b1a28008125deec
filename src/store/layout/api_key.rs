//! Items of API keys.

use super::attributes::{
    COMPANY, CREATED, EXPIRES, LAST_USED, NAME, OWNER, PUBLIC_KEY, REVOKED, SECRET_HASH,
};
use super::item::{Item, ItemBuilder, Reader, Value};
use super::keys;
use crate::directory::{ApiKey, CompanyId, KeyId, UserId};
use crate::store::StoreError;

pub(crate) fn from_api_key(api_key: &ApiKey) -> Item {
    ItemBuilder::new(keys::api_key(api_key.id))
        .indexed(keys::keys_of(api_key.company), api_key.id)
        .with(SECRET_HASH, Value::Bytes(api_key.secret_hash.to_vec()))
        .with_some(
            PUBLIC_KEY,
            api_key.public_key.map(|key| Value::Bytes(key.to_vec())),
        )
        .with(NAME, Value::string(&api_key.name))
        .with(COMPANY, Value::string(api_key.company))
        .with(OWNER, Value::string(api_key.owner))
        .with(CREATED, Value::string(api_key.created))
        .with_some(EXPIRES, api_key.expires.map(Value::string))
        .build()
}

pub(crate) fn to_api_key(id: KeyId, item: &Item) -> Result<ApiKey, StoreError> {
    let reader = Reader(item);
    let revoked = reader.optional_timestamp(REVOKED)?;
    Ok(ApiKey {
        id,
        // A revoked key keeps no hash, no public key and no name.
        secret_hash: match revoked {
            Some(_) => [0; 32],
            None => reader.bytes32(SECRET_HASH)?,
        },
        public_key: match revoked {
            Some(_) => None,
            None => reader.optional_bytes32(PUBLIC_KEY)?,
        },
        name: reader.optional(NAME).unwrap_or_default().to_owned(),
        company: reader.parsed(COMPANY, CompanyId::parse)?,
        owner: reader.parsed(OWNER, UserId::parse)?,
        created: reader.timestamp(CREATED)?,
        expires: reader.optional_timestamp(EXPIRES)?,
        revoked,
        last_used: reader.optional(LAST_USED).and_then(|day| day.parse().ok()),
    })
}
