//! Users and their changes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use scim::resource::{Document, Meta};
use scim::size::json_bytes;

use super::lifecycle::{Renames, State, deleted_name};
use super::{ApiKey, DirectoryError, KeyChange, KeyId, Permission, UserId};

/// Longest `userName`, in characters; the 32 digits of up to two soft deletes before it do not count.
pub const MAX_USER_NAME_CHARS: usize = 256;
/// Most emails: old and new lookups together must fit into one transaction of 100 actions.
pub const MAX_EMAILS: usize = 20;
/// Largest set of attributes, in bytes of JSON.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// Most API keys of one user that are not revoked.
pub const MAX_ACTIVE_KEYS: usize = 5;

/// A user of one company. An anonymised user has no such record.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// The identifier, for ever.
    pub id: UserId,
    /// The SCIM attributes; `userName` and `active` are always there.
    pub document: Document,
    /// Names to bring back on restore.
    pub renames: Renames,
    /// What the user may do in Paradigm.
    pub permissions: BTreeSet<Permission>,
    /// API keys linked to the user and not revoked, with the time they expire.
    pub keys: BTreeMap<KeyId, Option<Timestamp>>,
    /// When the user was created.
    pub created: Timestamp,
    /// When an attribute last changed.
    pub last_modified: Timestamp,
    /// Counts the writes, from 1.
    pub version: u64,
}

impl User {
    /// Returns a new user, active unless the document says otherwise.
    ///
    /// # Errors
    /// The [`DirectoryError`] of the limit or rule that the user would break.
    pub fn new(id: UserId, mut document: Document, now: Timestamp) -> Result<Self, DirectoryError> {
        if !document.members().contains_key("active") {
            document.set_core("active", true.into());
        }
        check(&document)?;
        Ok(Self {
            id,
            document,
            renames: Renames::default(),
            permissions: BTreeSet::new(),
            keys: BTreeMap::new(),
            created: now,
            last_modified: now,
            version: 1,
        })
    }

