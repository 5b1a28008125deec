//! From an operation of the message to changes of attributes.

use serde_json::Value;

use super::{Change, Target};
use crate::scim::dialect;
use crate::scim::path::{PatchPath, PathError};
use crate::scim::resource::validate;
use crate::scim::schema::{Attribute, ResourceType, Schema};
use crate::scim::{ScimError, rule};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// Parses an operation; one without a path makes several changes.
pub(super) fn operation(
    operation: Value,
    resource_type: &'static ResourceType,
) -> Result<Vec<Change>, ScimError> {
    let Value::Object(mut operation) = operation else {
        return Err(ScimError::invalid_syntax("An operation must be an object.")
            .rule(rule::PATCH_OPERATION));
    };
    let op = match operation.get("op").and_then(Value::as_str) {
        Some("add") => Op::Add,
        Some("replace") => Op::Replace,
        Some("remove") => Op::Remove,
        _ => {
            return Err(
                ScimError::invalid_syntax("'op' must be 'add', 'replace' or 'remove'.")
                    .rule(rule::PATCH_OPERATION),
            );
        }
    };
    let value = operation.shift_remove("value");
    let path = match operation.shift_remove("path") {
        None => return parse_without_path(op, value, resource_type),
        Some(Value::String(path)) => path,
        Some(_) => {
            return Err(ScimError::invalid_path("'path' must be a string.").rule(rule::PATCH_PATH));
        }
    };
    let Some(path) = parse_path(path.trim(), resource_type)? else {
        return Ok(Vec::new());
    };
    match op {
        Op::Remove => parse_remove(path, value, resource_type).map(|change| vec![change]),
        Op::Add | Op::Replace => {
            let value = value.ok_or_else(|| {
                ScimError::invalid_value("'add' and 'replace' need a 'value'.")
                    .rule(rule::PATCH_VALUE)
            })?;
            let changes = assignments(op, path, value, resource_type)?;
            let refused: Option<Vec<_>> = changes.iter().map(only_read_only).collect();
            match refused.and_then(|attributes| attributes.first().copied()) {
                Some(attribute) => Err(read_only(attribute)),
                None => Ok(changes),
            }
        }
    }
}

/// `None` for a well-formed path to an attribute no schema declares: such an operation is skipped,
/// because refusing it would lose the deactivation that may be sent with it. What we do not know
/// of a read-only attribute is as read-only as the rest of it.
fn parse_path(
    path: &str,
    resource_type: &'static ResourceType,
) -> Result<Option<PatchPath>, ScimError> {
    let path = match PatchPath::parse(path, resource_type) {
        Ok(path) => path,
        Err(PathError::UnknownSubAttribute(attribute)) if attribute.is_read_only() => {
            return Err(read_only(attribute));
        }
        Err(PathError::UnknownAttribute | PathError::UnknownSubAttribute(_)) => return Ok(None),
        Err(error) => {
            return Err(
                ScimError::invalid_path(format!("'path' cannot be used: {error}."))
                    .rule(rule::PATCH_PATH),
            );
        }
    };
    match path.read_only() {
        Some(attribute) => Err(read_only(attribute)),
        None => Ok(Some(path)),
    }
}

fn read_only(attribute: &Attribute) -> ScimError {
    ScimError::mutability(format!(
        "'{}' is read-only; leave it out of the request.",
        attribute.name
    ))
    .rule(rule::ATTRIBUTE_READ_ONLY)
    .about(attribute.name)
}

/// The read-only sub-attribute that a change of a complex attribute is about, if it is about
/// nothing else we know.
fn only_read_only(change: &Change) -> Option<&'static Attribute> {
    let (Change::Add(Target::Attribute(path), Value::Object(members))
    | Change::Replace(Target::Attribute(path), Value::Object(members))) = change
    else {
        return None;
    };
    let mut known = members
        .keys()
        .filter_map(|name| path.leaf().sub_attribute(name));
    let first = known.next()?;
    (first.is_read_only() && known.all(Attribute::is_read_only)).then_some(first)
}

/// RFC 7644 §3.5.2.1 and §3.5.2.3: without a path, the value is an object of attributes.
fn parse_without_path(
    op: Op,
    value: Option<Value>,
    resource_type: &'static ResourceType,
) -> Result<Vec<Change>, ScimError> {
    if op == Op::Remove {
        return Err(
            ScimError::no_target("'remove' needs a 'path'.").rule(rule::PATCH_REMOVE_WITHOUT_PATH)
        );
    }
    let Some(Value::Object(members)) = value else {
        return Err(ScimError::invalid_value(
            "Without a 'path', 'value' must be an object of attributes.",
        )
        .rule(rule::PATCH_VALUE));
    };
    let mut changes = Vec::with_capacity(members.len());
    for (key, value) in members {
        let path = dialect::keys_as_paths(&key, resource_type).map_err(|error| {
            ScimError::invalid_path(format!("The key '{key}' cannot be used: {error}."))
                .rule(rule::PATCH_PATH)
        })?;
        let Some(path) = path else {
            continue;
        };
        match path {
            PatchPath::Attribute(path) if path.attribute.name == "id" => {
                changes.push(Change::AssertId(value));
            }
            path if dialect::values_read_before(&path) => {}
            path => changes.extend(assignments(op, path, value, resource_type)?),
        }
    }
    Ok(changes)
}

