//! Bodies of POST and PUT.

use serde_json::{Map, Value};

use super::values::{resource_value, wrapped_extension};
use crate::name::{Name, older_urn, resolve, resolve_in};
use crate::schema::ResourceType;

/// Rewrites the body of a POST or PUT.
pub fn resource(input: &mut Map<String, Value>, resource_type: &ResourceType) {
    for (key, value) in input.iter_mut() {
        match resolve(key, resource_type) {
            Ok(Name::Attribute(path)) if path.attribute.name == "schemas" => {
                *value = foreign_schemas(value.take(), resource_type);
            }
            Ok(Name::Attribute(path)) => *value = resource_value(path.leaf(), value.take()),
            Ok(Name::Schema(schema)) => {
                *value = wrapped_extension(value.take());
                for (name, value) in value.as_object_mut().into_iter().flatten() {
                    if let Ok(path) = resolve_in(schema, name, resource_type) {
                        *value = resource_value(path.leaf(), value.take());
                    }
                }
            }
            Err(_) => {}
        }
    }
}

/// `schemas` of a resource without ours, because it is absent or empty, or with others beside
/// ours.
///
/// Sent by: Google Workspace, `urn:scim:schemas:core:1.0` beside ours (pond/scimitar#142);
/// Paradigm's own examples, none.
fn foreign_schemas(schemas: Value, resource_type: &ResourceType) -> Value {
    let listed = match schemas {
        Value::Array(listed) => listed,
        Value::String(urn) => vec![urn.into()],
        schemas => return schemas,
    };
    let current = |urn: Value| match older_urn(urn.as_str().unwrap_or_default(), resource_type) {
        Some((schema, "")) => schema.id.into(),
        _ => urn,
    };
    let mut listed: Vec<Value> = listed.into_iter().map(current).collect();
    let is_ours = |urn: &str| {
        let mut ours = resource_type.schemas();
        ours.any(|schema| schema.id.eq_ignore_ascii_case(urn))
    };
    let is_core = |urn: &Value| {
        let urn = urn.as_str();
        urn.is_some_and(|urn| urn.eq_ignore_ascii_case(resource_type.schema.id))
    };
    if listed.is_empty() {
        return Value::Null;
    }
    if listed.iter().any(is_core) {
        listed.retain(|urn| urn.as_str().is_some_and(is_ours));
    }
    Value::Array(listed)
}