    /// Returns whether the user may sign in.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.document.is_active()
    }

    /// Returns the state of the user.
    #[must_use]
    pub fn state(&self) -> State {
        match (self.is_active(), &self.renames.user_name) {
            (true, _) => State::Active,
            (false, Some(_)) => State::SoftDeleted,
            (false, None) => State::Deactivated,
        }
    }

    /// Returns `meta` (RFC 7643 §3.1).
    #[must_use]
    pub fn meta(&self) -> Meta {
        Meta {
            created: self.created,
            last_modified: self.last_modified,
            version: self.version,
        }
    }

    /// Returns the user with other attributes: PATCH. The names before a soft delete are
    /// remembered, and activation brings them back. It is equal to `self` if nothing changes.
    ///
    /// # Errors
    /// The [`DirectoryError`] of the limit or rule that the user would break.
    pub fn with_document(
        &self,
        mut document: Document,
        now: Timestamp,
    ) -> Result<Self, DirectoryError> {
        let mut renames = self.renames.after(&self.document, &document);
        if !self.is_active() && document.is_active() {
            renames.restore(&mut document);
            renames = Renames::default();
        }
        check(&document)?;
        if document == self.document && renames == self.renames {
            return Ok(self.clone());
        }
        Ok(Self {
            document,
            renames,
            // Concurrent requests must not set the time back.
            last_modified: now.max(self.last_modified),
            version: self.version + 1,
            ..self.clone()
        })
    }

    /// Returns the user with all attributes replaced: PUT. Omitted ones are cleared, except `active`.
    ///
    /// # Errors
    /// The [`DirectoryError`] of the limit or rule that the user would break.
    pub fn replaced_by(
        &self,
        mut document: Document,
        now: Timestamp,
    ) -> Result<Self, DirectoryError> {
        if !document.members().contains_key("active") {
            document.set_core("active", self.is_active().into());
        }
        self.with_document(document, now)
    }

    /// Returns the user active again, under the remembered names.
    ///
    /// # Errors
    /// The [`DirectoryError`] of the limit or rule that the user would break.
    pub fn restored(&self, now: Timestamp) -> Result<Self, DirectoryError> {
        let mut document = self.document.clone();
        document.set_core("active", true.into());
        self.with_document(document, now)
    }

    /// Returns the user deactivated.
    ///
    /// # Errors
    /// The [`DirectoryError`] of the limit or rule that the user would break.
    pub fn deactivated(&self, now: Timestamp) -> Result<Self, DirectoryError> {
        let mut document = self.document.clone();
        document.set_core("active", false.into());
        self.with_document(document, now)
    }

    /// Returns the user with one permission more. It is equal to `self` if the user had the permission.
    #[must_use]
    pub fn granted(&self, permission: Permission) -> Self {
        let mut granted = self.clone();
        if granted.permissions.insert(permission) {
            granted.version += 1;
        }
        granted
    }

    /// Returns the user with one permission less. It is equal to `self` if the user did not have the permission.
    #[must_use]
    pub fn ungranted(&self, permission: Permission) -> Self {
        let mut ungranted = self.clone();
        if ungranted.permissions.remove(&permission) {
            ungranted.version += 1;
        }
        ungranted
    }

    /// Returns the user with a new API key. Expired keys are revoked, to make room for it.
    ///
    /// # Errors
    /// [`DirectoryError::OwnerNotPermitted`] if the user is deactivated or may not manage users,
    /// [`DirectoryError::TooManyKeys`] if it has the most active keys already.
    pub fn with_key<'k>(
        &self,
        key: &'k ApiKey,
        now: Timestamp,
    ) -> Result<(Self, Vec<KeyChange<'k>>), DirectoryError> {
        if !self.is_active() || !self.permissions.contains(&Permission::UsersManage) {
            return Err(DirectoryError::OwnerNotPermitted);
        }
        let mut owner = self.clone();
        let is_expired =
            |expires: &Option<Timestamp>| expires.is_some_and(|expires| expires <= now);
        let mut changes: Vec<KeyChange<'k>> = owner
            .keys
            .extract_if(.., |_, expires| is_expired(expires))
            .map(|(expired, _)| KeyChange::Revoke(expired))
            .collect();
        if owner.keys.len() >= MAX_ACTIVE_KEYS {
            return Err(DirectoryError::TooManyKeys(MAX_ACTIVE_KEYS));
        }
        owner.keys.insert(key.id, key.expires);
        owner.version += 1;
        changes.push(KeyChange::Create(key));
        Ok((owner, changes))
    }

    /// Returns the user with a new API key in place of another, which stays valid until `until`.
    ///
    /// # Errors
    /// [`DirectoryError::NoSuchKey`] if the user has no such key, or those of [`User::with_key`].
    pub fn with_key_rotated<'k>(
        &self,
        old: KeyId,
        until: Timestamp,
        key: &'k ApiKey,
        now: Timestamp,
    ) -> Result<(Self, Vec<KeyChange<'k>>), DirectoryError> {
        let mut owner = self.clone();
        let expires = owner.keys.get_mut(&old).ok_or(DirectoryError::NoSuchKey)?;
        let until = expires.map_or(until, |expires| expires.min(until));
        *expires = Some(until);
        let (owner, mut changes) = owner.with_key(key, now)?;
        if until > now {
            changes.push(KeyChange::Expire(old, until));
        }
        Ok((owner, changes))
    }

    /// Returns the user with an API key that expires at `until`; unchanged if the key expires before that.
    #[must_use]
    pub fn with_key_until(&self, key: KeyId, until: Timestamp) -> (Self, Vec<KeyChange<'static>>) {
        let mut owner = self.clone();
        match owner.keys.get_mut(&key) {
            Some(expires) if expires.is_none_or(|expires| until < expires) => {
                *expires = Some(until);
                owner.version += 1;
                (owner, vec![KeyChange::Expire(key, until)])
            }
            _ => (owner, Vec::new()),
        }
    }

    /// Returns the user without an API key; unchanged if it was revoked before.
    #[must_use]
    pub fn without_key(&self, key: KeyId) -> (Self, Vec<KeyChange<'static>>) {
        let mut owner = self.clone();
        if owner.keys.remove(&key).is_none() {
            return (owner, Vec::new());
        }
        owner.version += 1;
        (owner, vec![KeyChange::Revoke(key)])
    }
}

fn check(document: &Document) -> Result<(), DirectoryError> {
    if !document.members().contains_key("active") {
        return Err(DirectoryError::ActiveMissing);
    }
    let user_name = document.string("userName").unwrap_or_default();
    if user_name.trim().is_empty() {
        return Err(DirectoryError::UserNameBlank);
    }
    // A user may be deleted, restored elsewhere and deleted again: two prefixes do not count.
    let once = deleted_name(user_name).unwrap_or(user_name);
    let counted = deleted_name(once).unwrap_or(once);
    if counted.chars().count() > MAX_USER_NAME_CHARS {
        return Err(DirectoryError::UserNameTooLong);
    }
    if document.elements("emails").len() > MAX_EMAILS {
        return Err(DirectoryError::TooManyEmails);
    }
    if json_bytes(document.members()) > MAX_DOCUMENT_BYTES {
        return Err(DirectoryError::DocumentTooLarge);
    }
    Ok(())
}
