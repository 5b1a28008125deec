//! Lookup items: each leads from a value of an attribute to a user who has the value.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::attributes::LOOKUP_USER;
use super::item::{Item, ItemBuilder, Reader, Value};
use super::keys::Key;
use crate::directory::{CompanyId, User, UserId};
use crate::store::StoreError;
use scim::compare::comparable;
use scim::schema::{Attribute, COMMON_ATTRIBUTES, USER_SCHEMA};

/// Sort key of the lookup item of a `userName`: there is one for all users.
pub(super) const USER_NAME_SK: &str = "USER";

/// The digest of a lookup's value, which is stored instead of the value.
pub(crate) type Digest = [u8; 32];

/// An attribute that users are found by, without reading any other user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lookup {
    /// Unique in the company.
    UserName,
    /// Not unique.
    ExternalId,
    /// `emails.value`, not unique.
    Email,
}

impl Lookup {
    pub(super) const ALL: [Self; 3] = [Self::UserName, Self::ExternalId, Self::Email];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::UserName => "userName",
            Self::ExternalId => "externalId",
            Self::Email => "emails",
        }
    }

    fn attribute(self) -> Option<&'static Attribute> {
        match self {
            Self::UserName => USER_SCHEMA.attribute("userName"),
            Self::ExternalId => COMMON_ATTRIBUTES
                .iter()
                .find(|attribute| attribute.name == "externalId"),
            Self::Email => USER_SCHEMA.attribute("emails")?.sub_attribute("value"),
        }
    }

    /// Returns the partition key of the lookup items for a value. Its SHA-256 keeps keys short and free of
    /// personal data; folding follows the schema's `caseExact`.
    pub(crate) fn pk(self, company: CompanyId, value: &str) -> String {
        let comparable = match self.attribute() {
            Some(attribute) => comparable(attribute, value),
            None => value.into(),
        };
        self.partition(company, &Sha256::digest(comparable.as_bytes()).into())
    }

    fn partition(self, company: CompanyId, digest: &Digest) -> String {
        let hash = URL_SAFE_NO_PAD.encode(digest);
        format!("COMPANY#{company}#{}#{hash}", self.name())
    }

    /// Returns the key of the lookup item that leads from a value to a user. A `userName` has the same key for every
    /// user: that makes it unique.
    pub(crate) fn key(self, company: CompanyId, value: &str, user: UserId) -> Key {
        Key {
            pk: self.pk(company, value),
            sk: self.sk(user),
        }
    }

    /// Returns the same key, for a value of which only the digest is known.
    pub(crate) fn key_of_digest(self, company: CompanyId, digest: &Digest, user: UserId) -> Key {
        Key {
            pk: self.partition(company, digest),
            sk: self.sk(user),
        }
    }

    fn sk(self, user: UserId) -> String {
        match self {
            Self::UserName => USER_NAME_SK.to_owned(),
            Self::ExternalId | Self::Email => format!("USER#{user}"),
        }
    }
}

/// Returns the key of the lookup item of a `userName`.
pub(crate) fn user_name(company: CompanyId, user_name: &str) -> Key {
    Key {
        pk: Lookup::UserName.pk(company, user_name),
        sk: USER_NAME_SK.to_owned(),
    }
}

/// Reads the user id from the sort key of a lookup that is not unique.
pub(crate) fn user_of_lookup(sk: &str) -> Option<UserId> {
    UserId::parse(sk.strip_prefix("USER#")?)
}

/// A lookup item by its key; ordered, so that differences are too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LookupEntry {
    pub(crate) key: Key,
    pub(crate) is_user_name: bool,
}

/// Returns the lookup items that a user must have; no others may lead to the user.
pub(crate) fn lookups(company: CompanyId, user: &User) -> BTreeSet<LookupEntry> {
    let emails = user
        .document
        .elements("emails")
        .iter()
        .filter_map(|element| element.get("value").and_then(Json::as_str))
        .map(|value| (Lookup::Email, value));
    let user_name = user.document.string("userName");
    let external_id = user.document.string("externalId");
    user_name
        .map(|value| (Lookup::UserName, value))
        .into_iter()
        .chain(external_id.map(|value| (Lookup::ExternalId, value)))
        .chain(emails)
        .filter(|(_, value)| !value.is_empty())
        .map(|(lookup, value)| LookupEntry {
            key: lookup.key(company, value, user.id),
            is_user_name: lookup == Lookup::UserName,
        })
        .collect()
}

/// Returns the lookup item that leads to a user.
pub(crate) fn from_lookup(primary: Key, user: UserId) -> Item {
    ItemBuilder::new(primary)
        .with(LOOKUP_USER, Value::string(user))
        .build()
}

/// Reads which user a lookup item leads to.
pub(crate) fn user_id_of_lookup(item: &Item) -> Result<UserId, StoreError> {
    Reader(item).parsed(LOOKUP_USER, UserId::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_fold_as_the_schema_compares_and_never_show_the_value() {
        let company = CompanyId::parse("018f2d5c-3b1a-7c4e-9f00-000000000001").unwrap();
        let pk = |lookup: Lookup, value| lookup.pk(company, value);
        assert_eq!(
            pk(Lookup::UserName, "Ａda@x.eu"),
            pk(Lookup::UserName, "ada@X.EU")
        );
        assert_eq!(pk(Lookup::Email, "ADA@x.eu"), pk(Lookup::Email, "ada@x.eu"));
        assert_ne!(pk(Lookup::ExternalId, "A1"), pk(Lookup::ExternalId, "a1"));
        assert_ne!(pk(Lookup::UserName, "a"), pk(Lookup::Email, "a"));
        assert!(!pk(Lookup::UserName, "ada@x.eu").contains("ada"));
    }
}
