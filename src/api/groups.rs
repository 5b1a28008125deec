//! Groups are not supported. Reading finds none, because an error there can fail Entra's test
//! connection; writing is refused with what to change at the identity provider.

use http::StatusCode;
use scim::messages::{ListResponse, SearchRequest};
use scim::page::Start;
use scim::{ScimError, cursor};

use super::Exchange;
use super::message::Response;
use super::rule;

/// Handles `GET /Groups`: an empty list for every filter.
pub(super) fn list_groups(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    nothing_found(&exchange.query()?)
}

/// Handles `POST /Groups/.search`: the same.
pub(super) fn search_groups(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    nothing_found(&SearchRequest::parse(exchange.request.json_object()?)?)
}

fn nothing_found(query: &SearchRequest<'_>) -> Result<Response, ScimError> {
    let body = match query.page()?.start {
        Start::Index(index) => ListResponse::by_index(0, index, Vec::<()>::new()),
        Start::Cursor(cursor) if cursor.is_empty() => ListResponse::by_cursor(None, Vec::new()),
        // No page of groups has ever had a next one.
        Start::Cursor(_) => return Err(cursor::invalid()),
    };
    Ok(Response::json(StatusCode::OK, &body))
}

/// Handles `GET /Groups/{id}`.
pub(super) fn get_group() -> Result<Response, ScimError> {
    Err(ScimError::not_found(
        "There is no group with this id, because groups are not supported; switch group provisioning off.",
    )
    .rule(rule::GROUP_UNKNOWN))
}

/// Refuses every other method on groups.
pub(super) fn refuse_groups() -> Result<Response, ScimError> {
    Err(not_supported())
}

/// Returns the refusal of groups.
pub(super) fn not_supported() -> ScimError {
    ScimError::not_implemented(
        "Groups are not supported; users are. Switch group provisioning (group push) off at the identity provider: in Entra, for example, open Provisioning, Mappings, 'Provision Microsoft Entra ID Groups' and set Enabled to No.",
    )
    .rule(rule::GROUPS_UNSUPPORTED)
}
