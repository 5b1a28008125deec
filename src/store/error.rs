//! What can go wrong in the store.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use thiserror::Error;

/// Most users that may bear one `externalId` or email before looking them up is refused.
pub const MAX_LOOK_UP_MATCHES: usize = 1000;

/// Why the store did not do what it was asked to.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another user of the company bears the `userName`.
    #[error("the userName is taken")]
    UserNameTaken,
    /// More users than one request may look at.
    #[error("more users match than one request may look at")]
    TooMany,
    /// DynamoDB is throttling, in conflict, or does not answer, and trying again did not help.
    #[error("the store is busy")]
    Busy(#[source] Option<Box<dyn Error + Send + Sync>>),
    /// An item is not as this program writes it.
    #[error("an item lacks a valid '{0}'")]
    Corrupt(&'static str),
    /// DynamoDB refused the request for good: missing table, missing permission, a defect.
    #[error("DynamoDB refused a request: {code}")]
    Refused {
        /// The error code DynamoDB sent.
        code: String,
        /// The SDK's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// Sorts an SDK error into those worth trying again and those not.
    pub(super) fn from_sdk<E, R>(error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        match (&error, code) {
            (SdkError::ServiceError(_), Some(code)) if is_retryable(&code) => {
                Self::Busy(Some(error.into()))
            }
            (SdkError::ServiceError(_), code) => Self::Refused {
                code: code.unwrap_or_else(|| "unknown".to_owned()),
                source: error.into(),
            },
            (SdkError::ConstructionFailure(_), _) => Self::Refused {
                code: "request not sent".to_owned(),
                source: error.into(),
            },
            _ => Self::Busy(Some(error.into())),
        }
    }
}

/// Error codes of DynamoDB after which the same request may succeed.
pub(super) fn is_retryable(code: &str) -> bool {
    matches!(
        code,
        "InternalServerError"
            | "LimitExceededException"
            | "ProvisionedThroughputExceededException"
            | "ReplicatedWriteConflictException"
            | "RequestLimitExceeded"
            | "ServiceUnavailable"
            | "ThrottlingException"
            | "TransactionConflictException"
            | "TransactionInProgressException"
    )
}
