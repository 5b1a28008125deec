//! What a browser sends: parameters of a URL, and forms.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body;
use tokio::time::timeout;

use super::page::PageError;
use crate::Failure;
use crate::operator_listener::CLIENT_TIMEOUT;

/// Longest form, in bytes.
pub(super) const MAX_FORM_BYTES: usize = 4096;
/// How long it may take to arrive.
const FORM_TIMEOUT: Duration = CLIENT_TIMEOUT;

/// Returns a parameter of form-encoded text, if it is there.
pub(super) fn parameter(encoded: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(encoded.as_bytes())
        .find(|(given, _)| given == name)
        .map(|(_, value)| value.into_owned())
}

/// Reads the body of a request.
pub(super) async fn read<B: Body<Error: Into<Failure>>>(
    request: Request<B>,
) -> Result<String, PageError> {
    let body = Limited::new(request.into_body(), MAX_FORM_BYTES);
    let body = std::pin::pin!(body);
    let collected = timeout(FORM_TIMEOUT, body.collect()).await;
    let collected = collected
        .ok()
        .and_then(Result::ok)
        .ok_or(PageError::Refused(
            "The form is too long, or did not arrive in time.",
        ))?;
    String::from_utf8(collected.to_bytes().to_vec())
        .map_err(|_| PageError::Refused("The form is not UTF-8 text."))
}
