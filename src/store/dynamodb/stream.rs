//! What the table's stream reports about users.

use super::encoding::{SdkItem, decode, decode_key};
use crate::directory::{CompanyId, User, UserId};
use crate::store::StoreError;
use crate::store::layout::attributes::{VERSION, WRITE_ID};
use crate::store::layout::{Kind, Reader, to_user};

/// What a user was before a change.
#[derive(Debug, Clone, PartialEq)]
pub enum UserBefore {
    /// New, or anonymised before.
    Nothing,
    /// This.
    Known(Box<User>),
    /// An item that another program had damaged.
    Unknown,
}

/// One change of a user's item.
#[derive(Debug, Clone, PartialEq)]
pub struct UserTransition {
    /// The company.
    pub company: CompanyId,
    /// The user.
    pub user: UserId,
    /// What the user was.
    pub before: UserBefore,
    /// What the user is; `None` if anonymised or removed.
    pub after: Option<User>,
    /// The version after the change.
    pub version: u64,
    /// Identifies the write.
    pub write_id: String,
}

impl UserTransition {
    /// Reads the key and images of a stream record; `None` if it is about another kind of item.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if what the user is now, or the version, cannot be read.
    pub fn from_images(
        key: SdkItem,
        old: Option<SdkItem>,
        new: Option<SdkItem>,
    ) -> Result<Option<Self>, StoreError> {
        let Some((company, user)) = user_of(key) else {
            return Ok(None);
        };
        let old = old.map(decode).transpose()?;
        let new = new.map(decode).transpose()?;
        let before = match old.as_ref().map(|old| to_user(user, old)) {
            None | Some(Ok(None)) => UserBefore::Nothing,
            Some(Ok(Some(before))) => UserBefore::Known(Box::new(before)),
            // The write that repairs an item must be reported all the more.
            Some(Err(_)) => UserBefore::Unknown,
        };
        let image = new.as_ref().or(old.as_ref());
        let reader = Reader(image.ok_or(StoreError::Corrupt("images"))?);
        // Removed by another program: a version later than any that was there.
        let version = reader.number(VERSION)? + u64::from(new.is_none());
        let write_id = reader.string(WRITE_ID)?.to_owned();
        let after = match &new {
            Some(new) => to_user(user, new)?,
            None => None,
        };
        Ok(Some(Self {
            company,
            user,
            before,
            after,
            version,
            write_id,
        }))
    }
}

/// Returns the user that a record is about, by its key; `None` if it is not about the item of a user.
#[must_use]
pub fn user_of(key: SdkItem) -> Option<(CompanyId, UserId)> {
    match decode_key(key).ok()?.kind() {
        Kind::User(company, user) => Some((company, user)),
        _ => None,
    }
}
