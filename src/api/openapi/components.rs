//! Parameters, bodies and responses. A body is described as a well-formed request has it; the service
//! takes more than that (`scim::dialect`), and says what else it refuses.

use scim::messages::{
    BULK_REQUEST_URN, BULK_RESPONSE_URN, ERROR_URN, LIST_RESPONSE_URN, MAX_BULK_ID_BYTES,
    MAX_BULK_OPERATIONS, MAX_PATCH_OPERATIONS, PATCH_OP_URN, SEARCH_REQUEST_URN,
};
use scim::page::{DEFAULT_COUNT, MAX_COUNT};
use scim::resource::MAX_VALUES;
use scim::schema::{
    Attribute, COMMON_ATTRIBUTES, RESOURCE_TYPE_SCHEMA, SCHEMA_SCHEMA,
    SERVICE_PROVIDER_CONFIG_SCHEMA, Schema, Type,
};
use serde_json::{Map, Value, json};

use super::reference;
use crate::directory::USER;
use crate::directory::user::{MAX_EMAILS, MAX_USER_NAME_CHARS};

/// The name of an attribute, perhaps of a sub-attribute, perhaps behind a URN (RFC 7644 §3.10).
const ATTRIBUTE_PATH: &str =
    r"^(urn:[A-Za-z0-9.:_-]+:)?[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z$][A-Za-z0-9_-]*)?$";
/// A value path (RFC 7644 §3.5.2).
const VALUE_PATH: &str =
    r"^(urn:[A-Za-z0-9.:_-]+:)?[A-Za-z][A-Za-z0-9_-]*\[.+\](\.[A-Za-z$][A-Za-z0-9_-]*)?$";
/// base64 without bits left over; the padding may be left out.
const BASE64: &str =
    "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw](==)?|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=?)?$";

pub(super) fn parameters() -> Value {
    let query = |name: &str, description: &str, example: Value, schema: Value| json!({"name": name, "in": "query", "description": description, "example": example, "schema": schema});
    let header = |name: &str, description: &str, example: &str| json!({"name": name, "in": "header", "description": description, "example": example, "schema": {"type": "string"}});
    let text = json!({"type": "string"});
    let integer = json!({"type": "integer"});
    let page_size =
        format!("At most so many resources, {DEFAULT_COUNT} by default and {MAX_COUNT} at most.");
    json!({
        "id": {"name": "id", "in": "path", "required": true, "description": "The resource's id.", "schema": {"type": "string", "minLength": 1}},
        "filter": query("filter", "Which resources (RFC 7644 section 3.4.2.2).", json!("userName eq \"ada@example.com\""), filter()),
        "startIndex": query("startIndex", "Index of the first resource, from 1; not together with 'cursor'.", json!(1), integer.clone()),
        "count": query("count", &page_size, json!(10), integer),
        "cursor": query("cursor", "Empty for the first page, then 'nextCursor' of the page before (RFC 9865).", json!(""), text.clone()),
        "sortBy": query("sortBy", "Attribute to sort by.", json!("userName"), sort_by()),
        "sortOrder": {"name": "sortOrder", "in": "query", "description": "'ascending' by default.", "example": "descending", "schema": sort_order()},
        "attributes": query("attributes", "Attributes to return, separated by commas; not together with 'excludedAttributes'.", json!("userName,emails.value"), text.clone()),
        "excludedAttributes": query("excludedAttributes", "Attributes not to return, separated by commas; not together with 'attributes'.", json!("phoneNumbers"), text),
        "ifMatch": header("If-Match", "Only if the resource has one of these versions.", "*"),
        "ifNoneMatch": header("If-None-Match", "Only if the resource has none of these versions.", "W/\"0\""),
    })
}

