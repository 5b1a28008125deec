//! Items of the audit trail.

use jiff::{SignedDuration, Timestamp};

use super::attributes::{ACTOR, AFTER, ATTRIBUTES, AUDITED_KEYS, BEFORE, OPERATION, PK, SK, TTL};
use super::item::{Item, ItemBuilder, Reader, Value};
use super::keys;
use crate::directory::{AuditRecord, CompanyId, UserId};
use crate::store::StoreError;

/// A record of the audit trail, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The time.
    pub at: Timestamp,
    /// The request that did it.
    pub request_id: String,
    /// The user it is about; `None` for the company itself.
    pub user: Option<UserId>,
    /// The actor.
    pub actor: String,
    /// The kind of change.
    pub operation: String,
    /// Names of the attributes that changed.
    pub attributes: Vec<String>,
    /// API keys that changed with it: made (`+id`), expiring at a time (`~id until time`), revoked
    /// (`-id`).
    pub keys: Vec<String>,
    /// State or status before.
    pub before: Option<String>,
    /// State or status after.
    pub after: String,
}

/// Returns a record of what happened to a user, or to the company itself.
pub(crate) fn from_audit(
    company: CompanyId,
    user: Option<UserId>,
    record: &AuditRecord,
    retention: SignedDuration,
) -> Item {
    let attributes = record.attributes.iter().cloned();
    ItemBuilder::new(keys::audit(company, user, record.at, &record.request_id))
        .indexed(
            keys::audit_day_of(company, record.at),
            keys::sortable(record.at),
        )
        .with(ACTOR, Value::string(record.actor))
        .with(OPERATION, Value::string(record.operation.as_str()))
        .with_some(ATTRIBUTES, Value::string_set(attributes))
        .with_some(AUDITED_KEYS, Value::string_set(record.keys.iter().cloned()))
        .with_some(BEFORE, record.before.map(Value::string))
        .with(AFTER, Value::string(record.after))
        .with(TTL, Value::number(record.expires(retention).as_second()))
        .build()
}

pub(crate) fn to_audit_entry(item: &Item) -> Result<AuditEntry, StoreError> {
    let reader = Reader(item);
    let (user, at, request_id) =
        keys::audited(reader.string(PK)?, reader.string(SK)?).ok_or(StoreError::Corrupt(SK))?;
    Ok(AuditEntry {
        at,
        request_id: request_id.to_owned(),
        user,
        actor: reader.string(ACTOR)?.to_owned(),
        operation: reader.string(OPERATION)?.to_owned(),
        attributes: reader
            .known(ATTRIBUTES, |name| Some(name.to_owned()))
            .into_iter()
            .collect(),
        keys: reader
            .known(AUDITED_KEYS, |key| Some(key.to_owned()))
            .into_iter()
            .collect(),
        before: reader.optional(BEFORE).map(str::to_owned),
        after: reader.string(AFTER)?.to_owned(),
    })
}
