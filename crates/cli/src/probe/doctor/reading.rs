//! What a response says.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::Value;

use crate::probe::endpoint::Response;

pub(super) const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// Returns by how many seconds the server's clock is ahead. The server sent its time between two moments here,
/// at best half-way. Fractions of a second do not count.
pub(super) fn skew(date: Option<&str>, before: Timestamp, after: Timestamp) -> Option<i64> {
    let reported = DateTimeParser::new().parse_timestamp(date?).ok()?;
    let half = Duration::try_from(after.duration_since(before)).ok()? / 2;
    let here = before.checked_add(half).ok()?;
    Some(reported.as_second() - here.as_second())
}

/// Returns whether a response is one of SCIM, refusals included.
pub(super) fn is_of_scim(response: &Response) -> bool {
    schemas(response).any(|schema| schema.starts_with("urn:ietf:params:scim:"))
}

pub(super) fn has_schema(response: &Response, wanted: &str) -> bool {
    schemas(response).any(|schema| schema == wanted)
}

pub(super) fn schemas(response: &Response) -> impl Iterator<Item = &str> {
    let schemas = response.body.get("schemas").and_then(Value::as_array);
    schemas.into_iter().flatten().filter_map(Value::as_str)
}

pub(super) fn is_empty_list(response: &Response) -> bool {
    let total = response.body.get("totalResults").and_then(Value::as_u64);
    response.status == 200 && has_schema(response, LIST_SCHEMA) && total == Some(0)
}

pub(super) fn detail(response: &Response) -> &str {
    let detail = response.body.get("detail").and_then(Value::as_str);
    detail.unwrap_or_default()
}
