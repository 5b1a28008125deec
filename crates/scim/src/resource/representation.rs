//! The resource as clients see it (RFC 7643 §3.1).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Document;
use crate::etag;
use crate::schema::ResourceType;

/// What the server says about a resource (RFC 7643 §3.1).
#[derive(Debug, Clone)]
pub struct Meta {
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub last_modified: Timestamp,
    /// Counts its changes, from 1.
    pub version: u64,
}

/// Returns an instant as clients see it (RFC 7643 §2.3.5): in UTC, always with milliseconds, because some
/// parsers take a fixed number of digits, and texts of equal length are in the order of time.
#[must_use]
pub fn date_time(instant: Timestamp) -> String {
    format!("{instant:.3}")
}

/// Returns where a resource of this type lives.
#[must_use]
pub fn location(base_url: &str, resource_type: &ResourceType, id: &str) -> String {
    format!("{base_url}{}/{id}", resource_type.endpoint)
}

/// Returns the complete resource, as a GET without `attributes` returns it.
#[must_use]
pub fn render(
    resource_type: &ResourceType,
    id: &str,
    document: Document,
    meta: &Meta,
    base_url: &str,
) -> Map<String, Value> {
    let schemas: Vec<&str> = std::iter::once(resource_type.schema.id)
        .chain(
            resource_type
                .extensions
                .iter()
                .map(|extension| extension.id)
                .filter(|urn| document.members().contains_key(*urn)),
        )
        .collect();
    let mut resource = Map::with_capacity(document.members().len() + 3);
    resource.insert("schemas".into(), schemas.into());
    resource.insert("id".into(), id.into());
    resource.extend(document.into_members());
    resource.insert(
        "meta".into(),
        json!({
            "resourceType": resource_type.name,
            "created": date_time(meta.created),
            "lastModified": date_time(meta.last_modified),
            "location": location(base_url, resource_type, id),
            "version": etag::of_version(meta.version),
        }),
    );
    resource
}
