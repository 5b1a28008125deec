//! What the service provider says about itself (RFC 7643 §5-§7, RFC 7644 §4).

use serde_json::{Map, Value, json};

use super::bulk;
use super::cursor::CURSOR_TIMEOUT;
use super::list::{DEFAULT_COUNT, MAX_COUNT};
use super::schema::{
    Attribute, COMMON_ATTRIBUTES, RESOURCE_TYPE_SCHEMA, ResourceType, SCHEMA_SCHEMA,
    SERVICE_PROVIDER_CONFIG_SCHEMA, Schema, USER,
};

/// `/ServiceProviderConfig` (RFC 7643 §5, RFC 9865 §4).
#[must_use]
pub fn service_provider_config(
    base_url: &str,
    documentation_uri: Option<&str>,
) -> Map<String, Value> {
    let mut config = object(json!({
        "schemas": [SERVICE_PROVIDER_CONFIG_SCHEMA.id],
        "patch": {"supported": true},
        "bulk": {
            "supported": true,
            "maxOperations": bulk::MAX_OPERATIONS,
            "maxPayloadSize": bulk::MAX_PAYLOAD_BYTES,
        },
        "filter": {"supported": true, "maxResults": MAX_COUNT},
        "changePassword": {"supported": false},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_COUNT,
            "maxPageSize": MAX_COUNT,
            "cursorTimeout": CURSOR_TIMEOUT.as_secs(),
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "API key",
            "description": "A Paradigm API key, sent as 'Authorization: Bearer <key>'.",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base_url}/ServiceProviderConfig"),
        },
    }));
    if let Some(uri) = documentation_uri {
        config.insert("documentationUri".to_owned(), uri.into());
    }
    config
}

/// All resource types (RFC 7643 §6).
#[must_use]
pub fn resource_types(base_url: &str) -> Vec<Map<String, Value>> {
    vec![resource_type(&USER, base_url)]
}

/// The resource type of that name.
#[must_use]
pub fn find_resource_type(name: &str, base_url: &str) -> Option<Map<String, Value>> {
    (name == USER.name).then(|| resource_type(&USER, base_url))
}

fn resource_type(resource_type: &ResourceType, base_url: &str) -> Map<String, Value> {
    let extensions: Vec<Value> = resource_type
        .extensions
        .iter()
        .map(|extension| json!({"schema": extension.id, "required": false}))
        .collect();
    object(json!({
        "schemas": [RESOURCE_TYPE_SCHEMA.id],
        "id": resource_type.name,
        "name": resource_type.name,
        "endpoint": resource_type.endpoint,
        "description": resource_type.description,
        "schema": resource_type.schema.id,
        "schemaExtensions": extensions,
        "meta": {
            "resourceType": "ResourceType",
            "location": format!("{base_url}/ResourceTypes/{}", resource_type.name),
        },
    }))
}

/// The schemas of resources (RFC 7643 §7).
#[must_use]
pub fn schemas(base_url: &str) -> Vec<Map<String, Value>> {
    USER.schemas()
        .map(|found| schema(found, base_url))
        .collect()
}

/// The schema with that URN. Those of the discovery endpoints themselves are here too, but not in
/// the list: provisioning clients map attributes to every schema they find there.
#[must_use]
pub fn find_schema(urn: &str, base_url: &str) -> Option<Map<String, Value>> {
    USER.schemas()
        .chain([
            &SERVICE_PROVIDER_CONFIG_SCHEMA,
            &RESOURCE_TYPE_SCHEMA,
            &SCHEMA_SCHEMA,
        ])
        .find(|found| found.id.eq_ignore_ascii_case(urn))
        .map(|found| schema(found, base_url))
}

fn schema(schema: &Schema, base_url: &str) -> Map<String, Value> {
    let attributes: Vec<&Attribute> = mapped_common_attributes(schema)
        .chain(schema.attributes)
        .collect();
    object(json!({
        "schemas": [SCHEMA_SCHEMA.id],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": attributes,
        "meta": {
            "resourceType": "Schema",
            "location": format!("{base_url}/Schemas/{}", schema.id),
        },
    }))
}

/// `externalId`, the one common attribute that clients write: they map attributes to what they find
/// in `/Schemas` only. RFC 7643 §3.1 lets a schema list common attributes; §8.7.1 lists none.
fn mapped_common_attributes(schema: &Schema) -> impl Iterator<Item = &'static Attribute> {
    let is_core = schema.id == USER.schema.id;
    COMMON_ATTRIBUTES
        .iter()
        .filter(move |attribute| is_core && !attribute.is_read_only())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
