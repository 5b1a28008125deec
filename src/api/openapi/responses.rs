//! Responses: the success of each endpoint, and the components that endpoints share.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Description, operation_id, reference};
use crate::api::message::{JSON, MEDIA_TYPE};
use crate::api::route::{Endpoint, ROUTES};

/// Every status of an error that any endpoint may have.
const ERRORS: [u16; 13] = [
    400, 401, 403, 404, 406, 409, 412, 413, 415, 429, 500, 501, 503,
];
/// Every status of an error of the token endpoint.
const TOKEN_ERRORS: [u16; 7] = [400, 401, 403, 413, 415, 500, 503];
/// Name of the component for 304 of a user.
const USER_NOT_MODIFIED: &str = "UserNotModified";
/// Name of the component for 304 of discovery.
const DISCOVERY_NOT_MODIFIED: &str = "DiscoveryNotModified";

/// Returns the responses of an endpoint.
pub(super) fn of(endpoint: Endpoint, description: &Description) -> Value {
    let mut responses = Map::new();
    if let Some((status, component)) = description.success {
        let response = success(endpoint, status, component);
        responses.insert(status.to_string(), response);
    }
    // Not activated or not permitted, a defect, busy: these may happen anywhere.
    let mut statuses = vec![403, 500, 503];
    if endpoint.is_negotiated() {
        statuses.push(406);
    }
    if !endpoint.is_public() {
        statuses.push(401);
    }
    statuses.extend(description.others);
    statuses.sort_unstable();
    for status in statuses {
        let component = match status {
            304 if endpoint.is_discovery() => DISCOVERY_NOT_MODIFIED.to_owned(),
            304 => USER_NOT_MODIFIED.to_owned(),
            status if endpoint == Endpoint::IssueToken => token_error_name(status),
            status => error_name(status),
        };
        responses.insert(status.to_string(), reference("responses", &component));
    }
    Value::Object(responses)
}

/// Returns the components that [`of`] refers to.
pub(super) fn components() -> Value {
    let errors = ERRORS.map(|status| (error_name(status), error(status)));
    let token_errors = TOKEN_ERRORS.map(|status| (token_error_name(status), token_error(status)));
    let mut components: Map<String, Value> = errors.into_iter().chain(token_errors).collect();
    let unmodified = |headers: Value| json!({"description": "Not Modified", "headers": headers});
    components.insert(
        USER_NOT_MODIFIED.to_owned(),
        unmodified(json!({"ETag": etag(), "Content-Location": url()})),
    );
    components.insert(
        DISCOVERY_NOT_MODIFIED.to_owned(),
        unmodified(discovery_headers()),
    );
    Value::Object(components)
}

fn success(endpoint: Endpoint, status: u16, component: Option<&str>) -> Value {
    let mut response = Map::from_iter([("description".to_owned(), json!("Done"))]);
    let Some(component) = component else {
        return Value::Object(response);
    };
    let schema = reference("schemas", component);
    let content = match endpoint {
        Endpoint::OpenApi | Endpoint::IssueToken => json!({JSON: {"schema": schema}}),
        _ => negotiated(&schema),
    };
    response.insert("content".to_owned(), content);
    if component == "User" {
        let headers = json!({"ETag": etag(), "Location": url(), "Content-Location": url()});
        response.insert("headers".to_owned(), headers);
    } else if endpoint.is_discovery() {
        response.insert("headers".to_owned(), discovery_headers());
    } else if endpoint == Endpoint::IssueToken {
        response.insert("headers".to_owned(), token_headers());
    }
    if status == StatusCode::CREATED.as_u16() {
        response.insert("links".to_owned(), links());
    }
    Value::Object(response)
}

/// The same content in both media types: `Accept` decides.
fn negotiated(schema: &Value) -> Value {
    json!({MEDIA_TYPE: {"schema": schema}, JSON: {"schema": schema}})
}

fn error_name(status: u16) -> String {
    format!("Error{status}")
}

fn error(status: u16) -> Value {
    let content = negotiated(&reference("schemas", "Error"));
    let headers = match status {
        401 => Some(json!({"WWW-Authenticate": {
            "required": true, "schema": {"enum": ["Bearer", "Bearer error=\"invalid_token\""]},
        }})),
        429 | 503 => Some(retry_after()),
        _ => None,
    };
    refusal(status, content, headers)
}

fn token_error_name(status: u16) -> String {
    format!("TokenError{status}")
}

/// An error as the token endpoint sends it (RFC 6749 §5.2).
fn token_error(status: u16) -> Value {
    let content = json!({JSON: {"schema": reference("schemas", "TokenError")}});
    let headers = match status {
        401 => Some(json!({"WWW-Authenticate": {
            "required": true, "schema": {"type": "string", "pattern": "^Basic "},
        }})),
        503 => Some(retry_after()),
        _ => None,
    };
    refusal(status, content, headers)
}

fn refusal(status: u16, content: Value, headers: Option<Value>) -> Value {
    let meaning = StatusCode::from_u16(status).ok();
    let reason = meaning.and_then(|status| status.canonical_reason());
    let mut response = Map::from_iter([
        ("description".to_owned(), json!(reason.unwrap_or("Refused"))),
        ("content".to_owned(), content),
    ]);
    if let Some(headers) = headers {
        response.insert("headers".to_owned(), headers);
    }
    Value::Object(response)
}

fn retry_after() -> Value {
    json!({"Retry-After": {
        "description": "Seconds after which to try again", "required": true, "schema": {"type": "integer"},
    }})
}

/// Returns what keeps caches from storing a token.
fn token_headers() -> Value {
    json!({
        "Cache-Control": {"required": true, "schema": {"const": "no-store"}},
        "Pragma": {"required": true, "schema": {"const": "no-cache"}},
    })
}

fn etag() -> Value {
    json!({"description": "Version", "required": true, "schema": {"type": "string"}})
}

fn url() -> Value {
    json!({"description": "URL of the user", "required": true, "schema": {"type": "string"}})
}

/// Returns what a cache needs to know of a description of the service.
fn discovery_headers() -> Value {
    json!({
        "ETag": etag(),
        "Cache-Control": {"required": true, "schema": {"const": "no-cache"}},
        "Vary": {"required": true, "schema": {"const": "Accept"}},
    })
}

/// Returns what can be done with a resource that was created: everything that its own path offers.
fn links() -> Value {
    let of_one = ROUTES.iter().filter(|route| route.path == "/Users/{id}");
    let links = of_one.map(|route| {
        let operation_id = operation_id(route);
        let link = json!({"operationId": operation_id, "parameters": {"id": "$response.body#/id"}});
        (operation_id, link)
    });
    Value::Object(links.collect())
}
