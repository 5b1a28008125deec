//! Items of the table and the things they hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use scim::resource::Document;
use serde_json::{Map, Value, json};

use super::StoreError;
use super::audit::AuditEntry;
use super::keys::{self, INDEX_PK, INDEX_SK, Key, PK, SK};
use crate::directory::lifecycle::{Rename, Renames};
use crate::directory::{
    ApiKey, AuditRecord, Company, CompanyId, CompanyStatus, CursorSecret, KeyId, Permission, State,
    User, UserId,
};

/// An item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

const ACTOR: &str = "actor";
const AFTER: &str = "after";
const ATTRIBUTES: &str = "attributes";
const AUDITED_KEYS: &str = "keys";
const BEFORE: &str = "before";
const COMPANY: &str = "company";
const CREATED: &str = "created";
const CURSOR_SECRET: &str = "cursorSecret";
pub(super) const DOCUMENT: &str = "document";
pub(super) const EXPIRES: &str = "expires";
const KEYS: &str = "keys";
const LAST_MODIFIED: &str = "lastModified";
pub(super) const NAME: &str = "name";
pub(super) const LAST_USED: &str = "lastUsed";
const OPERATION: &str = "operation";
pub(super) const OWNER: &str = "owner";
const PERMISSIONS: &str = "permissions";
const RENAMES: &str = "renames";
pub(super) const REVOKED: &str = "revoked";
pub(super) const SECRET_HASH: &str = "secretHash";
pub(super) const STATE: &str = "state";
pub(super) const STATUS: &str = "status";
/// Seconds since 1970 after which DynamoDB drops the item; only audit records and scan budgets have it.
pub(super) const TTL: &str = "ttl";
/// Read units that were drawn from a scan budget.
pub(super) const UNITS: &str = "units";
const USER_ID: &str = "userId";
/// Number of live users in a counter's shard.
pub(super) const USERS: &str = "users";
pub(super) const VERSION: &str = "version";
/// Marks which write made the item what it is.
pub(super) const WRITE_ID: &str = "writeId";

pub(super) fn string(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The primary key as the SDK wants it.
pub(super) fn key(key: Key) -> Item {
    HashMap::from([
        (PK.to_owned(), AttributeValue::S(key.pk)),
        (SK.to_owned(), AttributeValue::S(key.sk)),
    ])
}

struct ItemBuilder(Item);

impl ItemBuilder {
    fn new(primary: Key) -> Self {
        Self(key(primary))
    }

    fn indexed(self, partition: String, sort: impl ToString) -> Self {
        self.with(INDEX_PK, AttributeValue::S(partition))
            .with(INDEX_SK, string(sort))
    }

    fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    fn with_some(self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn build(self) -> Item {
        self.0
    }
}

/// A set, or nothing: DynamoDB has no empty sets.
fn string_set(values: impl Iterator<Item = String>) -> Option<AttributeValue> {
    let values: Vec<String> = values.collect();
    (!values.is_empty()).then_some(AttributeValue::Ss(values))
}

/// Reads attributes of an item.
pub(super) struct Reader<'i>(pub(super) &'i Item);

impl Reader<'_> {
    pub(super) fn optional(&self, name: &'static str) -> Option<&str> {
        self.0.get(name)?.as_s().ok().map(String::as_str)
    }

    pub(super) fn string(&self, name: &'static str) -> Result<&str, StoreError> {
        self.optional(name).ok_or(StoreError::Corrupt(name))
    }

    /// The primary key.
    pub(super) fn key(&self) -> Result<Key, StoreError> {
        Ok(Key {
            pk: self.string(PK)?.to_owned(),
            sk: self.string(SK)?.to_owned(),
        })
    }

    fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(self.string(name)?).ok_or(StoreError::Corrupt(name))
    }

    fn timestamp(&self, name: &'static str) -> Result<Timestamp, StoreError> {
        self.parsed(name, |text| text.parse().ok())
    }

    fn optional_timestamp(&self, name: &'static str) -> Result<Option<Timestamp>, StoreError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(_) => self.timestamp(name).map(Some),
        }
    }

    pub(super) fn number(&self, name: &'static str) -> Result<u64, StoreError> {
        self.0
            .get(name)
            .and_then(|value| value.as_n().ok())
            .and_then(|number| number.parse().ok())
            .ok_or(StoreError::Corrupt(name))
    }

    fn bytes32(&self, name: &'static str) -> Result<[u8; 32], StoreError> {
        self.0
            .get(name)
            .and_then(|value| value.as_b().ok())
            .and_then(|blob| <[u8; 32]>::try_from(blob.as_ref()).ok())
            .ok_or(StoreError::Corrupt(name))
    }

    /// What is understood of a set of strings; other programs may write there too, and newer
    /// versions of this one.
    fn known<T: Ord>(&self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> BTreeSet<T> {
        let texts = self.0.get(name).and_then(|value| value.as_ss().ok());
        texts
            .into_iter()
            .flatten()
            .filter_map(|text| parse(text))
            .collect()
    }
}

