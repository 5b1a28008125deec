//! Parses the operations of the message into changes of attributes.

use serde_json::Value;

use super::change::{Edit, Effect, Target};
use super::path::{PatchPath, PathError, keys_as_paths};
use crate::dialect;
use crate::error::shortened;
use crate::name::NameError;
use crate::resource::{cannot_be_cleared, validate};
use crate::schema::{Attribute, AttributePath, ResourceType, Schema};
use crate::{ScimError, rule, undeclared};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// Parses the operations of a message.
pub(crate) struct Parser {
    pub(crate) resource_type: &'static ResourceType,
    /// How many attributes were left out so far because no schema declares them.
    pub(crate) undeclared: usize,
}

impl Parser {
    /// Parses an operation; one without a path makes several edits.
    pub(crate) fn operation(&mut self, operation: Value) -> Result<Vec<Edit>, ScimError> {
        let Value::Object(mut operation) = operation else {
            return Err(
                ScimError::invalid_syntax("An element of 'Operations' must be an object.")
                    .rule(rule::PATCH_OPERATION),
            );
        };
        let op = match operation.get("op").and_then(Value::as_str) {
            Some("add") => Op::Add,
            Some("replace") => Op::Replace,
            Some("remove") => Op::Remove,
            _ => {
                return Err(ScimError::invalid_syntax(
                    "'op' must be 'add', 'replace' or 'remove'.",
                )
                .rule(rule::PATCH_OPERATION));
            }
        };
        let value = operation.shift_remove("value");
        let path = match operation.shift_remove("path") {
            None => return self.without_path(op, value),
            Some(Value::String(path)) => path,
            Some(_) => {
                return Err(
                    ScimError::invalid_path("'path' must be a string.").rule(rule::PATCH_PATH)
                );
            }
        };
        let Some(path) = parse_path(path.trim(), self.resource_type)? else {
            self.undeclared += usize::from(value.is_some_and(|value| !value.is_null()));
            return Ok(Vec::new());
        };
        match op {
            Op::Remove => self.removal(path, value).map(|edit| vec![edit]),
            Op::Add | Op::Replace => {
                let value = value.ok_or_else(|| {
                    ScimError::invalid_value("'add' and 'replace' need a 'value'.")
                        .rule(rule::PATCH_VALUE)
                })?;
                let edits = self.assignments(op, path, value)?;
                let refused: Option<Vec<_>> = edits
                    .iter()
                    .map(|edit| only_read_only(&edit.change))
                    .collect();
                match refused.and_then(|attributes| attributes.first().copied()) {
                    Some(attribute) => Err(read_only(attribute)),
                    None => Ok(edits),
                }
            }
        }
    }

    /// Parses an operation without a path, whose value is an object of attributes (RFC 7644 §3.5.2.1, §3.5.2.3).
    fn without_path(&mut self, op: Op, value: Option<Value>) -> Result<Vec<Edit>, ScimError> {
        if op == Op::Remove {
            return Err(ScimError::no_target("'remove' needs a 'path'.")
                .rule(rule::PATCH_REMOVE_WITHOUT_PATH));
        }
        let Some(Value::Object(members)) = value else {
            return Err(ScimError::invalid_value(
                "Without a 'path', 'value' must be an object of attributes.",
            )
            .rule(rule::PATCH_VALUE));
        };
        let mut edits = Vec::with_capacity(members.len());
        for (key, value) in members {
            let path = keys_as_paths(&key, self.resource_type).map_err(|error| {
                ScimError::invalid_path(format!(
                    "The key '{}' cannot be used: {error}.",
                    shortened(&key)
                ))
                .rule(rule::PATCH_PATH)
            })?;
            let Some(path) = path else {
                self.undeclared += undeclared::member(&key, &value);
                continue;
            };
            match path {
                PatchPath::Attribute(path) if path.attribute.name == "id" => {
                    let value = dialect::patch_value(path.attribute, value);
                    if !value.is_null() {
                        edits.push(Effect::AssertId(value).into());
                    }
                }
                path if values_read_before(&path) => {}
                path => edits.extend(self.assignments(op, path, value)?),
            }
        }
        Ok(edits)
    }

    fn assignments(
        &mut self,
        op: Op,
        path: PatchPath,
        value: Value,
    ) -> Result<Vec<Edit>, ScimError> {
        let (target, value) = match path {
            PatchPath::Schema(schema) => return self.schema_assignments(op, schema, value),
            PatchPath::Singular(values) => {
                let edits = self.assignments(op, PatchPath::Attribute(values.target()), value)?;
                return Ok(edits
                    .into_iter()
                    .map(|edit| edit.only_if(&values))
                    .collect());
            }
            PatchPath::Attribute(path) => {
                let value = dialect::patch_value(path.leaf(), value);
                self.undeclared += undeclared::in_value(path.leaf(), &value);
                (Target::Attribute(path), value)
            }
            PatchPath::Values(values) => {
                let value = match values.sub_attribute {
                    Some(sub_attribute) => dialect::patch_value(sub_attribute, value),
                    None => single_element(op, values.path.attribute, value)?,
                };
                self.undeclared += undeclared::in_value(values.target().leaf(), &value);
                (Target::Values(values), value)
            }
        };
        let change = match op {
            Op::Add => Effect::Add(target, value),
            _ => Effect::Replace(target, value),
        };
        Ok(vec![change.into()])
    }

