//! `/Users`: one function per route.

mod access;
mod by_index;
mod list;
mod page;
mod selection;

use std::sync::{Arc, Mutex};

use http::StatusCode;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use scim::messages::{PatchOp, Patched, Skipped};
use scim::projection::Projection;
use scim::resource::{Document, location, render};
use scim::work::Work;
use scim::{ScimError, dialect, etag, undeclared};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Exchange;
use super::authentication::Caller;
use super::message::{Request, Response};
use super::rule;
use crate::directory::{Operation, USER, User, UserId};
use crate::store::Next;
use crate::store::usage::count_work;

pub(super) use list::{list, query_all, search_all, search_users};

/// Most changes of a PATCH that is applied at once: what identity providers usually send has fewer.
const SMALL_PATCH_CHANGES: usize = 20;

/// Handles `POST /Users` (RFC 7644 §3.3).
pub(super) async fn create(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    let projection = exchange.query()?.projection(&USER)?;
    let input = exchange.request.json_object()?;
    let user = make(exchange, caller, input).await?;
    Ok(found(exchange, StatusCode::CREATED, user, &projection))
}

/// Handles `GET /Users/{id}` (RFC 7644 §3.4.1).
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
    Ok(found(exchange, StatusCode::OK, user, &projection))
}

/// Handles `PUT /Users/{id}` (RFC 7644 §3.5.1).
pub(super) async fn replace(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    let projection = exchange.query()?.projection(&USER)?;
    let input = exchange.request.json_object()?;
    let preconditions = Preconditions::of(exchange.request);
    let user = put(exchange, caller, input, &preconditions).await?;
    Ok(found(exchange, StatusCode::OK, user, &projection))
}

/// Handles `PATCH /Users/{id}` (RFC 7644 §3.5.2).
pub(super) async fn patch(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    let projection = exchange.query()?.projection(&USER)?;
    let message = exchange.request.json_object()?;
    let preconditions = Preconditions::of(exchange.request);
    let user = change(exchange, caller, message, &preconditions).await?;
    Ok(found(exchange, StatusCode::OK, user, &projection))
}

/// Handles `DELETE /Users/{id}` (RFC 7644 §3.6): the user is anonymised.
pub(super) async fn delete(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    anonymise(exchange, caller, &Preconditions::of(exchange.request)).await?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

/// Creates a user from the body of a POST.
pub(super) async fn make(
    exchange: &Exchange<'_>,
    caller: Caller,
    input: Map<String, Value>,
) -> Result<User, ScimError> {
    let document = document(exchange, input)?;
    let user = User::new(UserId::new(Uuid::now_v7()), document, exchange.now)?;
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
    let document = document(exchange, input)?;
    let change = exchange.change_by(caller, Operation::Replace);
    let verdicts = exchange.verdicts_about(caller, id);
    let written = exchange
        .store
        .change_user(&change, id, |user| {
            preconditions.check(user)?;
            let replaced = user.replaced_by(document.clone(), exchange.now)?;
            Ok::<_, ScimError>(Next::Update(replaced))
        })
        .await
        .and_then(|user| user.ok_or_else(no_such_user));
    verdicts.settle(written.as_ref().map(User::is_active));
    written
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
    exchange.count_undeclared(patch.undeclared());
    let change = exchange.change_by(caller, Operation::Patch);
    let patch = &patch;
    let skipped = Mutex::new(Vec::new());
    let decide = |user: Arc<User>| {
        let skipped = &skipped;
        async move {
            preconditions.check(&user)?;
            let patched = applied(exchange, patch, &user.document).await?;
            if let Ok(mut skipped) = skipped.lock() {
                *skipped = patched.skipped;
            }
            let user = user.with_document(patched.document, exchange.now)?;
            Ok::<_, ScimError>(Next::Update(user))
        }
    };
    let verdicts = exchange.verdicts_about(caller, id);
    let written = exchange
        .store
        .change_user_after(&change, id, decide)
        .await
        .and_then(|user| user.ok_or_else(no_such_user));
    verdicts.settle(written.as_ref().map(User::is_active));
    log_skipped(
        &exchange.change_id,
        &skipped.into_inner().unwrap_or_default(),
    );
    written
}

/// Applies a PATCH to a document. A small one takes less time than going elsewhere.
async fn applied(
    exchange: &Exchange<'_>,
    patch: &PatchOp,
    document: &Document,
) -> Result<Patched, ScimError> {
    let mut work = Work::of_patch();
    let mut apply = || patch.apply(&exchange.id, document, &USER, &mut work);
    let is_small = patch.changes() <= SMALL_PATCH_CHANGES;
    let result = match is_small {
        true => apply(),
        false => exchange.computing.run(apply).await,
    };
    count_work(work.spent());
    result
}

/// Logs which parts of a PATCH did not apply, because the user has another manager or name than the
/// path selects.
fn log_skipped(request_id: &str, skipped: &[Skipped]) {
    for Skipped {
        operation,
        attribute,
    } in skipped
    {
        tracing::info!(
            request_id,
            operation,
            attribute,
            "a PATCH operation was skipped: the attribute does not match the filter in its path"
        );
    }
}

/// Anonymises a user: nothing personal is left.
pub(super) async fn anonymise(
    exchange: &Exchange<'_>,
    caller: Caller,
    preconditions: &Preconditions,
) -> Result<UserId, ScimError> {
    let id = user_id(exchange)?;
    let change = exchange.change_by(caller, Operation::Anonymise);
    let verdicts = exchange.verdicts_about(caller, id);
    // A write without a known outcome may have been carried out.
    exchange.observe_anonymised(id);
    let written = exchange
        .store
        .change_user(&change, id, |user| {
            preconditions.check(user)?;
            Ok::<_, ScimError>(Next::Anonymise)
        })
        .await
        .and_then(|user| user.ok_or_else(no_such_user));
    verdicts.settle(written.as_ref().map(|_| false));
    if written.as_ref().is_err_and(|error| error.status < 500) {
        exchange.forget_anonymised(id);
    }
    written.map(|_| id)
}

/// Returns the body of a POST or PUT, validated.
fn document(exchange: &Exchange<'_>, mut input: Map<String, Value>) -> Result<Document, ScimError> {
    dialect::resource(&mut input, &USER);
    exchange.count_undeclared(undeclared::in_resource(&input, &USER));
    Document::from_input(input, &USER)
}

fn user_id(exchange: &Exchange<'_>) -> Result<UserId, ScimError> {
    UserId::parse(&exchange.id).ok_or_else(no_such_user)
}

fn no_such_user() -> ScimError {
    ScimError::not_found("There is no user with this id in this company.").rule(rule::USER_UNKNOWN)
}

/// The versions of a user that a request is meant for (RFC 9110 §13.1.1, §13.1.2).
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

    /// Returns the precondition of a version, if one is named.
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

/// Returns a user as clients see them, complete.
fn rendered(exchange: &Exchange<'_>, user: User) -> Map<String, Value> {
    let meta = user.meta();
    render(
        &USER,
        &user.id.to_string(),
        user.document,
        &meta,
        &exchange.base_url,
    )
}

fn found(
    exchange: &Exchange<'_>,
    status: StatusCode,
    user: User,
    projection: &Projection,
) -> Response {
    let location = location(&exchange.base_url, &USER, &user.id.to_string());
    let etag = etag::of_version(user.version);
    let resource = projection.apply(rendered(exchange, user), &USER);
    Response::resource(status, resource, &location, &etag)
}
