//! Values whose shape does not fit their attribute, where the meaning is plain.

use serde_json::{Map, Value};

use crate::compare::is_present;
use crate::schema::{Attribute, Type};

/// Rewrites the value of an attribute in the body of a POST or PUT.
pub(super) fn resource_value(attribute: &Attribute, value: Value) -> Value {
    empty_elements(attribute, to_schema(attribute, value))
}

/// Rewrites the value of a PATCH operation for its attribute.
#[must_use]
pub fn patch_value(attribute: &Attribute, value: Value) -> Value {
    empty_string_clears(attribute, resource_value(attribute, value))
}

/// Rewrites the value of a PATCH operation for the elements that its path selects. One of only
/// empty strings is kept: it clears what is selected.
#[must_use]
pub fn patch_element(attribute: &Attribute, value: Value) -> Value {
    empty_string_clears(attribute, to_schema(attribute, value))
}

/// Rewrites a value whose shape does not fit its attribute, where the meaning is plain. Validation
/// refuses what is still wrong.
#[must_use]
pub fn to_schema(attribute: &Attribute, value: Value) -> Value {
    if !attribute.multi_valued {
        return element_to_schema(attribute, wrapped_singular(attribute, value));
    }
    match single_for_multi_valued(value) {
        Value::Array(elements) => elements
            .into_iter()
            .map(|element| element_to_schema(attribute, element))
            .collect(),
        value => value,
    }
}

fn element_to_schema(attribute: &Attribute, value: Value) -> Value {
    match (attribute.kind, value) {
        (Type::Boolean, Value::String(text)) => {
            boolean_as_string(&text).map_or(Value::String(text), Value::Bool)
        }
        (Type::Complex, Value::String(text)) => match complex_as_string(attribute, text) {
            Value::Object(members) => complex_to_schema(attribute, members),
            value => value,
        },
        (Type::Complex, Value::Object(members)) => complex_to_schema(attribute, members),
        (_, value) => value,
    }
}

fn complex_to_schema(attribute: &Attribute, members: Map<String, Value>) -> Value {
    let mut members = manager_id(attribute, stringified_element(attribute, members));
    for (name, value) in &mut members {
        if let Some(sub_attribute) = attribute.sub_attribute(name) {
            *value = to_schema(sub_attribute, value.take());
        }
    }
    empty_reference(attribute, members)
}

