//! `GET /openapi.json`: an OpenAPI 3.1 description, made from the tables of routes and schemas.

mod components;
mod examples;
mod responses;

use std::sync::LazyLock;

use scim::ScimError;
use serde_json::{Map, Value, json};

use super::Exchange;
use super::message::{JSON, MEDIA_TYPE, Response};
use super::route::{Endpoint, ROUTES, Route};

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
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer", "description": "A Paradigm API key."}},
            "parameters": components::parameters(),
            "schemas": components::schemas(),
            "responses": responses::components(),
            "examples": examples::examples(),
        },
    });
    description.to_string()
});

fn describe(base_url: &str) -> String {
    let servers = json!([{"url": base_url}]);
    let others = DESCRIPTION.trim_start_matches('{');
    format!("{{\"servers\":{servers},{others}")
}

/// What an endpoint takes and returns besides what is the same for all.
struct Description {
    summary: &'static str,
    parameters: &'static [&'static str],
    /// Component of the body.
    body: Option<&'static str>,
    /// Status and component of success.
    success: Option<(u16, Option<&'static str>)>,
    /// Other statuses: 304, or errors.
    others: &'static [u16],
}

const QUERY: &[&str] = &[
    "filter",
    "startIndex",
    "count",
    "cursor",
    "sortBy",
    "sortOrder",
    "attributes",
    "excludedAttributes",
];
const PROJECTED: &[&str] = &["attributes", "excludedAttributes"];
const CONDITIONAL: &[&str] = &["attributes", "excludedAttributes", "ifMatch", "ifNoneMatch"];
const WRITES: &[u16] = &[400, 404, 409, 412, 413, 415];

fn description(endpoint: Endpoint) -> Description {
    let plain = |summary, success: &'static str, others| Description {
        summary,
        parameters: &[],
        body: None,
        success: Some((200, Some(success))),
        others,
    };
    let discovery = |summary, success: &'static str, others| Description {
        parameters: &["ifNoneMatch"],
        ..plain(summary, success, others)
    };
    let refused = |summary, others| Description {
        summary,
        parameters: &[],
        body: None,
        success: None,
        others,
    };
    match endpoint {
        Endpoint::ListUsers => Description {
            parameters: QUERY,
            ..plain("List or find users", "UserList", &[400, 429])
        },
        Endpoint::QueryAll => Description {
            parameters: QUERY,
            ..plain(
                "List or find resources of all types",
                "UserList",
                &[400, 404, 429],
            )
        },
        Endpoint::SearchUsers => Description {
            body: Some("SearchRequest"),
            ..plain("Search users", "UserList", &[400, 413, 415, 429])
        },
        Endpoint::SearchAll => Description {
            body: Some("SearchRequest"),
            ..plain(
                "Search resources of all types",
                "UserList",
                &[400, 413, 415, 429],
            )
        },
        Endpoint::CreateUser => Description {
            parameters: PROJECTED,
            body: Some("UserInput"),
            success: Some((201, Some("User"))),
            ..plain("Create a user", "User", &[400, 409, 413, 415])
        },
        Endpoint::GetUser => Description {
            parameters: CONDITIONAL,
            ..plain("Get a user", "User", &[304, 400, 404, 412])
        },
        Endpoint::GetMe => Description {
            parameters: CONDITIONAL,
            ..plain(
                "Get the user that owns the API key",
                "User",
                &[304, 400, 404, 412],
            )
        },
        Endpoint::ReplaceUser => Description {
            parameters: CONDITIONAL,
            body: Some("UserInput"),
            ..plain("Replace a user's attributes", "User", WRITES)
        },
        Endpoint::ReplaceMe => Description {
            parameters: CONDITIONAL,
            body: Some("UserInput"),
            ..plain(
                "Replace the attributes of the user that owns the API key",
                "User",
                WRITES,
            )
        },
        Endpoint::PatchUser => Description {
            parameters: CONDITIONAL,
            body: Some("PatchOp"),
            ..plain(
                "Change a user's attributes, deactivate or restore the user",
                "User",
                WRITES,
            )
        },
        Endpoint::PatchMe => Description {
            parameters: CONDITIONAL,
            body: Some("PatchOp"),
            ..plain(
                "Change attributes of the user that owns the API key",
                "User",
                WRITES,
            )
        },
        Endpoint::DeleteUser => Description {
            parameters: &["ifMatch", "ifNoneMatch"],
            success: Some((204, None)),
            ..plain("Anonymise a user permanently", "User", &[404, 412])
        },
        Endpoint::Bulk => Description {
            body: Some("BulkRequest"),
            ..plain("Process many operations", "BulkResponse", &[400, 413, 415])
        },
        Endpoint::RefuseCreateMe => refused("Registration through /Me is not supported", &[501]),
        Endpoint::RefuseDeleteMe => {
            refused("The owner of an API key is not deleted through /Me", &[])
        }
        Endpoint::ListGroups => Description {
            parameters: &["filter", "startIndex", "count", "cursor"],
            ..plain("Groups are not supported: finds none", "EmptyList", &[400])
        },
        Endpoint::SearchGroups => Description {
            body: Some("SearchRequest"),
            ..plain(
                "Groups are not supported: finds none",
                "EmptyList",
                &[400, 413, 415],
            )
        },
        Endpoint::GetGroup => refused("Groups are not supported", &[404]),
        Endpoint::RefuseGroups => refused("Groups are not supported", &[404, 501]),
        Endpoint::ServiceProviderConfig => discovery(
            "What the service provider supports",
            "ServiceProviderConfig",
            &[304, 400],
        ),
        Endpoint::ListResourceTypes => {
            discovery("The resource types", "ResourceTypeList", &[304, 400])
        }
        Endpoint::GetResourceType => discovery("A resource type", "ResourceType", &[304, 400, 404]),
        Endpoint::ListSchemas => discovery("The schemas", "SchemaList", &[304, 400]),
        Endpoint::GetSchema => discovery("A schema", "Schema", &[304, 400, 404]),
        Endpoint::OpenApi => discovery("This description", "OpenApi", &[304]),
    }
}

fn operation(route: &Route) -> Value {
    let description = description(route.endpoint);
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
        "summary": description.summary,
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
            let content = json!({MEDIA_TYPE: media_type, JSON: media_type});
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
            segment => segment,
        };
        id.push_str(word);
    }
    id
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}
