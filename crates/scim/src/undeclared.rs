//! Counts the attributes in a request that no schema declares. They are left out, and the log has their number. Names
//! are not logged: they are the client's text.

use serde_json::{Map, Value};

use crate::name::{Name, resolve, resolve_in};
use crate::schema::{Attribute, ResourceType, Type};

/// Returns how many attributes and sub-attributes of the body of a POST or PUT no schema declares.
#[must_use]
pub fn in_resource(input: &Map<String, Value>, resource_type: &ResourceType) -> usize {
    let count = |(key, value): (&String, &Value)| match resolve(key, resource_type) {
        Ok(Name::Attribute(path)) => in_value(path.leaf(), value),
        Ok(Name::Schema(schema)) => {
            let members = value.as_object().into_iter().flatten();
            members
                .map(
                    |(key, value)| match resolve_in(schema, key, resource_type) {
                        Ok(path) => in_value(path.leaf(), value),
                        Err(_) => member(key, value),
                    },
                )
                .sum()
        }
        Err(_) => member(key, value),
    };
    input.iter().map(count).sum()
}

/// Returns how many sub-attributes of a value its attribute does not declare.
#[must_use]
pub fn in_value(attribute: &Attribute, value: &Value) -> usize {
    match value {
        Value::Array(elements) => elements
            .iter()
            .map(|element| in_value(attribute, element))
            .sum(),
        Value::Object(members) if attribute.kind == Type::Complex => members
            .iter()
            .filter(|(name, _)| attribute.sub_attribute(name).is_none())
            .map(|(name, value)| member(name, value))
            .sum(),
        _ => 0,
    }
}

/// Returns 1 for a member that is left out, else 0. An unassigned one is no loss, and a password is documented to
/// be ignored: some clients send one with every user.
#[must_use]
pub fn member(name: &str, value: &Value) -> usize {
    usize::from(!value.is_null() && !name.eq_ignore_ascii_case("password"))
}