    /// Returns the attributes of one schema together: `{"URN": {…}}`, or its URN as path.
    fn schema_assignments(
        &mut self,
        op: Op,
        schema: &'static Schema,
        value: Value,
    ) -> Result<Vec<Edit>, ScimError> {
        match dialect::wrapped_extension(value) {
            Value::Object(members) => {
                let qualified = members
                    .into_iter()
                    .map(|(name, value)| (format!("{}:{}", schema.id, name.trim()), value))
                    .collect();
                self.without_path(op, Some(Value::Object(qualified)))
            }
            Value::Null => Ok(vec![remove_schema(schema, self.resource_type)?.into()]),
            _ => Err(ScimError::invalid_value(format!(
                "The value of '{}' must be an object.",
                schema.id
            ))
            .rule(rule::PATCH_VALUE)
            .about(schema.id)),
        }
    }

    fn removal(&self, path: PatchPath, value: Option<Value>) -> Result<Edit, ScimError> {
        let change = match path {
            PatchPath::Schema(schema) => remove_schema(schema, self.resource_type)?,
            PatchPath::Values(values) => Effect::Remove(Target::Values(values)),
            PatchPath::Attribute(path) => attribute_removal(path, value)?,
            PatchPath::Singular(values) => {
                let edit = Edit::from(attribute_removal(values.target(), value)?);
                return Ok(edit.only_if(&values));
            }
        };
        Ok(change.into())
    }
}

/// Parses a path. `None` for a well-formed path to an attribute no schema declares: such an operation is skipped,
/// because refusing it would lose the deactivation that may be sent with it. What we do not know
/// of a read-only attribute is as read-only as the rest of it.
fn parse_path(
    path: &str,
    resource_type: &'static ResourceType,
) -> Result<Option<PatchPath>, ScimError> {
    let path = match PatchPath::parse(path, resource_type) {
        Ok(path) => path,
        Err(PathError::Name(NameError::UnknownSubAttribute(attribute)))
            if attribute.is_read_only() =>
        {
            return Err(read_only(attribute));
        }
        Err(PathError::Name(NameError::UnknownAttribute | NameError::UnknownSubAttribute(_))) => {
            return Ok(None);
        }
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

/// Returns the read-only sub-attribute that a change of a complex attribute is about, if it is about
/// nothing else we know.
fn only_read_only(change: &Effect) -> Option<&'static Attribute> {
    let (Effect::Add(Target::Attribute(path), Value::Object(members))
    | Effect::Replace(Target::Attribute(path), Value::Object(members))) = change
    else {
        return None;
    };
    let mut known = members
        .keys()
        .filter_map(|name| path.leaf().sub_attribute(name));
    let first = known.next()?;
    (first.is_read_only() && known.all(Attribute::is_read_only)).then_some(first)
}

fn remove_schema(
    schema: &'static Schema,
    resource_type: &'static ResourceType,
) -> Result<Effect, ScimError> {
    if schema.id == resource_type.schema.id {
        return Err(ScimError::mutability(
            "'path' is the core schema, which has required attributes and cannot be removed; name the attributes to remove.",
        )
        .rule(rule::PATCH_REMOVE_REQUIRED)
        .about(schema.id));
    }
    Ok(Effect::RemoveExtension(schema))
}

/// Returns the new content of the elements that a filter selects: an object, or an array of one. An object
/// of only empty strings in place of what is there is null.
fn single_element(op: Op, attribute: &Attribute, value: Value) -> Result<Value, ScimError> {
    let is_placeholder = op == Op::Replace
        && dialect::patch_value(attribute, value.clone()) == Value::Array(Vec::new());
    match dialect::patch_element(attribute, value) {
        Value::Array(elements) if elements.len() == 1 && is_placeholder => Ok(Value::Null),
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

fn attribute_removal(path: AttributePath, value: Option<Value>) -> Result<Effect, ScimError> {
    let attribute = path.leaf();
    if attribute.required {
        return Err(ScimError::mutability(format!(
            "'{}' is required and cannot be removed; replace its value instead.",
            attribute.name
        ))
        .rule(rule::PATCH_REMOVE_REQUIRED)
        .about(attribute.name));
    }
    if !attribute.is_clearable() {
        return Err(cannot_be_cleared(attribute));
    }
    let Some(listed) = removal_by_value(&path, value) else {
        return Ok(Effect::Remove(Target::Attribute(path)));
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
    Ok(Effect::RemoveListed(path, listed))
}

/// `schemas`, `meta`, `groups` and other read-only attributes among those of an operation without
/// path: the client gives back what it read. (An `id` must be the resource's own.)
///
/// Sent by: Okta, which renames with `{"id": …, "displayName": …}` and reads before it writes
/// (Okta's SCIM 2.0 guide).
fn values_read_before(path: &PatchPath) -> bool {
    path.read_only().is_some()
}

/// `{"op": "Remove", "path": "emails", "value": [{"value": "a@x.org"}]}`: what to remove of a
/// multi-valued attribute, listed instead of filtered. `None` if nothing is listed and all values are removed.
///
/// Sent by: Entra without its flag (Entra, known issues; AzureAD/SCIMReferenceCode#10), JumpCloud.
fn removal_by_value(path: &AttributePath, value: Option<Value>) -> Option<Value> {
    value
        .filter(|value| !value.is_null() && path.attribute.multi_valued)
        .map(|value| dialect::to_schema(path.leaf(), value))
}