pub(super) fn from_company(company: &Company) -> Item {
    ItemBuilder::new(keys::company(company.id))
        .indexed(keys::COMPANIES.to_owned(), company.id)
        .with(NAME, string(&company.name))
        .with(STATUS, string(company.status.as_str()))
        .with(
            CURSOR_SECRET,
            AttributeValue::B(Blob::new(company.cursor_secret.0)),
        )
        .with(CREATED, string(company.created))
        .build()
}

pub(super) fn to_company(id: CompanyId, item: &Item) -> Result<Company, StoreError> {
    let reader = Reader(item);
    Ok(Company {
        id,
        name: reader.string(NAME)?.to_owned(),
        status: reader.parsed(STATUS, CompanyStatus::parse)?,
        cursor_secret: CursorSecret(reader.bytes32(CURSOR_SECRET)?),
        created: reader.timestamp(CREATED)?,
    })
}

/// The item of a user; `write_id` identifies the write.
///
/// # Errors
/// [`StoreError::Corrupt`] if the document cannot be written as JSON.
pub fn from_user(company: CompanyId, user: &User, write_id: &str) -> Result<Item, StoreError> {
    let document = serde_json::to_string(user.document.members())
        .map_err(|_| StoreError::Corrupt(DOCUMENT))?;
    let permissions = user
        .permissions
        .iter()
        .map(|permission| permission.as_str().to_owned());
    Ok(ItemBuilder::new(keys::user(company, user.id))
        .indexed(keys::users_of(company), user.id)
        .with(DOCUMENT, AttributeValue::S(document))
        .with(STATE, string(user.state().as_str()))
        .with_some(RENAMES, from_renames(&user.renames))
        .with_some(PERMISSIONS, string_set(permissions))
        .with(KEYS, from_keys(&user.keys))
        .with(CREATED, string(user.created))
        .with(LAST_MODIFIED, string(user.last_modified))
        .with(VERSION, number(user.version))
        .with(WRITE_ID, string(write_id))
        .build())
}

/// What is left of a user after DELETE: the id, dates and state, for Paradigm's references. It is
/// in no index.
pub(super) fn from_anonymised(
    company: CompanyId,
    user: &User,
    now: Timestamp,
    write_id: &str,
) -> Item {
    ItemBuilder::new(keys::user(company, user.id))
        .with(STATE, string(State::Anonymised.as_str()))
        .with(CREATED, string(user.created))
        .with(LAST_MODIFIED, string(now))
        .with(VERSION, number(user.version + 1))
        .with(WRITE_ID, string(write_id))
        .build()
}

/// Whether an item is that of a user who is anonymised.
pub(super) fn is_anonymised(item: &Item) -> bool {
    Reader(item).optional(STATE) == Some(State::Anonymised.as_str())
}

/// What of an anonymised user's item may be there, as another write; `None` if that is all there is.
pub(super) fn stripped(item: &Item, write_id: &str) -> Result<Option<Item>, StoreError> {
    let version = Reader(item).number(VERSION)?;
    let kept = [PK, SK, STATE, CREATED, LAST_MODIFIED, VERSION, WRITE_ID];
    let is_kept = |name: &str| kept.contains(&name);
    if item.keys().all(|name| is_kept(name)) {
        return Ok(None);
    }
    let mut stripped = item.clone();
    stripped.retain(|name, _| is_kept(name));
    stripped.insert(VERSION.to_owned(), number(version + 1));
    stripped.insert(WRITE_ID.to_owned(), string(write_id));
    Ok(Some(stripped))
}

/// Whether an item is where it belongs in the index, and nowhere else.
pub(super) fn is_indexed_as(item: &Item, wanted: Option<&(String, String)>) -> bool {
    let is = |name: &str, wanted: Option<&String>| match (item.get(name), wanted) {
        (None, None) => true,
        (Some(AttributeValue::S(found)), Some(wanted)) => found == wanted,
        _ => false,
    };
    is(INDEX_PK, wanted.map(|(partition, _)| partition))
        && is(INDEX_SK, wanted.map(|(_, sort)| sort))
}

/// Whether the stored state is the one that follows from the rest.
pub(super) fn has_state_of(item: &Item, user: &User) -> bool {
    Reader(item).optional(STATE) == Some(user.state().as_str())
}

/// The user an item holds; `None` if it is anonymised.
///
/// # Errors
/// [`StoreError::Corrupt`] names the attribute that cannot be read.
pub fn to_user(id: UserId, item: &Item) -> Result<Option<User>, StoreError> {
    let reader = Reader(item);
    reader.string(STATE)?;
    if is_anonymised(item) {
        return Ok(None);
    }
    let members: Map<String, Value> =
        reader.parsed(DOCUMENT, |json| serde_json::from_str(json).ok())?;
    Ok(Some(User {
        id,
        document: Document::from_validated(members),
        renames: to_renames(&reader)?,
        permissions: reader.known(PERMISSIONS, Permission::parse),
        keys: to_keys(item)?,
        created: reader.timestamp(CREATED)?,
        last_modified: reader.timestamp(LAST_MODIFIED)?,
        version: reader.number(VERSION)?,
    }))
}

