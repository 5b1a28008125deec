//! `GET /openapi.json`: an OpenAPI 3.1 description, made from the tables of routes and schemas.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Exchange;
use super::message::{JSON, MEDIA_TYPE, Response};
use super::route::{Endpoint, ROUTES, Route};
use crate::scim::ScimError;
use crate::scim::list::{DEFAULT_COUNT, MAX_COUNT};
use crate::scim::patch::MAX_OPERATIONS;
use crate::scim::schema::{Attribute, COMMON_ATTRIBUTES, Type, USER};
use crate::scim::{bulk, error};

/// `GET /openapi.json`
pub(super) fn openapi(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    let description = describe(&exchange.base_url);
    Ok(Response::json(StatusCode::OK, &description).as_plain_json())
}

fn describe(base_url: &str) -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(route.method.as_str().to_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Paradigm SCIM 2.0",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Users of a company, provisioned as RFC 7643, RFC 7644 and RFC 9865 say.",
        },
        "servers": [{"url": base_url}],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer", "description": "A Paradigm API key."}},
            "parameters": parameters(),
            "schemas": components(),
        },
    })
}

/// What an endpoint takes and answers besides what is the same for all.
struct Description {
    summary: &'static str,
    parameters: &'static [&'static str],
    /// Component of the body.
    body: Option<&'static str>,
    /// Status and component of success.
    success: Option<(u16, Option<&'static str>)>,
    /// Other statuses, each with an error but 304.
    others: &'static [u16],
}

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
    let refused = |summary, others| Description {
        summary,
        parameters: &[],
        body: None,
        success: None,
        others,
    };
    match endpoint {
        Endpoint::ListUsers => Description {
            parameters: &[
                "filter",
                "startIndex",
                "count",
                "cursor",
                "sortBy",
                "sortOrder",
                "attributes",
                "excludedAttributes",
            ],
            ..plain("List or find users", "UserList", &[400])
        },
        Endpoint::SearchUsers => Description {
            body: Some("SearchRequest"),
            ..plain("Search users", "UserList", &[400, 413, 415])
        },
        Endpoint::SearchAll => Description {
            body: Some("SearchRequest"),
            ..plain(
                "Search resources of all types",
                "UserList",
                &[400, 413, 415],
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
                "Get the user whom the API key is linked to",
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
                "Replace the attributes of the user whom the API key is linked to",
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
                "Change attributes of the user whom the API key is linked to",
                "User",
                WRITES,
            )
        },
        Endpoint::DeleteUser => Description {
            parameters: &["ifMatch", "ifNoneMatch"],
            success: Some((204, None)),
            ..plain("Anonymise a user for ever", "User", &[404, 412])
        },
        Endpoint::Bulk => Description {
            body: Some("BulkRequest"),
            ..plain("Process many operations", "BulkResponse", &[400, 413, 415])
        },
        Endpoint::RefuseCreateMe => refused("Nobody registers through /Me", &[501]),
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
        Endpoint::RefuseGroups => refused("Groups are not supported", &[501]),
        Endpoint::ServiceProviderConfig => plain(
            "What the service provider supports",
            "ServiceProviderConfig",
            &[400],
        ),
        Endpoint::ListResourceTypes => plain("The resource types", "ResourceTypeList", &[400]),
        Endpoint::GetResourceType => plain("A resource type", "ResourceType", &[400, 404]),
        Endpoint::ListSchemas => plain("The schemas", "SchemaList", &[400]),
        Endpoint::GetSchema => plain("A schema", "Schema", &[400, 404]),
        Endpoint::OpenApi => plain("This description", "OpenApi", &[]),
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
        "responses": responses(route.endpoint, &description),
    });
    if let Some(members) = operation.as_object_mut() {
        if let Some(body) = description.body {
            let schema = json!({"schema": reference("schemas", body)});
            let content = json!({MEDIA_TYPE: schema, JSON: schema});
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

/// Such as `getUsersById`.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.as_str().to_lowercase();
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

fn responses(endpoint: Endpoint, description: &Description) -> Value {
    let mut responses = Map::new();
    if let Some((status, component)) = description.success {
        let mut response = json!({"description": "Done"});
        if let (Some(component), Some(members)) = (component, response.as_object_mut()) {
            let media_type = match endpoint {
                Endpoint::OpenApi => JSON,
                _ => MEDIA_TYPE,
            };
            let content = json!({media_type: {"schema": reference("schemas", component)}});
            members.insert("content".to_owned(), content);
            if component == "User" {
                members.insert("headers".to_owned(), resource_headers());
            }
        }
        responses.insert(status.to_string(), response);
    }
    // Not activated or not permitted, not acceptable, a defect, busy: these may happen anywhere.
    let mut statuses = vec![403, 406, 500, 503];
    if !endpoint.is_public() {
        statuses.push(401);
    }
    statuses.extend(description.others);
    statuses.sort_unstable();
    for status in statuses {
        let meaning = StatusCode::from_u16(status).ok();
        let reason = meaning.and_then(|status| status.canonical_reason());
        let mut response = json!({"description": reason.unwrap_or("Refused")});
        if let Some(members) = response.as_object_mut() {
            if status != 304 {
                let content = json!({MEDIA_TYPE: {"schema": reference("schemas", "Error")}});
                members.insert("content".to_owned(), content);
            }
            if let Some(headers) = other_headers(status) {
                members.insert("headers".to_owned(), headers);
            }
        }
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

fn other_headers(status: u16) -> Option<Value> {
    match status {
        304 => Some(json!({
            "ETag": {"description": "Version of the user", "required": true, "schema": {"type": "string"}},
            "Content-Location": {"description": "URL of the user", "required": true, "schema": {"type": "string"}},
        })),
        401 => Some(json!({"WWW-Authenticate": {"required": true, "schema": {"const": "Bearer"}}})),
        503 => Some(json!({"Retry-After": {
            "description": "Seconds after which to try again", "required": true, "schema": {"type": "integer"},
        }})),
        _ => None,
    }
}

fn resource_headers() -> Value {
    let text = json!({"type": "string"});
    json!({
        "ETag": {"description": "Version of the user", "required": true, "schema": text},
        "Location": {"description": "URL of the user", "required": true, "schema": text},
        "Content-Location": {"description": "URL of the user", "required": true, "schema": text},
    })
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

fn parameters() -> Value {
    let query = |name: &str, kind: &str, description: &str| json!({"name": name, "in": "query", "description": description, "schema": {"type": kind}});
    let header = |name: &str, description: &str| json!({"name": name, "in": "header", "description": description, "schema": {"type": "string"}});
    let page_size =
        format!("At most so many resources, {DEFAULT_COUNT} by default and {MAX_COUNT} at most.");
    json!({
        "id": {"name": "id", "in": "path", "required": true, "description": "The resource's id.", "schema": {"type": "string", "minLength": 1}},
        "filter": query("filter", "string", "Which resources (RFC 7644 section 3.4.2.2)."),
        "startIndex": query("startIndex", "integer", "Index of the first resource, from 1; not together with 'cursor'."),
        "count": query("count", "integer", &page_size),
        "cursor": query("cursor", "string", "Empty for the first page, then 'nextCursor' of the page before (RFC 9865)."),
        "sortBy": query("sortBy", "string", "Attribute to sort by."),
        "sortOrder": {"name": "sortOrder", "in": "query", "schema": {"type": "string", "enum": ["ascending", "descending"]}},
        "attributes": query("attributes", "string", "Attributes to return, separated by commas."),
        "excludedAttributes": query("excludedAttributes", "string", "Attributes not to return, separated by commas."),
        "ifMatch": header("If-Match", "Only if the resource has this version."),
        "ifNoneMatch": header("If-None-Match", "Only if the resource has none of these versions."),
    })
}

fn components() -> Value {
    let text = json!({"type": "string"});
    let object = json!({"type": "object"});
    let schemas = json!({"type": "array", "items": text, "minItems": 1});
    let list = |items: Value| {
        json!({
            "type": "object",
            "required": ["schemas", "itemsPerPage", "Resources"],
            "properties": {
                "schemas": schemas,
                "totalResults": {"type": "integer", "minimum": 0, "description": "Left out of pages by cursor."},
                "startIndex": {"type": "integer", "minimum": 1},
                "itemsPerPage": {"type": "integer", "minimum": 0, "maximum": MAX_COUNT},
                "nextCursor": {"type": "string", "description": "Left out of the last page."},
                "Resources": {"type": "array", "items": items},
            },
        })
    };
    json!({
        "User": user(&["schemas", "id"]),
        "UserInput": user(&["userName"]),
        "UserList": list(reference("schemas", "User")),
        "EmptyList": list(json!(false)),
        "PatchOp": {
            "type": "object",
            "required": ["Operations"],
            "properties": {
                "schemas": schemas,
                "Operations": {"type": "array", "minItems": 1, "maxItems": MAX_OPERATIONS, "items": {
                    "type": "object",
                    "required": ["op"],
                    "properties": {"op": {"type": "string", "enum": ["add", "replace", "remove"]}, "path": text, "value": true},
                }},
            },
        },
        "SearchRequest": {
            "type": "object",
            "properties": {
                "schemas": schemas,
                "attributes": {"type": "array", "items": text},
                "excludedAttributes": {"type": "array", "items": text},
                "filter": text,
                "sortBy": text,
                "sortOrder": {"type": "string", "enum": ["ascending", "descending"]},
                "startIndex": {"type": "integer"},
                "count": {"type": "integer"},
                "cursor": text,
            },
        },
        "BulkRequest": {
            "type": "object",
            "required": ["Operations"],
            "properties": {
                "schemas": schemas,
                "failOnErrors": {"type": "integer", "minimum": 1},
                "Operations": {"type": "array", "minItems": 1, "maxItems": bulk::MAX_OPERATIONS, "items": {
                    "type": "object",
                    "required": ["method", "path"],
                    "properties": {
                        "method": {"type": "string", "enum": ["POST", "PUT", "PATCH", "DELETE"]},
                        "path": text, "bulkId": {"type": "string", "maxLength": bulk::MAX_BULK_ID_BYTES}, "version": text, "data": object,
                    },
                }},
            },
        },
        "BulkResponse": {
            "type": "object",
            "required": ["schemas", "Operations"],
            "properties": {
                "schemas": schemas,
                "Operations": {"type": "array", "items": {
                    "type": "object",
                    "required": ["method", "status"],
                    "properties": {
                        "method": text, "bulkId": text, "version": text, "location": text, "status": text,
                        "response": reference("schemas", "Error"),
                    },
                }},
            },
        },
        "Error": {
            "type": "object",
            "required": ["schemas", "status", "detail"],
            "properties": {
                "schemas": {"const": [error::ERROR_URN]},
                "status": {"type": "string", "pattern": "^[45][0-9][0-9]$"},
                "scimType": text,
                "detail": {"type": "string", "minLength": 1},
            },
        },
        "ServiceProviderConfig": object,
        "ResourceType": object,
        "ResourceTypeList": list(reference("schemas", "ResourceType")),
        "Schema": object,
        "SchemaList": list(reference("schemas", "Schema")),
        "OpenApi": {"type": "object", "required": ["openapi", "paths"]},
    })
}

fn user(required: &[&str]) -> Value {
    let core = COMMON_ATTRIBUTES.iter().chain(USER.schema.attributes);
    let mut properties = properties(core);
    for extension in USER.extensions {
        let schema = object_schema(extension.attributes.iter(), extension.description);
        properties.insert(extension.id.to_owned(), schema);
    }
    json!({"type": "object", "required": required, "properties": properties})
}

fn properties(attributes: impl Iterator<Item = &'static Attribute>) -> Map<String, Value> {
    let property = |attribute: &Attribute| (attribute.name.to_owned(), schema_of(attribute));
    attributes.map(property).collect()
}

fn object_schema(attributes: impl Iterator<Item = &'static Attribute>, description: &str) -> Value {
    json!({"type": "object", "description": description, "properties": properties(attributes)})
}

/// The JSON schema of an attribute. Canonical values are suggestions (RFC 7643 §7), so examples.
fn schema_of(attribute: &Attribute) -> Value {
    let mut schema = match attribute.kind {
        Type::Complex => object_schema(attribute.sub_attributes.iter(), attribute.description),
        Type::Boolean => json!({"type": "boolean", "description": attribute.description}),
        Type::Integer => json!({"type": "integer", "description": attribute.description}),
        Type::DateTime => {
            json!({"type": "string", "format": "date-time", "description": attribute.description})
        }
        Type::Binary => {
            json!({"type": "string", "contentEncoding": "base64", "description": attribute.description})
        }
        Type::String | Type::Reference => {
            json!({"type": "string", "description": attribute.description})
        }
    };
    if !attribute.canonical_values.is_empty()
        && let Some(members) = schema.as_object_mut()
    {
        members.insert("examples".to_owned(), json!(attribute.canonical_values));
    }
    if attribute.multi_valued {
        schema = json!({"type": "array", "items": schema});
    }
    if attribute.is_read_only()
        && let Some(members) = schema.as_object_mut()
    {
        members.insert("readOnly".to_owned(), true.into());
    }
    schema
}
