//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` (RFC 7644 §4). They cost no read.

use scim::ScimError;
use scim::discovery::{AuthenticationScheme, ServiceProvider};
use serde_json::{Map, Value};

use super::Exchange;
use super::message::Response;
use super::rule;
use crate::directory::USER;

/// What the discovery endpoints describe.
pub(super) static PARADIGM: ServiceProvider = ServiceProvider {
    resource_types: &[&USER],
    authentication_schemes: &[
        AuthenticationScheme {
            kind: "oauthbearertoken",
            name: "API key",
            description: "A Paradigm API key, sent as 'Authorization: Bearer <key>'.",
            spec_uri: "https://www.rfc-editor.org/info/rfc6750",
            primary: true,
        },
        AuthenticationScheme {
            kind: "oauth2",
            name: "OAuth 2.0 client credentials",
            description: "An access token from the endpoint /oauth2/token, for the id of an API key and its token as client id and client secret.",
            spec_uri: "https://www.rfc-editor.org/info/rfc6749",
            primary: false,
        },
    ],
};

/// Handles `GET /ServiceProviderConfig`.
pub(super) fn service_provider_config(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    refuse_filter(exchange)?;
    let config = PARADIGM.config(&exchange.base_url, exchange.documentation_uri);
    Ok(found(exchange, config))
}

/// Handles `GET /ResourceTypes`.
pub(super) fn list_resource_types(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    refuse_filter(exchange)?;
    let types = PARADIGM.resource_types(&exchange.base_url);
    Ok(Response::whole_list(exchange.request, types))
}

/// Handles `GET /ResourceTypes/{id}`.
pub(super) fn get_resource_type(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    refuse_filter(exchange)?;
    PARADIGM
        .resource_type(&exchange.id, &exchange.base_url)
        .map(|resource| found(exchange, resource))
        .ok_or_else(|| {
            ScimError::not_found("There is no such resource type; see /ResourceTypes.")
                .rule(rule::DISCOVERY_UNKNOWN)
        })
}

/// Handles `GET /Schemas`.
pub(super) fn list_schemas(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    refuse_filter(exchange)?;
    let schemas = PARADIGM.schemas(&exchange.base_url);
    Ok(Response::whole_list(exchange.request, schemas))
}

/// Handles `GET /Schemas/{id}`.
pub(super) fn get_schema(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    refuse_filter(exchange)?;
    PARADIGM
        .schema(&exchange.id, &exchange.base_url)
        .map(|resource| found(exchange, resource))
        .ok_or_else(|| {
            ScimError::not_found("There is no such schema; see /Schemas.")
                .rule(rule::DISCOVERY_UNKNOWN)
        })
}

fn found(exchange: &Exchange<'_>, resource: Map<String, Value>) -> Response {
    Response::discovery(exchange.request, &Value::Object(resource))
}

/// Refuses a filter with 403 (RFC 7644 §4), so that no client takes the response for filtered.
fn refuse_filter(exchange: &Exchange<'_>) -> Result<(), ScimError> {
    match exchange.query()?.filter() {
        Some(_) => Err(ScimError::forbidden(
            "This endpoint cannot be filtered; leave 'filter' out.",
        )
        .rule(rule::DISCOVERY_FILTER)),
        None => Ok(()),
    }
}
