//! Converts the SDK's errors.

use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use aws_smithy_types::retry::ErrorKind;

use crate::aws::innermost;
use crate::store::StoreError;
use crate::store::error::DiskError;
use crate::store::table::CommitError;

/// Converts an SDK error: [`StoreError::Busy`] if the call may succeed later. Its text has nothing of the request,
/// which has personal data.
pub(super) fn from_sdk<E>(error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match &error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            from_service(error.code(), status)
        }
        SdkError::ResponseError(context) => {
            let status = context.raw().status().as_u16();
            StoreError::Busy(format!(
                "a response of HTTP status {status} was not understood"
            ))
        }
        SdkError::TimeoutError(_) => StoreError::Busy("no response in time".to_owned()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            StoreError::Busy("no connection in time".to_owned())
        }
        // The other side may also have closed the connection instead of responding.
        SdkError::DispatchFailure(failure)
            if failure.is_io() || failure.as_other() == Some(ErrorKind::TransientError) =>
        {
            StoreError::Busy(format!("the connection failed: {}", innermost(&error)))
        }
        _ => StoreError::Refused(
            "the request could not be sent; check endpoint, region and credentials".to_owned(),
        ),
    }
}

fn from_service(code: Option<&str>, status: u16) -> StoreError {
    // Without a code it is no response of DynamoDB's, or a broken one.
    let is_broken = code.is_none() || status < 400;
    let code = code.unwrap_or("without code");
    if let Some(error) = DiskError::of_code(code) {
        return StoreError::Unwritable(error);
    }
    let summary = format!("{code}, HTTP status {status}");
    if is_broken || status >= 500 || status == 429 || is_retryable(code) {
        StoreError::Busy(summary)
    } else {
        StoreError::Refused(summary)
    }
}

/// Returns the error of a request that this program did not build completely.
pub(super) fn incomplete(error: BuildError) -> StoreError {
    StoreError::Refused(format!("request not complete: {error}"))
}

/// Reads which conditions of a transaction did not hold, or why else it was not written.
pub(super) fn from_transaction(error: SdkError<TransactWriteItemsError>) -> CommitError {
    let reasons: &[CancellationReason] = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons()
        }
        _ => return CommitError::Store(from_sdk(error)),
    };
    let codes = || reasons.iter().map(CancellationReason::code);
    let failed: Vec<usize> = codes()
        .enumerate()
        .filter(|(_, code)| *code == Some("ConditionalCheckFailed"))
        .map(|(position, _)| position)
        .collect();
    if !failed.is_empty() {
        return CommitError::Conditions(failed);
    }
    CommitError::Store(if codes().all(is_passing) {
        StoreError::Busy("transaction in conflict".to_owned())
    } else {
        let codes: Vec<&str> = codes().flatten().collect();
        StoreError::Refused(format!("transaction cancelled: {}", codes.join(", ")))
    })
}

/// Returns whether the transaction may succeed later, as far as this action goes.
fn is_passing(code: Option<&str>) -> bool {
    matches!(
        code,
        None | Some(
            "None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"
        )
    )
}

/// Returns whether the same request may succeed later, by DynamoDB's error code.
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
