//! Which function serves an endpoint, and what a path without one says.

use scim::ScimError;

use super::authentication::Caller;
use super::error::unauthenticated;
use super::message::{Request, Response};
use super::route::{BASE_PATH, Endpoint};
use super::{Exchange, bulk, discovery, groups, me, near_miss, oauth, openapi, query, rule, users};

pub(super) async fn dispatch(
    endpoint: Endpoint,
    exchange: &Exchange<'_>,
    caller: Option<Caller>,
) -> Result<Response, ScimError> {
    let caller = || caller.ok_or_else(unauthenticated);
    match endpoint {
        Endpoint::ListUsers => users::list(exchange, caller()?).await,
        Endpoint::CreateUser => users::create(exchange, caller()?).await,
        Endpoint::GetUser => users::get(exchange, caller()?).await,
        Endpoint::ReplaceUser => users::replace(exchange, caller()?).await,
        Endpoint::PatchUser => users::patch(exchange, caller()?).await,
        Endpoint::DeleteUser => users::delete(exchange, caller()?).await,
        Endpoint::SearchUsers => users::search_users(exchange, caller()?).await,
        Endpoint::SearchAll => users::search_all(exchange, caller()?).await,
        Endpoint::QueryAll => users::query_all(exchange, caller()?).await,
        Endpoint::Bulk => bulk::bulk(exchange, caller()?).await,
        Endpoint::GetMe => me::get(exchange, caller()?).await,
        Endpoint::ReplaceMe => me::replace(exchange, caller()?).await,
        Endpoint::PatchMe => me::patch(exchange, caller()?).await,
        Endpoint::RefuseCreateMe => me::refuse_create(),
        Endpoint::RefuseDeleteMe => me::refuse_delete(),
        Endpoint::ListGroups => groups::list_groups(exchange),
        Endpoint::SearchGroups => groups::search_groups(exchange),
        Endpoint::GetGroup => groups::get_group(),
        Endpoint::RefuseGroups => groups::refuse_groups(),
        Endpoint::ServiceProviderConfig => discovery::service_provider_config(exchange),
        Endpoint::ListResourceTypes => discovery::list_resource_types(exchange),
        Endpoint::GetResourceType => discovery::get_resource_type(exchange),
        Endpoint::ListSchemas => discovery::list_schemas(exchange),
        Endpoint::GetSchema => discovery::get_schema(exchange),
        Endpoint::OpenApi => openapi::openapi(exchange),
        Endpoint::IssueToken => oauth::issue_token(exchange).await,
    }
}

/// Returns the refusal of a path at which there is nothing. It names the path that the client most likely means.
pub(super) fn nothing_at<B>(request: &Request<B>) -> ScimError {
    if let Some(path) = near_miss::nearest(&request.path) {
        return ScimError::not_found(format!(
            "There is nothing at this path; send the request to {BASE_PATH}{path}."
        ))
        .rule(rule::PATH_MISSPELT);
    }
    if let Some(path) = query::path_within(&request.query) {
        return ScimError::not_found(format!(
            "The path is inside the query string; send the request to {BASE_PATH}{path}, and parameters behind a '?' at its end."
        ))
        .rule(rule::PATH_MISSPELT);
    }
    ScimError::not_found(format!(
        "There is nothing at this path; users are at {BASE_PATH}/Users."
    ))
    .rule(rule::PATH_UNKNOWN)
}
