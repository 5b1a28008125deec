//! What all clients of the SDK share: configuration, HTTP client, causes of errors.

#[cfg(feature = "lambda")]
pub mod handler;
#[cfg(feature = "lambda")]
mod https;
pub mod sdk_config;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Returns why a call of the SDK failed: the service's error code, or what prevented a response. It holds nothing of
/// the request.
pub fn cause_of<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match error {
        SdkError::DispatchFailure(_) => innermost(error),
        _ => error.code().unwrap_or("no response").to_owned(),
    }
}

/// Returns the last cause of an error, such as a certificate that is not trusted.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
