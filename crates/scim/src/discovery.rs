//! The discovery endpoints (RFC 7643 §5-§7, RFC 7644 §4): the description of a service provider.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cursor::CURSOR_TIMEOUT;
use crate::messages::{MAX_BULK_OPERATIONS, MAX_BULK_PAYLOAD_BYTES};
use crate::page::{DEFAULT_COUNT, MAX_COUNT};
use crate::schema::{
    Attribute, COMMON_ATTRIBUTES, RESOURCE_TYPE_SCHEMA, ResourceType, SCHEMA_SCHEMA,
    SERVICE_PROVIDER_CONFIG_SCHEMA, Schema,
};

/// A way for clients to authenticate (RFC 7643 §5).
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationScheme {
    /// The kind of scheme, such as `oauthbearertoken`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The scheme's name.
    pub name: &'static str,
    /// The scheme in a sentence.
    pub description: &'static str,
    /// URL of its specification.
    pub spec_uri: &'static str,
    /// Whether it is the preferred one.
    pub primary: bool,
}

/// A service provider: what its discovery endpoints describe.
#[derive(Debug, Clone, Copy)]
pub struct ServiceProvider {
    /// The kinds of resources that it has.
    pub resource_types: &'static [&'static ResourceType],
    /// How clients authenticate.
    pub authentication_schemes: &'static [AuthenticationScheme],
}

impl ServiceProvider {
    /// Returns `/ServiceProviderConfig` (RFC 7643 §5, RFC 9865 §4).
    #[must_use]
    pub fn config(&self, base_url: &str, documentation_uri: Option<&str>) -> Map<String, Value> {
        let mut config = object(json!({
            "schemas": [SERVICE_PROVIDER_CONFIG_SCHEMA.id],
            "patch": {"supported": true},
            "bulk": {
                "supported": true,
                "maxOperations": MAX_BULK_OPERATIONS,
                "maxPayloadSize": MAX_BULK_PAYLOAD_BYTES,
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
            "authenticationSchemes": self.authentication_schemes,
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

    /// Returns all resource types (RFC 7643 §6).
    #[must_use]
    pub fn resource_types(&self, base_url: &str) -> Vec<Map<String, Value>> {
        self.resource_types
            .iter()
            .map(|found| resource_type(found, base_url))
            .collect()
    }

    /// Returns the resource type of that name.
    #[must_use]
    pub fn resource_type(&self, name: &str, base_url: &str) -> Option<Map<String, Value>> {
        self.resource_types
            .iter()
            .find(|found| found.name == name)
            .map(|found| resource_type(found, base_url))
    }

    /// Returns the schemas of all resource types (RFC 7643 §7).
    #[must_use]
    pub fn schemas(&self, base_url: &str) -> Vec<Map<String, Value>> {
        let mut listed: Vec<&Schema> = Vec::new();
        for schema in self.resource_types.iter().flat_map(|found| found.schemas()) {
            if !listed.iter().any(|earlier| earlier.id == schema.id) {
                listed.push(schema);
            }
        }
        listed
            .into_iter()
            .map(|found| self.describe(found, base_url))
            .collect()
    }

    /// Returns the schema with that URN. Those of the discovery endpoints themselves are found too, but not
    /// listed: provisioning clients map attributes to every schema in the list.
    #[must_use]
    pub fn schema(&self, urn: &str, base_url: &str) -> Option<Map<String, Value>> {
        self.resource_types
            .iter()
            .flat_map(|found| found.schemas())
            .chain([
                &SERVICE_PROVIDER_CONFIG_SCHEMA,
                &RESOURCE_TYPE_SCHEMA,
                &SCHEMA_SCHEMA,
            ])
            .find(|found| found.id.eq_ignore_ascii_case(urn))
            .map(|found| self.describe(found, base_url))
    }

    fn describe(&self, schema: &Schema, base_url: &str) -> Map<String, Value> {
        let is_core = self
            .resource_types
            .iter()
            .any(|found| found.schema.id == schema.id);
        let attributes: Vec<&Attribute> = COMMON_ATTRIBUTES
            .iter()
            .filter(|attribute| is_core && is_mapped(attribute))
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

/// Returns whether clients map to a common attribute: `externalId` is the only one that they write, and they map to
/// what `/Schemas` lists. RFC 7643 §3.1 lets a schema list common attributes; §8.7.1 lists none.
fn is_mapped(common: &Attribute) -> bool {
    !common.is_read_only()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
