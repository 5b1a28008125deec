//! What can go wrong in the store.

use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_smithy_types::retry::ErrorKind;
use thiserror::Error;

/// Most users that may bear one `externalId` or email before looking them up is refused.
pub const MAX_LOOK_UP_MATCHES: usize = 1000;

/// Why the file of the embedded store cannot be written.
pub const DISK_FULL: &str = "the disk is full";
/// The same, if SQLite does not know more.
pub const DISK_FAILED: &str = "the disk failed, or a quota or size limit is reached";

/// Why the store did not do what it was asked to.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another user of the company bears the `userName`.
    #[error("the userName is taken")]
    UserNameTaken,
    /// More users bear one look-up value than [`MAX_LOOK_UP_MATCHES`].
    #[error("too many users bear the value")]
    TooManyMatches,
    /// The company has more users than one request may look at.
    #[error("the company has too many users to look at each")]
    TooManyUsers,
    /// The company's scans have used up their budget of this minute.
    #[error("the company's scan budget is used up for {retry_after} s")]
    ScanBudgetSpent {
        /// Seconds until the minute ends.
        retry_after: u32,
    },
    /// DynamoDB is throttling, in conflict, or does not answer, and trying again did not help.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// The embedded store's file cannot be written. Nothing of the request is.
    #[error("the store's file cannot be written: {0}")]
    Unwritable(&'static str),
    /// An item is not as this program writes it.
    #[error("an item lacks a valid '{0}'")]
    Corrupt(&'static str),
    /// The request cannot succeed: missing table, permission, credentials or region, a defect.
    #[error("the store refused a request: {0}")]
    Refused(String),
}

impl StoreError {
    /// Code of the embedded store's responses when its file cannot be written.
    pub const UNWRITABLE_CODE: &str = "UnwritableException";

    /// Sorts an SDK error into those worth trying again and those not. What it says of an error is
    /// free of the request, which holds personal data.
    pub(super) fn from_sdk<E>(error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match &error {
            SdkError::ServiceError(context) => {
                let status = context.raw().status().as_u16();
                // Without a code it is no answer of DynamoDB's, or a broken one.
                let is_broken = error.code().is_none() || status < 400;
                let code = error.code().unwrap_or("without code");
                if code == Self::UNWRITABLE_CODE {
                    let reasons = [DISK_FULL, DISK_FAILED];
                    let is_reason = |reason: &&str| error.message() == Some(reason);
                    return Self::Unwritable(
                        reasons.into_iter().find(is_reason).unwrap_or(DISK_FAILED),
                    );
                }
                let summary = format!("{code}, HTTP status {status}");
                if is_broken || status >= 500 || status == 429 || is_retryable(code) {
                    Self::Busy(summary)
                } else {
                    Self::Refused(summary)
                }
            }
            SdkError::ResponseError(context) => {
                let status = context.raw().status().as_u16();
                Self::Busy(format!(
                    "an answer of HTTP status {status} was not understood"
                ))
            }
            SdkError::TimeoutError(_) => Self::Busy("no answer in time".to_owned()),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                Self::Busy("no connection in time".to_owned())
            }
            // The other side may also have closed the connection instead of answering.
            SdkError::DispatchFailure(failure)
                if failure.is_io() || failure.as_other() == Some(ErrorKind::TransientError) =>
            {
                Self::Busy(format!("the connection failed: {}", innermost(&error)))
            }
            _ => Self::Refused(
                "the request could not be sent; check endpoint, region and credentials".to_owned(),
            ),
        }
    }

    /// A request that this program did not build completely.
    pub(super) fn incomplete(error: BuildError) -> Self {
        Self::Refused(format!("request not complete: {error}"))
    }
}

/// Why a call of the SDK failed, free of what was asked: the code of the service, or what stood in the way.
pub fn cause_of<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::DispatchFailure(_) => innermost(error),
        _ => error.code().unwrap_or("no answer").to_owned(),
    }
}

/// The last cause of an error, such as a certificate that is not trusted.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

/// Error codes of DynamoDB after which the same request may succeed.
fn is_retryable(code: &str) -> bool {
    matches!(
        code,
        "LimitExceededException"
            | "ProvisionedThroughputExceededException"
            | "ReplicatedWriteConflictException"
            | "RequestLimitExceeded"
            | "RequestTimeout"
            | "RequestTimeoutException"
            | "ThrottlingException"
            | "TransactionConflictException"
            | "TransactionInProgressException"
    )
}
