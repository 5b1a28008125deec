//! What identity providers really send, rewritten to RFC form at the boundary.
//!
//! Every rule looks at what a request *is*, never at who sends it: one Entra tenant sends RFC and
//! legacy shapes side by side, because its `aadOptscim062020` flag does not reach on-demand
//! provisioning. Names in any case, URN-qualified and dotted keys are part of
//! [`super::path::resolve`].

use serde_json::{Map, Value};

use super::filter::{Filter, Operator};
use super::path::{Name, resolve};
use super::schema::{Attribute, ResourceType, Type};

/// Rewrites the body of a POST or PUT.
pub fn resource(input: &mut Map<String, Value>, resource_type: &ResourceType) {
    for (key, value) in input.iter_mut() {
        match (resolve(key, resource_type), value) {
            (Ok(Name::Attribute(path)), value) => *value = coerce(path.leaf(), value.take()),
            (Ok(Name::Schema(schema)), Value::Object(members)) => {
                for (name, value) in members {
                    let name = format!("{}:{name}", schema.id);
                    if let Ok(Name::Attribute(path)) = resolve(&name, resource_type) {
                        *value = coerce(path.leaf(), value.take());
                    }
                }
            }
            _ => {}
        }
    }
}

/// Rewrites a PATCH message: member names in any case, `op` in lower case (Entra without its flag
/// sends `Add`, `Replace`, `Remove`), an empty `path` as none.
pub fn patch_message(message: &mut Map<String, Value>) {
    canonical_names(message, &["Operations", "schemas"]);
    let Some(Value::Array(operations)) = message.get_mut("Operations") else {
        return;
    };
    for operation in operations.iter_mut().filter_map(Value::as_object_mut) {
        canonical_names(operation, &["op", "path", "value"]);
        if let Some(Value::String(op)) = operation.get_mut("op") {
            op.make_ascii_lowercase();
        }
        let path_is_empty = match operation.get("path") {
            Some(Value::String(path)) => path.trim().is_empty(),
            Some(Value::Null) => true,
            _ => false,
        };
        if path_is_empty {
            operation.shift_remove("path");
        }
    }
}

/// Rewrites the value of a PATCH operation for its attribute: like [`coerce`], and empty strings
/// clear (Microsoft's gallery validation).
#[must_use]
pub fn patch_value(attribute: &Attribute, value: Value) -> Value {
    empty_as_null(attribute, coerce(attribute, value))
}

/// `""` as null, except for an attribute that must have a value.
fn empty_as_null(attribute: &Attribute, value: Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() && !attribute.required => Value::Null,
        Value::Array(elements) => elements
            .into_iter()
            .map(|element| empty_as_null(attribute, element))
            .collect(),
        Value::Object(mut members) => {
            for (name, value) in &mut members {
                if let Some(sub_attribute) = attribute.sub_attribute(name) {
                    *value = empty_as_null(sub_attribute, value.take());
                }
            }
            Value::Object(members)
        }
        value => value,
    }
}

/// Rewrites a value whose shape does not fit its attribute, where the meaning is plain. What
/// stays wrong is left for validation to refuse.
#[must_use]
pub fn coerce(attribute: &Attribute, value: Value) -> Value {
    if !attribute.multi_valued {
        return coerce_element(attribute, unwrap_singular(attribute, value));
    }
    let elements = match value {
        Value::Null => return Value::Null,
        Value::Array(elements) => elements,
        single => vec![single],
    };
    elements
        .into_iter()
        .map(|element| coerce_element(attribute, element))
        .collect()
}

fn coerce_element(attribute: &Attribute, value: Value) -> Value {
    match (attribute.kind, value) {
        (Type::Boolean, Value::String(text)) => {
            boolean(&text).map_or(Value::String(text), Value::Bool)
        }
        (Type::Complex, Value::String(text)) => complex_from_string(attribute, text),
        (Type::Complex, Value::Object(members)) => coerce_members(attribute, members),
        (_, value) => value,
    }
}

