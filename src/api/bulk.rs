//! `POST /Bulk` (RFC 7644 §3.7): each operation as if it came by itself, one after another.

use std::time::Duration;

use http::{Method as HttpMethod, StatusCode};
use jiff::{SignedDuration, Timestamp};
use scim::error::ScimType;
use scim::messages::{
    BulkIds, BulkOperation, BulkRequest, MAX_BULK_DATA_BYTES, MAX_BULK_PAYLOAD_BYTES, Method,
    bulk_response, error_message,
};
use scim::resource::location;
use scim::{Rule, ScimError, etag, rule as scim_rule};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::authentication::Caller;
use super::error::not_in_time;
use super::message::Response;
use super::route::{BASE_PATH, Endpoint};
use super::router::{self, Match};
use super::users::Preconditions;
use super::{Exchange, cause, groups, rule, users};
use crate::directory::{USER, User, UserId};

/// How long a request begins further operations. The response leaves well before API Gateway's limit of 30 s.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);
/// How long a request waits for the operation under way.
const END_WITHIN: Duration = Duration::from_secs(22);

/// Handles `POST /Bulk`.
pub(super) async fn bulk(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    let request = BulkRequest::parse(exchange.request.json_up_to(MAX_BULK_PAYLOAD_BYTES)?)?;
    let mut job = Job {
        exchange,
        caller,
        started: Instant::now(),
        errors_left: request.fail_on_errors,
        bulk_ids: BulkIds::of(&request),
        results: vec![None; request.operations.len()],
    };
    job.run(&request).await;
    let results = job.results.into_iter().flatten().collect();
    Ok(Response::json(StatusCode::OK, &bulk_response(results)))
}

/// A bulk request that is being processed.
struct Job<'j> {
    exchange: &'j Exchange<'j>,
    caller: Caller,
    started: Instant,
    /// How many more errors may occur before the rest is skipped.
    errors_left: Option<u64>,
    bulk_ids: BulkIds,
    /// One for each operation, `None` until it is processed.
    results: Vec<Option<Value>>,
}

/// The result of an operation that succeeded.
struct Done {
    status: StatusCode,
    id: UserId,
    /// `None` for a deleted user.
    version: Option<u64>,
}

/// Whether the rest is processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remaining {
    GoOn,
    Stop,
}