pub(super) fn schemas() -> Value {
    json!({
        "User": user(),
        "UserInput": user_input(&["userName"]),
        "UserAttributes": user_input(&[]),
        "UserList": list(reference("schemas", "User")),
        "EmptyList": list(json!(false)),
        "PatchOp": patch_op(),
        "PatchOperation": patch_operation(),
        "SearchRequest": search_request(),
        "BulkRequest": bulk_request(),
        "BulkResponse": bulk_response(),
        "Error": error(),
        "ServiceProviderConfig": resource(&SERVICE_PROVIDER_CONFIG_SCHEMA),
        "ResourceType": resource(&RESOURCE_TYPE_SCHEMA),
        "ResourceTypeList": list(reference("schemas", "ResourceType")),
        "Schema": resource(&SCHEMA_SCHEMA),
        "SchemaList": list(reference("schemas", "Schema")),
        "Attribute": schema_attribute(),
        "TokenRequest": token_request(),
        "TokenResponse": token_response(),
        "TokenError": token_error(),
        "OpenApi": {"type": "object", "required": ["openapi", "paths"]},
    })
}

fn text() -> Value {
    json!({"type": "string"})
}

fn patch_op() -> Value {
    json!({
        "type": "object",
        "required": ["Operations"],
        "properties": {
            "schemas": only(PATCH_OP_URN),
            "Operations": {
                "type": "array", "minItems": 1, "maxItems": MAX_PATCH_OPERATIONS,
                "items": reference("schemas", "PatchOperation"),
            },
        },
    })
}

fn search_request() -> Value {
    json!({
        "type": "object",
        "properties": {
            "schemas": only(SEARCH_REQUEST_URN),
            "attributes": {"type": ["array", "string"], "items": text()},
            "excludedAttributes": {"type": ["array", "string"], "items": text()},
            "filter": filter(),
            "sortBy": sort_by(),
            "sortOrder": sort_order(),
            "startIndex": {"type": "integer"},
            "count": {"type": "integer"},
            "cursor": text(),
        },
    })
}

fn bulk_request() -> Value {
    json!({
        "type": "object",
        "required": ["Operations"],
        "properties": {
            "schemas": only(BULK_REQUEST_URN),
            "failOnErrors": {"type": "integer", "minimum": 1},
            "Operations": {
                "type": "array", "minItems": 1, "maxItems": MAX_BULK_OPERATIONS,
                "items": bulk_operation(),
            },
        },
    })
}

fn bulk_response() -> Value {
    json!({
        "type": "object",
        "required": ["schemas", "Operations"],
        "properties": {
            "schemas": {"const": [BULK_RESPONSE_URN]},
            "Operations": {"type": "array", "items": {
                "type": "object",
                "required": ["method", "status"],
                "properties": {
                    "method": text(), "bulkId": text(), "version": text(), "location": text(),
                    "status": {"type": "string", "pattern": "^[2-5][0-9][0-9]$"},
                    "response": reference("schemas", "Error"),
                },
            }},
        },
    })
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["schemas", "status", "detail"],
        "properties": {
            "schemas": {"const": [ERROR_URN]},
            "status": {"type": "string", "pattern": "^[45][0-9][0-9]$"},
            "scimType": text(),
            "detail": {"type": "string", "minLength": 1},
        },
    })
}

/// RFC 6749 §4.4.2; a client may send its id and secret by HTTP Basic instead.
fn token_request() -> Value {
    json!({
        "type": "object",
        "required": ["grant_type"],
        "properties": {
            "grant_type": {"const": "client_credentials"},
            "client_id": {"type": "string", "description": "Id of an API key; left out with HTTP Basic."},
            "client_secret": {"type": "string", "description": "Token of the API key; left out with HTTP Basic."},
        },
    })
}

/// RFC 6749 §5.1.
fn token_response() -> Value {
    json!({
        "type": "object",
        "required": ["access_token", "token_type", "expires_in"],
        "properties": {
            "access_token": text(),
            "token_type": {"const": "Bearer"},
            "expires_in": {"type": "integer", "minimum": 0, "description": "Seconds for which the token is valid."},
        },
    })
}

