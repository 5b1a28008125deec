//! `/Users`: one function per route.

mod list;

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderName, StatusCode};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Exchange;
use super::authentication::Caller;
use super::message::Response;
use crate::directory::{Operation, User, UserId};
use crate::scim::patch::PatchOp;
use crate::scim::projection::Projection;
use crate::scim::resource::{Document, location, render};
use crate::scim::schema::USER;
use crate::scim::{ScimError, dialect, etag};
use crate::store::Next;

pub(super) use list::{list, search_all, search_users};

/// `POST /Users` (RFC 7644 §3.3).
pub(super) async fn create(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    let projection = exchange.query()?.projection(&USER)?;
    let document = document(exchange)?;
    let user = User::new(UserId::new(Uuid::now_v7()), document, exchange.now)?;
    let change = exchange.change_by(caller, Operation::Create);
    exchange.store.create_user(&change, &user).await?;
    Ok(found(exchange, StatusCode::CREATED, &user, &projection))
}

/// `GET /Users/{id}` (RFC 7644 §3.4.1).
pub(super) async fn get(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    let projection = exchange.query()?.projection(&USER)?;
    let user = exchange
        .store
        .user(caller.company, user_id(exchange)?)
        .await?
        .ok_or_else(no_such_user)?;
    if names_current(exchange, IF_MATCH, &user) == Some(false) {
        return Err(ScimError::precondition_failed());
    }
    if names_current(exchange, IF_NONE_MATCH, &user) == Some(true) {
        return Ok(Response::not_modified(&etag::of_version(user.version)));
    }
    Ok(found(exchange, StatusCode::OK, &user, &projection))
}

/// `PUT /Users/{id}` (RFC 7644 §3.5.1).
pub(super) async fn replace(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    let projection = exchange.query()?.projection(&USER)?;
    let id = user_id(exchange)?;
    let document = document(exchange)?;
    let change = exchange.change_by(caller, Operation::Replace);
    let user = exchange
        .store
        .change_user(&change, id, |user| {
            check_preconditions(exchange, user)?;
            let replaced = user.replaced_by(document.clone(), exchange.now)?;
            Ok::<_, ScimError>(Next::Update(replaced))
        })
        .await?
        .ok_or_else(no_such_user)?;
    Ok(found(exchange, StatusCode::OK, &user, &projection))
}

/// `PATCH /Users/{id}` (RFC 7644 §3.5.2).
pub(super) async fn patch(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    let projection = exchange.query()?.projection(&USER)?;
    let id = user_id(exchange)?;
    let patch = PatchOp::parse(exchange.request.json_object()?, &USER)?;
    let change = exchange.change_by(caller, Operation::Patch);
    let user = exchange
        .store
        .change_user(&change, id, |user| {
            check_preconditions(exchange, user)?;
            let document = patch.apply(&exchange.id, &user.document, &USER)?;
            let patched = user.with_document(document, exchange.now)?;
            Ok::<_, ScimError>(Next::Update(patched))
        })
        .await?
        .ok_or_else(no_such_user)?;
    Ok(found(exchange, StatusCode::OK, &user, &projection))
}

/// `DELETE /Users/{id}` (RFC 7644 §3.6): the user is anonymised.
pub(super) async fn delete(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    let id = user_id(exchange)?;
    let change = exchange.change_by(caller, Operation::Anonymise);
    exchange
        .store
        .change_user(&change, id, |user| {
            check_preconditions(exchange, user)?;
            Ok::<_, ScimError>(Next::Anonymise)
        })
        .await?
        .ok_or_else(no_such_user)?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

/// The body of a POST or PUT, validated.
fn document(exchange: &Exchange<'_>) -> Result<Document, ScimError> {
    let mut input = exchange.request.json_object()?;
    dialect::resource(&mut input, &USER);
    Document::from_input(input, &USER)
}

fn user_id(exchange: &Exchange<'_>) -> Result<UserId, ScimError> {
    UserId::parse(&exchange.id).ok_or_else(no_such_user)
}

fn no_such_user() -> ScimError {
    ScimError::not_found("There is no user with this id in this company.")
}

/// `If-Match` and, for a change, `If-None-Match` (RFC 9110 §13.1.1, §13.1.2).
fn check_preconditions(exchange: &Exchange<'_>, user: &User) -> Result<(), ScimError> {
    let is_unmatched = names_current(exchange, IF_MATCH, user) == Some(false);
    let is_excluded = names_current(exchange, IF_NONE_MATCH, user) == Some(true);
    if is_unmatched || is_excluded {
        return Err(ScimError::precondition_failed());
    }
    Ok(())
}

/// Whether a conditional header names the user's version; `None` if it was not sent.
fn names_current(exchange: &Exchange<'_>, header: HeaderName, user: &User) -> Option<bool> {
    let tags = exchange.request.header(header)?;
    Some(etag::names_version(&tags, user.version))
}

/// A user as clients see them, complete.
fn rendered(exchange: &Exchange<'_>, user: &User) -> Map<String, Value> {
    render(
        &USER,
        &user.id.to_string(),
        &user.document,
        &user.meta(),
        &exchange.base_url,
    )
}

fn found(
    exchange: &Exchange<'_>,
    status: StatusCode,
    user: &User,
    projection: &Projection,
) -> Response {
    Response::resource(
        status,
        projection.apply(rendered(exchange, user)),
        &location(&exchange.base_url, &USER, &user.id.to_string()),
        &etag::of_version(user.version),
    )
}