impl Job<'_> {
    /// Processes the operations one after another, until all are done or too many have failed.
    async fn run(&mut self, request: &BulkRequest) {
        for (index, operation) in request.in_order() {
            let next = match self.bulk_ids.resolve(operation) {
                Ok(operation) => {
                    let outcome = self.in_time(index, &operation).await;
                    let created = outcome.as_ref().ok().map(|done| done.id.to_string());
                    self.bulk_ids.settle(&operation, created);
                    self.record(index, &operation, outcome)
                }
                Err(error) => self.record(index, operation, Err(error)),
            };
            if next == Remaining::Stop {
                return;
            }
        }
    }

    /// Processes an operation, as far as time allows.
    async fn in_time(&self, index: usize, operation: &BulkOperation) -> Result<Done, ScimError> {
        if self.started.elapsed() >= BEGIN_WITHIN {
            return Err(not_in_time());
        }
        let end = self.started + END_WITHIN;
        let processed = tokio::time::timeout_at(end, self.process(index, operation)).await;
        processed.unwrap_or_else(|_| Err(not_in_time()))
    }

    /// Returns when an operation begins.
    fn now(&self) -> Timestamp {
        let milliseconds = i64::try_from(self.started.elapsed().as_millis()).unwrap_or_default();
        let since = SignedDuration::from_millis(milliseconds);
        self.exchange
            .now
            .saturating_add(since)
            .unwrap_or(self.exchange.now)
    }

    async fn process(&self, index: usize, operation: &BulkOperation) -> Result<Done, ScimError> {
        let (endpoint, id) = target(operation)?;
        let exchange = Exchange {
            id,
            // Each has its own audit record, also if several change one user.
            change_id: format!("{}-{index:03}", self.exchange.change_id),
            now: self.now(),
            ..self.exchange.clone()
        };
        let preconditions = Preconditions::version(operation.version.clone());
        let done = |status, user: User| Done {
            status,
            id: user.id,
            version: Some(user.version),
        };
        match endpoint {
            Endpoint::CreateUser if operation.bulk_id.is_none() => Err(ScimError::invalid_syntax(
                "A POST in a bulk request needs a 'bulkId'.",
            )
            .rule(scim_rule::BULK_ID)),
            Endpoint::CreateUser => {
                let user = users::make(&exchange, self.caller, data(operation)?).await?;
                Ok(done(StatusCode::CREATED, user))
            }
            Endpoint::ReplaceUser => {
                let input = data(operation)?;
                let user = users::put(&exchange, self.caller, input, &preconditions).await?;
                Ok(done(StatusCode::OK, user))
            }
            Endpoint::PatchUser => {
                let message = data(operation)?;
                let user = users::change(&exchange, self.caller, message, &preconditions).await?;
                Ok(done(StatusCode::OK, user))
            }
            Endpoint::DeleteUser => {
                let id = users::anonymise(&exchange, self.caller, &preconditions).await?;
                Ok(Done {
                    status: StatusCode::NO_CONTENT,
                    id,
                    version: None,
                })
            }
            Endpoint::RefuseGroups => Err(groups::not_supported()),
            _ => Err(no_such_operation()),
        }
    }

    /// Keeps an operation's part of the response.
    fn record(
        &mut self,
        index: usize,
        operation: &BulkOperation,
        outcome: Result<Done, ScimError>,
    ) -> Remaining {
        if let Err(error) = &outcome {
            self.log(index, error);
            self.errors_left = self.errors_left.map(|errors| errors.saturating_sub(1));
        }
        let result = self.result(operation, outcome);
        if let Some(slot) = self.results.get_mut(index) {
            *slot = Some(Value::Object(result));
        }
        match self.errors_left {
            Some(0) => Remaining::Stop,
            _ => Remaining::GoOn,
        }
    }

    /// Logs why an operation failed, which the request's own line does not show: the request succeeds.
    fn log(&self, index: usize, error: &ScimError) {
        let (request_id, status) = (&self.exchange.request.id, error.status);
        let scim_type = error.scim_type.map(ScimType::as_str);
        let rule = error.rule.map(Rule::as_str);
        let (attribute, operation) = (error.attribute.as_deref(), error.operation);
        let cause = cause(error);
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    request_id,
                    index,
                    status,
                    scim_type,
                    rule,
                    attribute,
                    operation,
                    cause,
                    "a bulk operation failed"
                )
            };
        }
        match status {
            503 => log!(warn),
            500.. if status != 501 => log!(error),
            _ => log!(info),
        }
    }

    /// Returns an operation's part of the response. A failed `POST` has no location (§3.7).
    fn result(
        &self,
        operation: &BulkOperation,
        outcome: Result<Done, ScimError>,
    ) -> Map<String, Value> {
        let base_url = &self.exchange.base_url;
        let id = match (&outcome, target(operation)) {
            (Ok(done), _) => Some(done.id.to_string()),
            (Err(_), Ok((_, id))) => Some(id).filter(|id| !id.is_empty()),
            (Err(_), Err(_)) => None,
        };
        let location = id.map(|id| location(base_url, &USER, &id));
        let (status, version, response) = match outcome {
            Ok(done) => (
                done.status.as_u16(),
                done.version.map(etag::of_version),
                None,
            ),
            Err(error) => (error.status, None, Some(error_message(&error))),
        };
        let members = [
            ("method", Some(operation.method.as_str().into())),
            ("bulkId", operation.bulk_id.clone().map(Value::from)),
            ("version", version.map(Value::from)),
            ("location", location.map(Value::from)),
            ("status", Some(status.to_string().into())),
            ("response", response),
        ];
        let given = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
        members.into_iter().filter_map(given).collect()
    }
}

/// Returns the endpoint of an operation, and the id in its path.
fn target(operation: &BulkOperation) -> Result<(Endpoint, String), ScimError> {
    let method = match &operation.method {
        Method::Post => HttpMethod::POST,
        Method::Put => HttpMethod::PUT,
        Method::Patch => HttpMethod::PATCH,
        Method::Delete => HttpMethod::DELETE,
        Method::Other(_) => return Err(no_such_operation()),
    };
    let path = format!("{BASE_PATH}/{}", operation.path);
    match router::find(&method, &path) {
        Match::Route { route, id } => Ok((route.endpoint, id)),
        _ => Err(no_such_operation()),
    }
}

fn data(operation: &BulkOperation) -> Result<Map<String, Value>, ScimError> {
    let data = operation.data.as_deref().map_or("", RawValue::get);
    if data.len() > MAX_BULK_DATA_BYTES {
        return Err(ScimError::payload_too_large(MAX_BULK_DATA_BYTES).rule(rule::BODY_TOO_LARGE));
    }
    serde_json::from_str(data).map_err(|_| {
        ScimError::invalid_syntax("'data' must be an object.").rule(scim_rule::BULK_OPERATION)
    })
}

fn no_such_operation() -> ScimError {
    ScimError::invalid_syntax(
        "A bulk operation must be POST to /Users, or PUT, PATCH or DELETE to /Users/{id}; correct 'method' or 'path'.",
    )
    .rule(rule::BULK_TARGET)
}