/// RFC 6749 §5.2.
fn token_error() -> Value {
    json!({
        "type": "object",
        "required": ["error", "error_description"],
        "properties": {
            "error": {"enum": [
                "invalid_request", "invalid_client", "unsupported_grant_type", "access_denied", "temporarily_unavailable",
                "server_error",
            ]},
            "error_description": {"type": "string", "minLength": 1},
        },
    })
}

/// `schemas` of a message: its URN and no other.
fn only(urn: &str) -> Value {
    json!({"type": "array", "items": {"const": urn}, "minItems": 1})
}

fn list(items: Value) -> Value {
    json!({
        "type": "object",
        "required": ["schemas", "itemsPerPage", "Resources"],
        "properties": {
            "schemas": {"const": [LIST_RESPONSE_URN]},
            "totalResults": {"type": "integer", "minimum": 0, "description": "Left out of pages by cursor."},
            "startIndex": {"type": "integer", "minimum": 1},
            "itemsPerPage": {"type": "integer", "minimum": 0, "maximum": MAX_COUNT},
            "nextCursor": {"type": "string", "description": "Left out of the last page."},
            "Resources": {"type": "array", "items": items},
        },
    })
}

/// A user in a response, from which `attributes` may have left out most.
fn user() -> Value {
    json!({"type": "object", "required": ["schemas", "id"], "properties": user_properties()})
}

/// A user as POST and PUT take it, or any attributes of a user, as PATCH does.
fn user_input(required: &[&str]) -> Value {
    let mut properties = user_properties();
    // A response may have 64 characters more: those that Entra puts before a deleted user's name.
    if let Some(Value::Object(user_name)) = properties.get_mut("userName") {
        user_name.insert("maxLength".to_owned(), MAX_USER_NAME_CHARS.into());
    }
    json!({"type": "object", "required": required, "properties": properties})
}

fn user_properties() -> Map<String, Value> {
    let core = COMMON_ATTRIBUTES.iter().chain(USER.schema.attributes);
    let mut properties = properties(core);
    let urns: Vec<&str> = USER.schemas().map(|schema| schema.id).collect();
    properties.insert(
        "schemas".to_owned(),
        json!({"type": "array", "items": {"enum": urns}, "contains": {"const": USER.schema.id}, "minItems": 1}),
    );
    if let Some(Value::Object(user_name)) = properties.get_mut("userName") {
        user_name.insert("minLength".to_owned(), 1.into());
        user_name.insert("pattern".to_owned(), r"\S".into());
    }
    if let Some(Value::Object(emails)) = properties.get_mut("emails") {
        emails.insert("maxItems".to_owned(), MAX_EMAILS.into());
    }
    for extension in USER.extensions {
        let schema = object_schema(extension.attributes.iter(), extension.description);
        properties.insert(extension.id.to_owned(), schema);
    }
    properties
}

/// A resource of discovery, by its schema.
fn resource(schema: &'static Schema) -> Value {
    let common = COMMON_ATTRIBUTES
        .iter()
        .filter(|attribute| attribute.name == "meta");
    let mut described = object_schema(common.chain(schema.attributes), schema.description);
    if let Some(Value::Object(properties)) = described.get_mut("properties") {
        properties.insert("schemas".to_owned(), json!({"const": [schema.id]}));
        // Its sub-attributes have sub-attributes, which are attributes again.
        if let Some(Value::Object(attributes)) = properties.get_mut("attributes") {
            attributes.insert("items".to_owned(), reference("schemas", "Attribute"));
        }
    }
    if let Some(Value::Array(required)) = described.get_mut("required") {
        required.extend(["schemas".into(), "meta".into()]);
    }
    described
}

/// An attribute's characteristics (RFC 7643 §7).
fn schema_attribute() -> Value {
    let Some(attributes) = SCHEMA_SCHEMA.attribute("attributes") else {
        return json!({});
    };
    let mut described = object_schema(
        attributes.sub_attributes.iter(),
        "An attribute and its characteristics.",
    );
    let sub_attributes = described.pointer_mut("/properties/subAttributes/items");
    if let Some(items) = sub_attributes {
        *items = reference("schemas", "Attribute");
    }
    described
}

