//! How the errors of the inner modules look to a client.

use scim::ScimError;

use super::rule;
use crate::directory::DirectoryError;
use crate::store::{MAX_LOOKUP_MATCHES, MAX_SCANNED_USERS, StoreError};

/// `Retry-After` when the store is busy, in seconds.
const RETRY_AFTER_SECONDS: u32 = 5;

/// The response to every request without an acceptable bearer token: one sentence for every reason, so that it does not
/// show which.
const UNAUTHORIZED: &str = "Send a valid API key or access token as 'Authorization: Bearer <token>'; this one is missing, wrong, expired or revoked.";

/// Returns the refusal of a request without bearer token.
#[must_use]
pub(super) fn unauthenticated() -> ScimError {
    ScimError::unauthorized(UNAUTHORIZED).rule(rule::TOKEN_MISSING)
}

/// Returns the refusal of a bearer token.
#[must_use]
pub(super) fn unauthorized() -> ScimError {
    ScimError::unauthorized(UNAUTHORIZED).rule(rule::UNAUTHORIZED)
}

/// Returns the refusal of what would take longer than a client waits.
#[must_use]
pub(super) fn not_in_time() -> ScimError {
    ScimError::unavailable(RETRY_AFTER_SECONDS)
        .rule(rule::NOT_IN_TIME)
        .caused_by("not done in time")
}

/// Returns a store error as a SCIM error.
#[must_use]
pub(super) fn store_error(error: StoreError) -> ScimError {
    match error {
        StoreError::UserNameTaken => ScimError::uniqueness(
            "Another user of this company already has this 'userName'; send another one, or rename that user first.",
        )
        .rule(rule::USER_NAME_TAKEN)
        .about("userName"),
        StoreError::TooManyMatches => ScimError::too_many(format!(
            "More than {MAX_LOOKUP_MATCHES} users have this value; filter by 'id' or 'userName' as well."
        ))
        .rule(rule::FILTER_MATCHES),
        StoreError::TooManyUsers => ScimError::too_many(format!(
            "The filter or 'sortBy' has to read more than {MAX_SCANNED_USERS} users, or more than 32 MiB of their attributes; filter by 'id', 'userName', 'externalId' or 'emails.value' with 'eq'."
        ))
        .rule(rule::SCAN_LIMIT),
        StoreError::ScanBudgetSpent { retry_after } => ScimError::too_many_requests(
            format!(
                "The company has used up this minute's budget for filters and sorts that read all users; filter by 'id', 'userName', 'externalId' or 'emails.value' with 'eq', or try again in {retry_after} s."
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
            "The directory cannot be written, so nothing of this request was saved; its operator has to make room on the disk. Try again later.",
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
            // Only commands do what these refuse, and every machine can sign.
            DirectoryError::TooManyKeys(_)
            | DirectoryError::NoSuchKey
            | DirectoryError::ExpiresInThePast
            | DirectoryError::OwnerNotPermitted
            | DirectoryError::Signing
            | DirectoryError::NameLength(_) => Self::internal(error),
        }
    }
}
