//! How the errors of the inner modules look to a client.

use crate::directory::DirectoryError;
use crate::scim::ScimError;
use crate::store::{MAX_LOOK_UP_MATCHES, MAX_SCANNED_USERS, StoreError};

/// Seconds a client is asked to wait when the store is busy.
pub(super) const RETRY_AFTER_SECONDS: u32 = 5;

/// A store error as a SCIM error.
#[must_use]
pub(super) fn store_error(error: StoreError) -> ScimError {
    match error {
        StoreError::UserNameTaken => ScimError::uniqueness(
            "Another user of this company bears this 'userName'; choose another, or rename that user.",
        ),
        StoreError::TooManyMatches => ScimError::too_many(format!(
            "More than {MAX_LOOK_UP_MATCHES} users bear this value; filter by 'id' or 'userName' as well."
        )),
        StoreError::TooManyUsers => ScimError::too_many(format!(
            "This needs a look at more than {MAX_SCANNED_USERS} users, or at more than 32 MiB of their attributes; filter by 'id', 'userName', 'externalId' or 'emails.value' with 'eq'."
        )),
        StoreError::ScanBudgetSpent { retry_after } => ScimError::too_many_requests(
            format!(
                "The company's filters and sorts that go through all users have used up their budget of this minute; filter by 'id', 'userName', 'externalId' or 'emails.value' with 'eq', or try again in {retry_after} s."
            ),
            retry_after,
        ),
        error @ StoreError::Busy(_) => ScimError::unavailable(RETRY_AFTER_SECONDS).caused_by(error),
        error @ (StoreError::Corrupt(_) | StoreError::Refused(_)) => ScimError::internal(error),
    }
}

impl From<StoreError> for ScimError {
    fn from(error: StoreError) -> Self {
        store_error(error)
    }
}

impl From<DirectoryError> for ScimError {
    fn from(error: DirectoryError) -> Self {
        Self::invalid_value(format!("{error}."))
    }
}