fn properties(attributes: impl Iterator<Item = &'static Attribute>) -> Map<String, Value> {
    let property = |attribute: &Attribute| (attribute.name.to_owned(), schema_of(attribute));
    attributes.map(property).collect()
}

fn object_schema(attributes: impl Iterator<Item = &'static Attribute>, description: &str) -> Value {
    let attributes: Vec<_> = attributes.collect();
    let required = attributes.iter().filter(|attribute| attribute.required);
    let required: Vec<_> = required.map(|attribute| attribute.name).collect();
    let mut schema = json!({
        "type": "object",
        "description": description,
        "properties": properties(attributes.into_iter()),
    });
    if let Some(members) = schema.as_object_mut().filter(|_| !required.is_empty()) {
        members.insert("required".to_owned(), json!(required));
    }
    schema
}

/// Returns the JSON schema of an attribute. Canonical values are suggestions (RFC 7643 §7), so examples.
fn schema_of(attribute: &Attribute) -> Value {
    let description = attribute.description;
    let mut schema = match attribute.kind {
        Type::Complex => object_schema(attribute.sub_attributes.iter(), description),
        Type::Boolean => json!({"type": "boolean", "description": description}),
        Type::Integer => json!({"type": "integer", "description": description}),
        Type::DateTime => {
            json!({"type": "string", "format": "date-time", "description": description})
        }
        Type::Binary => {
            json!({"type": "string", "contentEncoding": "base64", "pattern": BASE64, "description": description})
        }
        Type::String | Type::Reference => json!({"type": "string", "description": description}),
    };
    if !attribute.canonical_values.is_empty()
        && let Some(members) = schema.as_object_mut()
    {
        members.insert("examples".to_owned(), json!(attribute.canonical_values));
    }
    if attribute.multi_valued {
        schema = json!({"type": "array", "maxItems": MAX_VALUES, "items": schema});
    }
    if attribute.is_read_only()
        && let Some(members) = schema.as_object_mut()
    {
        members.insert("readOnly".to_owned(), true.into());
    }
    schema
}

/// An operation of a PATCH: without a path, or on one of the paths that the schemas declare and with
/// a value of its type, or on values that a filter selects.
fn patch_operation() -> Value {
    let write = json!({"enum": ["add", "replace"]});
    let mut forms = vec![json!({
        "required": ["value"],
        "properties": {"op": write, "path": false, "value": reference("schemas", "UserAttributes")},
    })];
    for (value, paths) in writable_paths() {
        forms.push(json!({
            "required": ["path", "value"],
            "properties": {"op": write, "path": {"enum": paths}, "value": value},
        }));
    }
    forms.push(json!({
        "required": ["path", "value"],
        "properties": {"op": write, "path": {"type": "string", "pattern": VALUE_PATH}},
    }));
    forms.push(json!({
        "required": ["path"],
        "properties": {
            "op": {"const": "remove"},
            "path": {"anyOf": [{"enum": removable_paths()}, {"type": "string", "pattern": VALUE_PATH}]},
            "value": false,
        },
    }));
    json!({
        "type": "object",
        "required": ["op"],
        "properties": {"op": {"type": "string", "enum": ["add", "replace", "remove"]}, "path": {"type": "string"}},
        "anyOf": forms,
    })
}

/// Returns what a client may write, each path with the attribute it leads to.
fn written() -> Vec<(String, &'static Attribute)> {
    let mut paths = Vec::new();
    for declared in USER.declared() {
        let attribute = declared.attribute;
        let urn = declared
            .extension
            .map(|extension| format!("{}:", extension.id));
        let name = format!("{}{}", urn.unwrap_or_default(), attribute.name);
        if attribute.is_read_only() {
            continue;
        }
        if !attribute.multi_valued {
            let parts = attribute.sub_attributes.iter();
            for part in parts.filter(|part| !part.is_read_only()) {
                paths.push((format!("{name}.{}", part.name), part));
            }
        }
        paths.push((name, attribute));
    }
    paths
}

