//! How the errors of the inner modules look to a client.

use scim::ScimError;

use super::rule;
use crate::directory::DirectoryError;
use crate::store::{MAX_LOOK_UP_MATCHES, MAX_SCANNED_USERS, StoreError};

/// Seconds a client is asked to wait when the store is busy.
const RETRY_AFTER_SECONDS: u32 = 5;

/// The refusal of a request without acceptable bearer token: one sentence for every reason, so that nobody learns which.
#[must_use]
pub(super) fn unauthorized() -> ScimError {
    ScimError::unauthorized(
        "Send a valid API key as 'Authorization: Bearer <key>'; this one is missing, wrong, expired or revoked.",
    )
    .rule(rule::UNAUTHORIZED)
}

/// The refusal of what would take longer than a client waits.
#[must_use]
pub(super) fn not_in_time() -> ScimError {
    ScimError::unavailable(RETRY_AFTER_SECONDS)
        .rule(rule::NOT_IN_TIME)
        .caused_by("not done in time")
}

/// A store error as a SCIM error.
#[must_use]
pub(super) fn store_error(error: StoreError) -> ScimError {
    match error {
        StoreError::UserNameTaken => ScimError::uniqueness(
            "Another user of this company bears this 'userName'; choose another, or rename that user.",
        )
        .rule(rule::USER_NAME_TAKEN)
        .about("userName"),
        StoreError::TooManyMatches => ScimError::too_many(format!(
            "More than {MAX_LOOK_UP_MATCHES} users bear this value; filter by 'id' or 'userName' as well."
        ))
        .rule(rule::FILTER_MATCHES),
        StoreError::TooManyUsers => ScimError::too_many(format!(
            "This needs a look at more than {MAX_SCANNED_USERS} users, or at more than 32 MiB of their attributes; filter by 'id', 'userName', 'externalId' or 'emails.value' with 'eq'."
        ))
        .rule(rule::SCAN_LIMIT),
        StoreError::ScanBudgetSpent { retry_after } => ScimError::too_many_requests(
            format!(
                "The company's filters and sorts that go through all users have used up their budget of this minute; filter by 'id', 'userName', 'externalId' or 'emails.value' with 'eq', or try again in {retry_after} s."
            ),
            retry_after,
        )
        .rule(rule::SCAN_BUDGET),
        error @ StoreError::Busy(_) => {
            ScimError::unavailable(RETRY_AFTER_SECONDS)
                .rule(rule::STORE_BUSY)
                .caused_by(error)
        }
        error @ StoreError::Unwritable(_) => ScimError::out_of_service(
            RETRY_AFTER_SECONDS,
            "The directory cannot be written, and nothing of this request was; its operator has to make room on the disk. Try again later.",
        )
        .rule(rule::STORE_UNWRITABLE)
        .caused_by(error),
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
        let refused = Self::invalid_value(format!("{error}."));
        match error {
            DirectoryError::ActiveMissing => refused.rule(rule::ACTIVE_MISSING).about("active"),
            DirectoryError::UserNameBlank => refused.rule(rule::USER_NAME_BLANK).about("userName"),
            DirectoryError::UserNameTooLong => {
                refused.rule(rule::USER_NAME_LENGTH).about("userName")
            }
            DirectoryError::TooManyEmails => refused.rule(rule::EMAILS_NUMBER).about("emails"),
            DirectoryError::DocumentTooLarge => refused.rule(rule::USER_SIZE),
            // Only commands do what these refuse.
            DirectoryError::TooManyKeys(_)
            | DirectoryError::NoSuchKey
            | DirectoryError::ExpiresInThePast
            | DirectoryError::OwnerNotPermitted
            | DirectoryError::NameLength(_) => Self::internal(error),
        }
    }
}
