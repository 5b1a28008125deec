//! `/Users`: one function per route.

mod list;
pub(super) mod places;

use http::StatusCode;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Exchange;
use super::authentication::Caller;
use super::message::{Request, Response};
use super::rule;
use crate::directory::{Operation, User, UserId};
use crate::scim::patch::PatchOp;
use crate::scim::projection::Projection;
use crate::scim::resource::{Document, location, render};
use crate::scim::schema::USER;
use crate::scim::{ScimError, dialect, etag};
use crate::store::Next;

pub(super) use list::{list, query_all, search_all, search_users};

/// `POST /Users` (RFC 7644 §3.3).
pub(super) async fn create(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    let projection = exchange.query()?.projection(&USER)?;
    let input = exchange.request.json_object()?;
    let user = make(exchange, caller, input).await?;
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
    let preconditions = Preconditions::of(exchange.request);
    if preconditions.is_unmatched(&user) {
        return Err(ScimError::precondition_failed().rule(rule::VERSION_CHANGED));
    }
    if preconditions.is_excluded(&user) {
        return Ok(Response::not_modified(
            &location(&exchange.base_url, &USER, &user.id.to_string()),
            &etag::of_version(user.version),
        ));
    }
    Ok(found(exchange, StatusCode::OK, &user, &projection))
}

/// `PUT /Users/{id}` (RFC 7644 §3.5.1).
pub(super) async fn replace(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    let projection = exchange.query()?.projection(&USER)?;
    let input = exchange.request.json_object()?;
    let preconditions = Preconditions::of(exchange.request);
    let user = put(exchange, caller, input, &preconditions).await?;
    Ok(found(exchange, StatusCode::OK, &user, &projection))
}

/// `PATCH /Users/{id}` (RFC 7644 §3.5.2).
pub(super) async fn patch(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    let projection = exchange.query()?.projection(&USER)?;
    let message = exchange.request.json_object()?;
    let preconditions = Preconditions::of(exchange.request);
    let user = change(exchange, caller, message, &preconditions).await?;
    Ok(found(exchange, StatusCode::OK, &user, &projection))
}

/// `DELETE /Users/{id}` (RFC 7644 §3.6): the user is anonymised.
pub(super) async fn delete(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    anonymise(exchange, caller, &Preconditions::of(exchange.request)).await?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

/// Makes a user of the body of a POST.
pub(super) async fn make(
    exchange: &Exchange<'_>,
    caller: Caller,
    input: Map<String, Value>,
) -> Result<User, ScimError> {
    let user = User::new(UserId::new(Uuid::now_v7()), document(input)?, exchange.now)?;
    let change = exchange.change_by(caller, Operation::Create);
    exchange.store.create_user(&change, &user).await?;
    Ok(user)
}

/// Replaces a user by the body of a PUT.
pub(super) async fn put(
    exchange: &Exchange<'_>,
    caller: Caller,
    input: Map<String, Value>,
    preconditions: &Preconditions,
) -> Result<User, ScimError> {
    let id = user_id(exchange)?;
    let document = document(input)?;
    let change = exchange.change_by(caller, Operation::Replace);
    exchange
        .store
        .change_user(&change, id, |user| {
            preconditions.check(user)?;
            let replaced = user.replaced_by(document.clone(), exchange.now)?;
            Ok::<_, ScimError>(Next::Update(replaced))
        })
        .await?
        .ok_or_else(no_such_user)
}

/// Changes a user by a PatchOp message.
pub(super) async fn change(
    exchange: &Exchange<'_>,
    caller: Caller,
    message: Map<String, Value>,
    preconditions: &Preconditions,
) -> Result<User, ScimError> {
    let id = user_id(exchange)?;
    let patch = PatchOp::parse(message, &USER)?;
    let change = exchange.change_by(caller, Operation::Patch);
    exchange
        .store
        .change_user(&change, id, |user| {
            preconditions.check(user)?;
            let document = patch.apply(&exchange.id, &user.document, &USER)?;
            let patched = user.with_document(document, exchange.now)?;
            Ok::<_, ScimError>(Next::Update(patched))
        })
        .await?
        .ok_or_else(no_such_user)
}

/// Leaves nothing personal of a user.
pub(super) async fn anonymise(
    exchange: &Exchange<'_>,
    caller: Caller,
    preconditions: &Preconditions,
) -> Result<UserId, ScimError> {
    let id = user_id(exchange)?;
    let change = exchange.change_by(caller, Operation::Anonymise);
    exchange
        .store
        .change_user(&change, id, |user| {
            preconditions.check(user)?;
            Ok::<_, ScimError>(Next::Anonymise)
        })
        .await?
        .ok_or_else(no_such_user)?;
    Ok(id)
}

/// The body of a POST or PUT, validated.
fn document(mut input: Map<String, Value>) -> Result<Document, ScimError> {
    dialect::resource(&mut input, &USER);
    Document::from_input(input, &USER)
}

fn user_id(exchange: &Exchange<'_>) -> Result<UserId, ScimError> {
    UserId::parse(&exchange.id).ok_or_else(no_such_user)
}

fn no_such_user() -> ScimError {
    ScimError::not_found("There is no user with this id in this company.").rule(rule::USER_UNKNOWN)
}

/// Which versions of a user a request is meant for (RFC 9110 §13.1.1, §13.1.2).
pub(super) struct Preconditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl Preconditions {
    fn of(request: &Request) -> Self {
        Self {
            if_match: request.header(IF_MATCH),
            if_none_match: request.header(IF_NONE_MATCH),
        }
    }

    /// Only this version, if one is named.
    pub(super) fn version(version: Option<String>) -> Self {
        Self {
            if_match: version,
            if_none_match: None,
        }
    }

    fn is_unmatched(&self, user: &User) -> bool {
        let names = |tags: &String| etag::names_version(tags, user.version);
        self.if_match.as_ref().is_some_and(|tags| !names(tags))
    }

    fn is_excluded(&self, user: &User) -> bool {
        let names = |tags: &String| etag::names_version(tags, user.version);
        self.if_none_match.as_ref().is_some_and(names)
    }

    fn check(&self, user: &User) -> Result<(), ScimError> {
        if self.is_unmatched(user) || self.is_excluded(user) {
            return Err(ScimError::precondition_failed().rule(rule::VERSION_CHANGED));
        }
        Ok(())
    }
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
