//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` (RFC 7644 §4). They cost no read.

use serde_json::{Map, Value};

use super::Exchange;
use super::message::Response;
use super::rule;
use crate::scim::{ScimError, discovery};

/// `GET /ServiceProviderConfig`
pub(super) fn service_provider_config(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    refuse_filter(exchange)?;
    let config = discovery::service_provider_config(&exchange.base_url, exchange.documentation_uri);
    Ok(found(exchange, config))
}

/// `GET /ResourceTypes`
pub(super) fn list_resource_types(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    refuse_filter(exchange)?;
    let types = discovery::resource_types(&exchange.base_url);
    Ok(Response::whole_list(exchange.request, types))
}

/// `GET /ResourceTypes/{id}`
pub(super) fn get_resource_type(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    refuse_filter(exchange)?;
    discovery::find_resource_type(&exchange.id, &exchange.base_url)
        .map(|resource| found(exchange, resource))
        .ok_or_else(|| {
            ScimError::not_found("There is no such resource type; see /ResourceTypes.")
                .rule(rule::DISCOVERY_UNKNOWN)
        })
}

/// `GET /Schemas`
pub(super) fn list_schemas(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    refuse_filter(exchange)?;
    let schemas = discovery::schemas(&exchange.base_url);
    Ok(Response::whole_list(exchange.request, schemas))
}

/// `GET /Schemas/{id}`
pub(super) fn get_schema(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    refuse_filter(exchange)?;
    discovery::find_schema(&exchange.id, &exchange.base_url)
        .map(|resource| found(exchange, resource))
        .ok_or_else(|| {
            ScimError::not_found("There is no such schema; see /Schemas.")
                .rule(rule::DISCOVERY_UNKNOWN)
        })
}

fn found(exchange: &Exchange<'_>, resource: Map<String, Value>) -> Response {
    Response::discovery(exchange.request, &Value::Object(resource))
}

/// RFC 7644 §4: a filter here is answered with 403, lest a client takes the answer for filtered.
fn refuse_filter(exchange: &Exchange<'_>) -> Result<(), ScimError> {
    match exchange.query()?.filter() {
        Some(_) => Err(ScimError::forbidden(
            "This endpoint cannot be filtered; leave 'filter' out.",
        )
        .rule(rule::DISCOVERY_FILTER)),
        None => Ok(()),
    }
}
