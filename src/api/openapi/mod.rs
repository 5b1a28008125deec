//! `GET /openapi.json`: an OpenAPI 3.1 description, made from the tables of routes and schemas.

mod components;
mod description;
mod examples;
mod responses;

use std::sync::LazyLock;

use scim::ScimError;
use serde_json::{Map, Value, json};

use super::Exchange;
use super::message::{FORM, JSON, MEDIA_TYPE, Response};
use super::route::{BASE_PATH, Endpoint, ROUTES, Route, TOKEN_PATH};
use description::Description;

/// Handles `GET /openapi.json`.
pub(super) fn openapi(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    let description = describe(&exchange.base_url);
    Ok(Response::plain_discovery(exchange.request, description))
}

/// All except the server's URL. Rendered once: it needs no key, and it is the longest of all
/// responses.
static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    let mut paths = Map::new();
    for route in ROUTES {
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(route.method.as_str().to_lowercase(), operation(route));
        }
    }
    let description = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Paradigm SCIM 2.0",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Users of a company, provisioned as RFC 7643, RFC 7644 and RFC 9865 say.",
        },
        "security": [{"apiKey": []}, {"clientCredentials": []}],
        "paths": paths,
        "components": {
            "securitySchemes": security_schemes(),
            "parameters": components::parameters(),
            "schemas": components::schemas(),
            "responses": responses::components(),
            "examples": examples::examples(),
        },
    });
    description.to_string()
});

fn security_schemes() -> Value {
    let token_url = format!("{BASE_PATH}{TOKEN_PATH}");
    json!({
        "apiKey": {"type": "http", "scheme": "bearer", "description": "A Paradigm API key."},
        "clientCredentials": {
            "type": "oauth2",
            "description": "An access token. The client id is the id of an API key, the client secret its token.",
            "flows": {"clientCredentials": {"tokenUrl": token_url, "scopes": {}}},
        },
    })
}

fn describe(base_url: &str) -> String {
    let servers = json!([{"url": base_url}]);
    let others = DESCRIPTION.trim_start_matches('{');
    format!("{{\"servers\":{servers},{others}")
}

fn operation(route: &Route) -> Value {
    let description = Description::of(route.endpoint);
    let mut parameters: Vec<Value> = Vec::new();
    if route.path.contains("{id}") {
        parameters.push(reference("parameters", "id"));
    }
    parameters.extend(
        description
            .parameters
            .iter()
            .map(|name| reference("parameters", name)),
    );
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": description::summary(route.endpoint),
        "parameters": parameters,
        "responses": responses::of(route.endpoint, &description),
    });
    if let Some(members) = operation.as_object_mut() {
        if let Some(body) = description.body {
            let examples =
                examples::of(body).map(|name| (name.to_owned(), reference("examples", name)));
            let media_type = json!({
                "schema": reference("schemas", body),
                "examples": examples.collect::<Map<_, _>>(),
            });
            let content = match route.endpoint {
                Endpoint::IssueToken => json!({FORM: media_type}),
                _ => json!({MEDIA_TYPE: media_type, JSON: media_type}),
            };
            members.insert(
                "requestBody".to_owned(),
                json!({"required": true, "content": content}),
            );
        }
        if route.endpoint.is_public() {
            members.insert("security".to_owned(), json!([]));
        }
    }
    operation
}

/// Returns the id of an operation, such as `getUsersById`; at the base URI `getAll`.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.as_str().to_lowercase();
    if route.path == "/" {
        id.push_str("All");
    }
    for segment in route.path.split('/').filter(|segment| !segment.is_empty()) {
        let word = match segment {
            "{id}" => "ById",
            ".search" => "Search",
            "openapi.json" => "OpenApi",
            "oauth2" => "OAuth2",
            "token" => "Token",
            segment => segment,
        };
        id.push_str(word);
    }
    id
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}
