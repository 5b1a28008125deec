//! What the table's stream tells of users.

use super::StoreError;
use super::item::{self, Item, Reader};
use super::keys;
use crate::directory::{CompanyId, User, UserId};

/// One change of a user's item.
#[derive(Debug, Clone, PartialEq)]
pub struct UserTransition {
    /// Whose user.
    pub company: CompanyId,
    /// Which user.
    pub user: UserId,
    /// What the user was; `None` if new, or anonymised before.
    pub before: Option<User>,
    /// What the user is; `None` if anonymised or gone.
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
    /// [`StoreError::Corrupt`] if an image is not as this program writes it.
    pub fn from_images(
        key: &Item,
        old: Option<&Item>,
        new: Option<&Item>,
    ) -> Result<Option<Self>, StoreError> {
        let key = Reader(key);
        let found = keys::user_of_item(key.string(keys::PK)?, key.string(keys::SK)?);
        let Some((company, user)) = found else {
            return Ok(None);
        };
        let read = |image: Option<&Item>| {
            image.map_or(Ok(None), |image| {
                let read = item::to_user(user, image)?;
                let reader = Reader(image);
                let version = reader.number(item::VERSION)?;
                let write_id = reader.string(item::WRITE_ID)?.to_owned();
                Ok::<_, StoreError>(Some((read, version, write_id)))
            })
        };
        let (version, write_id, after, before) = match (read(old)?, read(new)?) {
            (old, Some((after, version, write_id))) => {
                (version, write_id, after, old.and_then(|(user, ..)| user))
            }
            // Removed by another program: a version later than any that was there.
            (Some((before, version, write_id)), None) => (version + 1, write_id, None, before),
            (None, None) => return Err(StoreError::Corrupt("images")),
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
