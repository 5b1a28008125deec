//! `/Me` (RFC 7644 §3.11): the owner of the caller's API key.

use scim::ScimError;

use super::Exchange;
use super::authentication::Caller;
use super::message::Response;
use super::{rule, users};

/// Handles `GET /Me`.
pub(super) async fn get(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    users::get(&on_owner(exchange, caller), caller).await
}

/// Handles `PUT /Me`.
pub(super) async fn replace(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    users::replace(&on_owner(exchange, caller), caller).await
}

/// Handles `PATCH /Me`.
pub(super) async fn patch(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    users::patch(&on_owner(exchange, caller), caller).await
}

/// Refuses `POST /Me`: every caller has an account already.
pub(super) fn refuse_create() -> Result<Response, ScimError> {
    Err(ScimError::not_implemented(
        "A user cannot register through /Me; create users with POST /Users.",
    )
    .rule(rule::ME_CREATE))
}

/// Refuses `DELETE /Me`: it would revoke the key of the request itself, and no request could undo it.
pub(super) fn refuse_delete() -> Result<Response, ScimError> {
    Err(ScimError::forbidden(
        "The owner of an API key cannot be deleted through /Me; use DELETE /Users/{id} if that is meant.",
    )
    .rule(rule::ME_DELETE))
}

fn on_owner<'r>(exchange: &Exchange<'r>, caller: Caller) -> Exchange<'r> {
    Exchange {
        id: caller.owner.to_string(),
        ..exchange.clone()
    }
}