/// `"True"` and `"False"` where the schema says boolean, also in filters.
///
/// Sent by: Entra, whose default mapping of `active` yields strings without its flag (Entra, known
/// issues; scimmyjs/scimmy#86); Microsoft's SCIM Validator for `primary`.
#[must_use]
pub fn boolean_as_string(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Returns whether a name is that of the sub-attribute `value`, in any case.
fn is_value(name: &str) -> bool {
    name.eq_ignore_ascii_case("value")
}

/// `[{"value": x}]` or `[{…}]` for a singular attribute; an empty array counts as absent. Members that are
/// null (which is unassigned, RFC 7643 §2.5), empty companions of a value, and `primary` may stand
/// beside `value`, because a singular attribute loses nothing without them.
///
/// Sent by: Entra without its flag for `manager` (Entra, tutorial), and as
/// `[{"$ref": null, "value": x}]` for any singular attribute, as Microsoft's own library does too
/// (Azure/AzureAD-BYOA-Provisioning-Samples#22).
fn wrapped_singular(attribute: &Attribute, value: Value) -> Value {
    let value = match value {
        Value::Array(mut elements) if elements.len() <= 1 => elements.pop().unwrap_or(Value::Null),
        value => value,
    };
    match value {
        Value::Object(mut members) if attribute.kind != Type::Complex => {
            match value_alone(&mut members) {
                Some(value) => value.take(),
                None => Value::Object(members),
            }
        }
        value => value,
    }
}

/// Returns the `value` among these members, if there is one and the others say nothing.
fn value_alone(members: &mut Map<String, Value>) -> Option<&mut Value> {
    let says_nothing = |name: &str, value: &Value| {
        let is_companion = ["$ref", "type", "display"]
            .iter()
            .any(|companion| name.eq_ignore_ascii_case(companion));
        value.is_null()
            || name.eq_ignore_ascii_case("primary")
            || (is_companion && !is_present(value))
    };
    let mut others = members.iter().filter(|(name, _)| !is_value(name));
    if !others.all(|(name, value)| says_nothing(name, value)) {
        return None;
    }
    let mut values = members.iter_mut().filter(|(name, _)| is_value(name));
    let value = values.next().map(|(_, value)| value);
    value.filter(|_| values.next().is_none())
}

/// One object for a multi-valued attribute; an empty string counts as absent.
///
/// Sent by: no client with a known capture; clients that know one address of a user.
fn single_for_multi_valued(value: Value) -> Value {
    match value {
        Value::Null | Value::Array(_) => value,
        Value::String(text) if text.is_empty() => Value::Null,
        single => Value::Array(vec![single]),
    }
}

/// `""`, `[]` or `[{…}]` for all attributes of an extension, as for a singular attribute.
///
/// Sent by: no client with a known capture; clients that send `manager` so.
#[must_use]
pub fn wrapped_extension(value: Value) -> Value {
    match value {
        Value::Array(mut elements) if elements.len() <= 1 => elements.pop().unwrap_or(Value::Null),
        Value::String(text) if text.is_empty() => Value::Null,
        value => value,
    }
}

/// A bare string for a complex attribute is its `value`; an empty one counts as absent.
///
/// Sent by: Entra and Microsoft's Logic App validation for `manager` (apache/directory-scimple#1244,
/// Captain-P-Goldfish/SCIM-SDK#686).
fn complex_as_string(attribute: &Attribute, text: String) -> Value {
    if text.is_empty() {
        Value::Null
    } else if attribute.sub_attribute("value").is_some() {
        Value::Object(Map::from_iter([("value".to_owned(), text.into())]))
    } else {
        Value::String(text)
    }
}

/// `{"value": ""}` or `{"value": null}` for a singular attribute that has a `value` counts as absent.
///
/// Sent by: Microsoft's SCIM Validator, "Remove Manager" (a run kept in pranems/SCIMServer).
fn empty_reference(attribute: &Attribute, members: Map<String, Value>) -> Value {
    let is_empty = |value: &Value| value.is_null() || value.as_str() == Some("");
    let is_reference = !attribute.multi_valued && attribute.sub_attribute("value").is_some();
    let mut values = members.iter().filter(|(name, _)| is_value(name));
    if is_reference && values.any(|(_, value)| is_empty(value)) {
        Value::Null
    } else {
        Value::Object(members)
    }
}

/// `{"value": "{\"id\":…,\"value\":\"Admin\"}"}`: a role or entitlement as JSON inside its `value`, or
/// for it.
///
/// Sent by: Entra without its flag for `roles` (Captain-P-Goldfish/SCIM-SDK#516), and for
/// `entitlements` where application roles are mapped to them (senhasegura's guide to Entra).
fn stringified_element(attribute: &Attribute, members: Map<String, Value>) -> Map<String, Value> {
    let takes_roles = matches!(attribute.name, "roles" | "entitlements");
    let inner = members
        .iter()
        .find(|(name, _)| is_value(name))
        .and_then(|(_, value)| value.as_str())
        .filter(|text| takes_roles && text.starts_with('{'))
        .and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    match inner {
        Some(mut inner) if inner.keys().any(|name| is_value(name)) => {
            // Members beside it take precedence.
            let beside = members.into_iter().filter(|(name, _)| !is_value(name));
            inner.extend(beside);
            inner
        }
        _ => members,
    }
}

/// `{"managerId": …}`: what a manager's `value` was in SCIM 1.x. A `value` beside it takes precedence.
///
/// Sent by: clients that send the enterprise extension as SCIM 1.x has it (SCIM Core Schema 1.1
/// §8).
fn manager_id(attribute: &Attribute, mut members: Map<String, Value>) -> Map<String, Value> {
    let is_id = |name: &&String| name.eq_ignore_ascii_case("managerId");
    if attribute.name == "manager" && !members.keys().any(|name| is_value(name)) {
        let id = members.keys().find(is_id).cloned();
        if let Some(value) = id.and_then(|id| members.shift_remove(&id)) {
            members.insert("value".to_owned(), value);
        }
    }
    members
}

/// Elements of a multi-valued attribute whose members are empty strings, except `type` and
/// `primary`, are none: a description of nothing.
///
/// Sent by: clients that fill in templates, for addresses and emails that a user does not have
/// (osiam/server#249).
fn empty_elements(attribute: &Attribute, value: Value) -> Value {
    let is_empty_string = |value: &Value| value.as_str() == Some("");
    let describes = |name: &str| {
        ["type", "primary"]
            .iter()
            .any(|of| name.eq_ignore_ascii_case(of))
    };
    let says_something = |(name, value): (&String, &Value)| is_present(value) && !describes(name);
    let is_placeholder = |element: &Value| {
        element.as_object().is_some_and(|members| {
            members.values().any(is_empty_string) && !members.iter().any(says_something)
        })
    };
    match value {
        Value::Array(mut elements) if attribute.multi_valued => {
            elements.retain(|element| !is_placeholder(element));
            Value::Array(elements)
        }
        value => value,
    }
}

/// `""` in a PATCH is null, except for an attribute that must have a value.
///
/// Sent by: Microsoft's Logic App validation, `SCIM_Null_Update`, first `""`, then null.
fn empty_string_clears(attribute: &Attribute, value: Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() && !attribute.required => Value::Null,
        Value::Array(elements) => elements
            .into_iter()
            .map(|element| empty_string_clears(attribute, element))
            .collect(),
        Value::Object(mut members) => {
            for (name, value) in &mut members {
                if let Some(sub_attribute) = attribute.sub_attribute(name) {
                    *value = empty_string_clears(sub_attribute, value.take());
                }
            }
            Value::Object(members)
        }
        value => value,
    }
}
