//! `POST /Bulk` (RFC 7644 §3.7): each operation as if it came by itself, one after another.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ETAG, IF_MATCH, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::authentication::Caller;
use super::error::RETRY_AFTER_SECONDS;
use super::message::{Body, Request, Response};
use super::route::{self, Endpoint, Match};
use super::{Exchange, groups, users};
use crate::config::BASE_PATH;
use crate::scim::ScimError;
use crate::scim::bulk::{
    BulkIds, BulkRequest, MAX_PAYLOAD_BYTES, Operation, Readiness, bulk_response, circular,
};

/// After this no further operation is begun, so that the answer leaves well before API Gateway's
/// 30 s end.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);
/// After this the one under way is not waited for.
const END_WITHIN: Duration = Duration::from_secs(22);

/// `POST /Bulk`
pub(super) async fn bulk(exchange: &Exchange<'_>, caller: Caller) -> Result<Response, ScimError> {
    let request = BulkRequest::parse(exchange.request.json_object_up_to(MAX_PAYLOAD_BYTES)?)?;
    let mut job = Job {
        exchange,
        caller,
        started: Instant::now(),
        errors_left: request.fail_on_errors.map(|errors| errors.max(1)),
        bulk_ids: BulkIds::of(&request),
        results: vec![None; request.operations.len()],
    };
    job.run(&request.operations).await;
    let results = job.results.into_iter().flatten().collect();
    Ok(Response::json(StatusCode::OK, &bulk_response(results)))
}

/// A bulk request that is being processed.
struct Job<'j> {
    exchange: &'j Exchange<'j>,
    caller: Caller,
    started: Instant,
    /// How many more errors there may be before the rest is left alone.
    errors_left: Option<u64>,
    bulk_ids: BulkIds,
    /// One for each operation, `None` until it is processed.
    results: Vec<Option<Value>>,
}

impl Job<'_> {
    /// Processes the operations in the order of the request, but for those that refer to resources
    /// which later ones create: they wait. Those that wait for each other are refused.
    async fn run(&mut self, operations: &[Operation]) {
        let mut waiting: Vec<(usize, &Operation)> = operations.iter().enumerate().collect();
        while !waiting.is_empty() {
            let mut still_waiting = Vec::new();
            for &(index, operation) in &waiting {
                let next = match self.bulk_ids.resolve(operation) {
                    Readiness::Waiting => {
                        still_waiting.push((index, operation));
                        Next::GoOn
                    }
                    Readiness::Never(error) => self.settle(index, operation, Err(error)),
                    Readiness::Ready(operation) => {
                        let outcome = self.in_time(index, &operation).await;
                        self.settle(index, &operation, outcome)
                    }
                };
                if next == Next::Stop {
                    return;
                }
            }
            if still_waiting.len() == waiting.len() {
                for (index, operation) in still_waiting {
                    if self.settle(index, operation, Err(circular())) == Next::Stop {
                        return;
                    }
                }
                return;
            }
            waiting = still_waiting;
        }
    }

    /// Processes an operation, as far as time allows.
    async fn in_time(&self, index: usize, operation: &Operation) -> Result<Response, ScimError> {
        let late = || ScimError::unavailable(RETRY_AFTER_SECONDS);
        if self.started.elapsed() >= BEGIN_WITHIN {
            return Err(late());
        }
        let end = self.started + END_WITHIN;
        let processed = tokio::time::timeout_at(end, self.process(index, operation)).await;
        processed.unwrap_or_else(|_| Err(late()))
    }

    async fn process(&self, index: usize, operation: &Operation) -> Result<Response, ScimError> {
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap_or_default();
        let path = format!("{BASE_PATH}/{}", operation.path);
        let Match::Route { route, id } = route::find(&method, &path) else {
            return Err(ScimError::not_found(
                "There is no operation of this method and path; a bulk request takes POST /Users and PUT, PATCH and DELETE /Users/{id}.",
            ));
        };
        if route.endpoint == Endpoint::CreateUser && operation.bulk_id.is_none() {
            return Err(ScimError::invalid_syntax("A POST needs a 'bulkId'."));
        }
        let request = self.request(index, operation, method, path);
        let exchange = Exchange {
            request: &request,
            id,
            ..self.exchange.clone()
        };
        match route.endpoint {
            Endpoint::CreateUser => users::create(&exchange, self.caller).await,
            Endpoint::ReplaceUser => users::replace(&exchange, self.caller).await,
            Endpoint::PatchUser => users::patch(&exchange, self.caller).await,
            Endpoint::DeleteUser => users::delete(&exchange, self.caller).await,
            Endpoint::RefuseGroups => groups::refuse_groups(),
            _ => Err(ScimError::invalid_syntax(
                "A bulk request takes POST /Users and PUT, PATCH and DELETE /Users/{id}.",
            )),
        }
    }

    /// The operation as a request of its own.
    fn request(
        &self,
        index: usize,
        operation: &Operation,
        method: Method,
        path: String,
    ) -> Request {
        let outer = self.exchange.request;
        let version = operation.version.as_deref().map(HeaderValue::from_str);
        let mut headers = HeaderMap::new();
        if let Some(Ok(version)) = version {
            headers.insert(IF_MATCH, version);
        }
        Request {
            // Each has its own audit record, also if several change one user.
            id: format!("{}-{index}", outer.id),
            method,
            path,
            query: String::new(),
            headers,
            body: Body::Complete(Bytes::from(operation.data.to_string())),
            origin: outer.origin.clone(),
        }
    }

    fn settle(
        &mut self,
        index: usize,
        operation: &Operation,
        outcome: Result<Response, ScimError>,
    ) -> Next {
        let is_error = outcome.is_err();
        let location = match &outcome {
            Ok(response) => header(response, LOCATION),
            Err(_) => None,
        };
        let created = location.as_deref().and_then(|url| url.rsplit('/').next());
        self.bulk_ids.settle(operation, created.map(str::to_owned));
        let result = self.result(operation, location, outcome);
        if let Some(slot) = self.results.get_mut(index) {
            *slot = Some(Value::Object(result));
        }
        if is_error {
            self.errors_left = self.errors_left.map(|errors| errors.saturating_sub(1));
        }
        match self.errors_left {
            Some(0) => Next::Stop,
            _ => Next::GoOn,
        }
    }

    /// An operation's part of the answer. A failed `POST` has no location (§3.7).
    fn result(
        &self,
        operation: &Operation,
        location: Option<String>,
        outcome: Result<Response, ScimError>,
    ) -> Map<String, Value> {
        let path = operation.path.trim_start_matches('/');
        let existing = || format!("{}/{path}", self.exchange.base_url);
        let location = location.or_else(|| (operation.method != "POST").then(existing));
        let (status, version, response) = match outcome {
            Ok(response) => (response.status.as_u16(), header(&response, ETAG), None),
            Err(error) => (error.status, None, Some(error.to_json())),
        };
        let members = [
            ("method", Some(operation.method.clone().into())),
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

fn header(response: &Response, name: HeaderName) -> Option<String> {
    let value = response.headers.get(name)?;
    value.to_str().ok().map(str::to_owned)
}

/// Whether the rest is processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}
