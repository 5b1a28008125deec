//! Items of users, and what is left of an anonymised one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::attributes::{
    CREATED, DOCUMENT, KEYS, LAST_MODIFIED, PERMISSIONS, PK, RENAMES, SK, STATE, VERSION, WRITE_ID,
};
use super::item::{Item, ItemBuilder, Reader, Value};
use super::keys;
use crate::directory::lifecycle::{Rename, Renames};
use crate::directory::{CompanyId, KeyId, Permission, State, User, UserId};
use crate::store::StoreError;
use scim::resource::Document;

/// Returns the item of a user; `write_id` identifies the write.
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
        .with(DOCUMENT, Value::String(document))
        .with(STATE, Value::string(user.state().as_str()))
        .with_some(RENAMES, from_renames(&user.renames))
        .with_some(PERMISSIONS, Value::string_set(permissions))
        .with(KEYS, from_keys(&user.keys))
        .with(CREATED, Value::string(user.created))
        .with(LAST_MODIFIED, Value::string(user.last_modified))
        .with(VERSION, Value::number(user.version))
        .with(WRITE_ID, Value::string(write_id))
        .build())
}

/// Returns what is left of a user after DELETE: the id, dates and state, for Paradigm's references. It is
/// in no index.
pub(crate) fn from_anonymised(
    company: CompanyId,
    user: &User,
    now: Timestamp,
    write_id: &str,
) -> Item {
    ItemBuilder::new(keys::user(company, user.id))
        .with(STATE, Value::string(State::Anonymised.as_str()))
        .with(CREATED, Value::string(user.created))
        .with(LAST_MODIFIED, Value::string(now))
        .with(VERSION, Value::number(user.version + 1))
        .with(WRITE_ID, Value::string(write_id))
        .build()
}

/// Returns whether an item is that of a user who is anonymised.
pub(crate) fn is_anonymised(item: &Item) -> bool {
    Reader(item).optional(STATE) == Some(State::Anonymised.as_str())
}

/// Returns the item of an anonymised user without the attributes that it must not have, as a new write; `None` if it has
/// no such attributes.
pub(crate) fn stripped(item: &Item, write_id: &str) -> Result<Option<Item>, StoreError> {
    let version = Reader(item).number(VERSION)?;
    let kept = [PK, SK, STATE, CREATED, LAST_MODIFIED, VERSION, WRITE_ID];
    let is_kept = |name: &str| kept.contains(&name);
    if item.keys().all(|name| is_kept(name)) {
        return Ok(None);
    }
    let mut stripped = item.clone();
    stripped.retain(|name, _| is_kept(name));
    stripped.insert(VERSION.to_owned(), Value::number(version + 1));
    stripped.insert(WRITE_ID.to_owned(), Value::string(write_id));
    Ok(Some(stripped))
}

/// Returns whether the stored state is the one that follows from the rest.
pub(crate) fn has_state_of(item: &Item, user: &User) -> bool {
    Reader(item).optional(STATE) == Some(user.state().as_str())
}

/// Returns the user an item holds; `None` if it is anonymised.
///
/// # Errors
/// [`StoreError::Corrupt`] names the attribute that cannot be read.
pub fn to_user(id: UserId, item: &Item) -> Result<Option<User>, StoreError> {
    let reader = Reader(item);
    reader.string(STATE)?;
    if is_anonymised(item) {
        return Ok(None);
    }
    let members: Map<String, Json> =
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

/// Returns the user's keys: id to the time it expires, or null.
fn from_keys(keys: &BTreeMap<KeyId, Option<Timestamp>>) -> Value {
    let expires = |expires: &Option<Timestamp>| expires.map_or(Value::Null, Value::string);
    let entries = keys
        .iter()
        .map(|(id, time)| (id.to_string(), expires(time)));
    Value::Map(entries.collect())
}

fn to_keys(item: &Item) -> Result<BTreeMap<KeyId, Option<Timestamp>>, StoreError> {
    let corrupt = || StoreError::Corrupt(KEYS);
    let Some(Value::Map(entries)) = item.get(KEYS) else {
        return Err(corrupt());
    };
    let entry = |(id, expires): (&String, &Value)| {
        let expires = match expires {
            Value::Null => None,
            Value::String(time) => Some(time.parse().ok()?),
            _ => return None,
        };
        Some((KeyId::parse(id)?, expires))
    };
    entries
        .iter()
        .map(|pair| entry(pair).ok_or_else(corrupt))
        .collect()
}

fn from_renames(renames: &Renames) -> Option<Value> {
    if *renames == Renames::default() {
        return None;
    }
    let rename = |rename: &Rename| json!([rename.original, rename.renamed]);
    let emails: Vec<Json> = renames.emails.iter().map(rename).collect();
    let json = json!({
        "userName": renames.user_name.as_ref().map(rename),
        "emails": emails,
    });
    Some(Value::string(json))
}

fn to_renames(reader: &Reader<'_>) -> Result<Renames, StoreError> {
    let Some(json) = reader.optional(RENAMES) else {
        return Ok(Renames::default());
    };
    let rename = |value: &Json| -> Option<Rename> {
        let (original, renamed) = serde_json::from_value(value.clone()).ok()?;
        Some(Rename { original, renamed })
    };
    let corrupt = || StoreError::Corrupt(RENAMES);
    let json: Json = serde_json::from_str(json).map_err(|_| corrupt())?;
    let user_name = match json.get("userName") {
        None | Some(Json::Null) => None,
        Some(value) => Some(rename(value).ok_or_else(corrupt)?),
    };
    let emails = json
        .get("emails")
        .and_then(Json::as_array)
        .ok_or_else(corrupt)?
        .iter()
        .map(|value| rename(value).ok_or_else(corrupt))
        .collect::<Result<_, _>>()?;
    Ok(Renames { user_name, emails })
}