fn assignments(
    op: Op,
    path: PatchPath,
    value: Value,
    resource_type: &'static ResourceType,
) -> Result<Vec<Change>, ScimError> {
    let (target, value) = match path {
        PatchPath::Schema(schema) => return schema_assignments(op, schema, value, resource_type),
        PatchPath::Attribute(path) => {
            let value = dialect::patch_value(path.leaf(), value);
            (Target::Attribute(path), value)
        }
        PatchPath::Values(values) => {
            let value = match values.sub_attribute {
                Some(sub_attribute) => dialect::patch_value(sub_attribute, value),
                None => single_element(values.path.attribute, value)?,
            };
            (Target::Values(values), value)
        }
    };
    Ok(vec![match op {
        Op::Add => Change::Add(target, value),
        _ => Change::Replace(target, value),
    }])
}

/// The attributes of one schema together: `{"URN": {…}}`, or its URN as path.
fn schema_assignments(
    op: Op,
    schema: &'static Schema,
    value: Value,
    resource_type: &'static ResourceType,
) -> Result<Vec<Change>, ScimError> {
    match dialect::wrapped_extension(value) {
        Value::Object(members) => {
            let qualified = members
                .into_iter()
                .map(|(name, value)| (format!("{}:{}", schema.id, name.trim()), value))
                .collect();
            parse_without_path(op, Some(Value::Object(qualified)), resource_type)
        }
        Value::Null => remove_schema(schema, resource_type).map(|change| vec![change]),
        _ => Err(ScimError::invalid_value(format!(
            "The value of '{}' must be an object.",
            schema.id
        ))
        .rule(rule::PATCH_VALUE)
        .about(schema.id)),
    }
}

fn remove_schema(
    schema: &'static Schema,
    resource_type: &'static ResourceType,
) -> Result<Change, ScimError> {
    if schema.id == resource_type.schema.id {
        return Err(ScimError::mutability(
            "The core schema has required attributes and cannot be removed.",
        )
        .rule(rule::PATCH_REMOVE_REQUIRED)
        .about(schema.id));
    }
    Ok(Change::RemoveExtension(schema))
}

/// The new content of the elements that a filter selects: an object, or an array of one.
fn single_element(attribute: &Attribute, value: Value) -> Result<Value, ScimError> {
    match dialect::patch_value(attribute, value) {
        Value::Array(mut elements) if elements.len() == 1 => {
            Ok(elements.pop().unwrap_or(Value::Null))
        }
        Value::Null => Ok(Value::Null),
        _ => Err(ScimError::invalid_value(format!(
            "The value for selected elements of '{}' must be one object.",
            attribute.name
        ))
        .rule(rule::PATCH_VALUE)
        .about(attribute.name)),
    }
}

fn parse_remove(
    path: PatchPath,
    value: Option<Value>,
    resource_type: &'static ResourceType,
) -> Result<Change, ScimError> {
    let path = match path {
        PatchPath::Schema(schema) => return remove_schema(schema, resource_type),
        PatchPath::Values(values) => return Ok(Change::Remove(Target::Values(values))),
        PatchPath::Attribute(path) => path,
    };
    let attribute = path.leaf();
    if attribute.required {
        return Err(ScimError::mutability(format!(
            "'{}' is required and cannot be removed.",
            attribute.name
        ))
        .rule(rule::PATCH_REMOVE_REQUIRED)
        .about(attribute.name));
    }
    let Some(listed) = dialect::removal_by_value(&path, value) else {
        return Ok(Change::Remove(Target::Attribute(path)));
    };
    if path.is_in_every_value() {
        return Err(ScimError::invalid_value(
            "A 'value' cannot select what to remove of a sub-attribute; use a filter in 'path'.",
        )
        .rule(rule::PATCH_VALUE)
        .about(attribute.name)
        .about(path.attribute.name));
    }
    // What lists nothing removes nothing.
    let listed = match validate(attribute, listed)? {
        Some(Value::Array(listed)) => listed,
        _ => Vec::new(),
    };
    Ok(Change::RemoveListed(path, listed))
}