/// Those paths, together with others that take the same values.
fn writable_paths() -> Vec<(Value, Vec<String>)> {
    let mut by_value: Vec<(Value, Vec<String>)> = Vec::new();
    for (path, attribute) in written() {
        let mut value = match path.as_str() {
            "userName" => {
                json!({"type": "string", "minLength": 1, "maxLength": MAX_USER_NAME_CHARS, "pattern": r"\S"})
            }
            "emails" => {
                let mut emails = schema_of(attribute);
                if let Some(members) = emails.as_object_mut() {
                    members.insert("maxItems".to_owned(), MAX_EMAILS.into());
                }
                emails
            }
            _ => schema_of(attribute),
        };
        if let Some(members) = value.as_object_mut() {
            members.shift_remove("description");
        }
        match by_value.iter_mut().find(|(same, _)| *same == value) {
            Some((_, paths)) => paths.push(path),
            None => by_value.push((value, vec![path])),
        }
    }
    by_value
}

/// Paths to what may be taken away.
fn removable_paths() -> Vec<String> {
    let removable = written().into_iter();
    removable
        .filter(|(_, attribute)| attribute.is_clearable())
        .map(|(path, _)| path)
        .collect()
}

/// An operation of a bulk request: each method with the body it takes.
fn bulk_operation() -> Value {
    let one = json!({"type": "string", "pattern": "^/Users/[^/?]+$"});
    let bulk_id = json!({"type": "string", "minLength": 1, "maxLength": MAX_BULK_ID_BYTES, "pattern": "^[!-.0-~]+$"});
    json!({
        "type": "object",
        "required": ["method", "path"],
        "properties": {
            "method": {"type": "string", "enum": ["POST", "PUT", "PATCH", "DELETE"]},
            "path": {"type": "string"},
            "bulkId": bulk_id,
            "version": {"type": "string"},
        },
        "anyOf": [
            {
                "required": ["bulkId", "data"],
                "properties": {"method": {"const": "POST"}, "path": {"const": "/Users"}, "data": reference("schemas", "UserInput")},
            },
            {
                "required": ["data"],
                "properties": {"method": {"const": "PUT"}, "path": one, "data": reference("schemas", "UserInput")},
            },
            {
                "required": ["data"],
                "properties": {"method": {"const": "PATCH"}, "path": one, "data": reference("schemas", "PatchOp")},
            },
            {"properties": {"method": {"const": "DELETE"}, "path": one}},
        ],
    })
}

/// A filter. A pattern can describe a comparison with a text, but not the whole grammar.
fn filter() -> Value {
    let texts = written()
        .into_iter()
        .filter(|(_, attribute)| attribute.kind == Type::String);
    let texts: Vec<_> = texts.map(|(path, _)| path.replace('.', r"\.")).collect();
    let comparison = format!(
        r#"^({})( pr| (eq|ne|co|sw|ew|gt|ge|lt|le) "[^"\\\u0000-\u001f]*")$"#,
        texts.join("|")
    );
    json!({"type": "string", "anyOf": [{"pattern": comparison}, {"minLength": 1}]})
}

/// The name of an attribute, in canonical spelling or another.
fn sort_by() -> Value {
    let sortable = written().into_iter();
    let sortable = sortable.filter(|(_, attribute)| attribute.sub_attributes.is_empty());
    let sortable: Vec<_> = sortable.map(|(path, _)| path).collect();
    json!({"type": "string", "anyOf": [{"enum": sortable}, {"pattern": ATTRIBUTE_PATH}]})
}

fn sort_order() -> Value {
    json!({"type": "string", "enum": ["ascending", "descending"]})
}