/// The user's keys: id to the time it expires, or null.
fn from_keys(keys: &BTreeMap<KeyId, Option<Timestamp>>) -> AttributeValue {
    let expires = |expires: &Option<Timestamp>| expires.map_or(AttributeValue::Null(true), string);
    let entries = keys
        .iter()
        .map(|(id, time)| (id.to_string(), expires(time)));
    AttributeValue::M(entries.collect())
}

fn to_keys(item: &Item) -> Result<BTreeMap<KeyId, Option<Timestamp>>, StoreError> {
    let corrupt = || StoreError::Corrupt(KEYS);
    let entries = item.get(KEYS).and_then(|value| value.as_m().ok());
    let entry = |(id, expires): (&String, &AttributeValue)| {
        let expires = match expires {
            AttributeValue::Null(_) => None,
            AttributeValue::S(time) => Some(time.parse().ok()?),
            _ => return None,
        };
        Some((KeyId::parse(id)?, expires))
    };
    entries
        .ok_or_else(corrupt)?
        .iter()
        .map(|pair| entry(pair).ok_or_else(corrupt))
        .collect()
}

fn from_renames(renames: &Renames) -> Option<AttributeValue> {
    if *renames == Renames::default() {
        return None;
    }
    let rename = |rename: &Rename| json!([rename.original, rename.renamed]);
    let emails: Vec<Value> = renames.emails.iter().map(rename).collect();
    let json = json!({
        "userName": renames.user_name.as_ref().map(rename),
        "emails": emails,
    });
    Some(string(json))
}

fn to_renames(reader: &Reader<'_>) -> Result<Renames, StoreError> {
    let Some(json) = reader.optional(RENAMES) else {
        return Ok(Renames::default());
    };
    let rename = |value: &Value| -> Option<Rename> {
        let (original, renamed) = serde_json::from_value(value.clone()).ok()?;
        Some(Rename { original, renamed })
    };
    let corrupt = || StoreError::Corrupt(RENAMES);
    let json: Value = serde_json::from_str(json).map_err(|_| corrupt())?;
    let user_name = match json.get("userName") {
        None | Some(Value::Null) => None,
        Some(value) => Some(rename(value).ok_or_else(corrupt)?),
    };
    let emails = json
        .get("emails")
        .and_then(Value::as_array)
        .ok_or_else(corrupt)?
        .iter()
        .map(|value| rename(value).ok_or_else(corrupt))
        .collect::<Result<_, _>>()?;
    Ok(Renames { user_name, emails })
}

/// A record of what happened to a user, or to the company itself.
pub(super) fn from_audit(
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
        .with(ACTOR, string(record.actor))
        .with(OPERATION, string(record.operation.as_str()))
        .with_some(ATTRIBUTES, string_set(attributes))
        .with_some(AUDITED_KEYS, string_set(record.keys.iter().cloned()))
        .with_some(BEFORE, record.before.map(string))
        .with(AFTER, string(record.after))
        .with(TTL, number(record.expires(retention).as_second()))
        .build()
}

pub(super) fn from_api_key(api_key: &ApiKey) -> Item {
    ItemBuilder::new(keys::api_key(api_key.id))
        .indexed(keys::keys_of(api_key.company), api_key.id)
        .with(
            SECRET_HASH,
            AttributeValue::B(Blob::new(api_key.secret_hash)),
        )
        .with(NAME, string(&api_key.name))
        .with(COMPANY, string(api_key.company))
        .with(OWNER, string(api_key.owner))
        .with(CREATED, string(api_key.created))
        .with_some(EXPIRES, api_key.expires.map(string))
        .build()
}

pub(super) fn to_api_key(id: KeyId, item: &Item) -> Result<ApiKey, StoreError> {
    let reader = Reader(item);
    let revoked = reader.optional_timestamp(REVOKED)?;
    Ok(ApiKey {
        id,
        // A revoked key keeps neither hash nor name.
        secret_hash: match revoked {
            Some(_) => [0; 32],
            None => reader.bytes32(SECRET_HASH)?,
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

pub(super) fn to_audit_entry(item: &Item) -> Result<AuditEntry, StoreError> {
    let reader = Reader(item);
    let (user, at, request_id) = keys::audited(reader.string(PK)?, reader.string(SK)?)
        .ok_or(StoreError::Corrupt(keys::SK))?;
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

pub(super) fn from_look_up(primary: Key, user: UserId) -> Item {
    ItemBuilder::new(primary)
        .with(USER_ID, string(user))
        .build()
}

pub(super) fn user_id_of_look_up(item: &Item) -> Result<UserId, StoreError> {
    Reader(item).parsed(USER_ID, UserId::parse)
}

/// Name of the attribute that holds a look-up's user, for conditions.
pub(super) const LOOK_UP_USER: &str = USER_ID;