fn coerce_members(attribute: &Attribute, members: Map<String, Value>) -> Value {
    let mut members = parse_stringified(attribute, members);
    for (name, value) in &mut members {
        if let Some(sub_attribute) = attribute.sub_attribute(name) {
            *value = coerce(sub_attribute, value.take());
        }
    }
    if is_empty_reference(attribute, &members) {
        return Value::Null;
    }
    Value::Object(members)
}

/// `"True"` and `"False"` where the schema says boolean: Entra's default mapping of `active`, and
/// `primary` in Microsoft's SCIM Validator.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// `[{"value": x}]` or `[{…}]` for a singular attribute: Entra without its flag sends `manager` so.
fn unwrap_singular(attribute: &Attribute, value: Value) -> Value {
    let value = match value {
        Value::Array(mut elements) if elements.len() <= 1 => elements.pop().unwrap_or(Value::Null),
        value => value,
    };
    match value {
        Value::Object(mut members)
            if attribute.kind != Type::Complex
                && members.len() == 1
                && members.contains_key("value") =>
        {
            members.shift_remove("value").unwrap_or(Value::Null)
        }
        value => value,
    }
}

/// A bare string for a complex attribute means its `value`: `manager` as Entra and Microsoft's
/// Logic App send it. An empty one means none.
fn complex_from_string(attribute: &Attribute, text: String) -> Value {
    if text.is_empty() {
        Value::Null
    } else if attribute.sub_attribute("value").is_some() {
        Value::Object(Map::from_iter([("value".to_owned(), text.into())]))
    } else {
        Value::String(text)
    }
}

/// `{"value": ""}` or `{"value": null}` for a singular complex attribute: Microsoft's SCIM Validator
/// removes a manager so.
fn is_empty_reference(attribute: &Attribute, members: &Map<String, Value>) -> bool {
    !attribute.multi_valued
        && members
            .get("value")
            .is_some_and(|value| value.is_null() || value.as_str() == Some(""))
}

/// `{"value": "{\"id\":…,\"value\":\"Admin\"}"}`: Entra without its flag sends `roles` as JSON
/// inside a string.
fn parse_stringified(attribute: &Attribute, members: Map<String, Value>) -> Map<String, Value> {
    let inner = members
        .get("value")
        .and_then(Value::as_str)
        .filter(|text| attribute.multi_valued && text.starts_with('{'))
        .and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    match inner {
        Some(inner) if inner.contains_key("value") => {
            let mut parsed = members;
            parsed.extend(inner);
            parsed
        }
        _ => members,
    }
}

/// The element that a PATCH to `emails[type eq "work"].value` makes where none matches: the values
/// its filter asks for. Entra's whole attribute mapping relies on it; RFC 7644 §3.5.2.3 alone
/// would answer 400 noTarget, and its erratum 8097 on `add` is held. `None` if the filter does not
/// say by `eq` what the element would be.
#[must_use]
pub fn element_from_filter(filter: &Filter) -> Option<Map<String, Value>> {
    match filter {
        Filter::Compare {
            path,
            operator: Operator::Eq,
            value,
        } if !value.is_null() => {
            let name = path.sub_attribute?.name;
            Some(Map::from_iter([(name.to_owned(), value.clone())]))
        }
        Filter::And(parts) => {
            let mut element = Map::new();
            for part in parts {
                for (name, value) in element_from_filter(part)? {
                    if element.get(&name).is_some_and(|other| *other != value) {
                        return None;
                    }
                    element.insert(name, value);
                }
            }
            Some(element)
        }
        _ => None,
    }
}

fn canonical_names(members: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        if members.contains_key(*name) {
            continue;
        }
        let variant = members
            .keys()
            .find(|key| key.eq_ignore_ascii_case(name))
            .cloned();
        if let Some(value) = variant.and_then(|variant| members.shift_remove(&variant)) {
            members.insert((*name).to_owned(), value);
        }
    }
}
