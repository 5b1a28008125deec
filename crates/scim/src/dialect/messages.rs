//! PATCH and bulk messages whose members are spelled differently.

use serde_json::{Map, Value};

use crate::raw::RawMembers;

/// Rewrites a PATCH message, except the values, whose attributes are not known yet.
pub fn patch_message(message: &mut Map<String, Value>) {
    member_names_in_any_case(message, &["Operations"]);
    other_message_schemas(message);
    let Some(Value::Array(operations)) = message.get_mut("Operations") else {
        return;
    };
    for operation in operations.iter_mut().filter_map(Value::as_object_mut) {
        member_names_in_any_case(operation, &["op", "path", "value"]);
        op_in_any_case(operation);
        empty_path(operation);
    }
}

/// Rewrites a bulk request, except its operations.
pub fn bulk_message(message: &mut RawMembers) {
    raw_member_names_in_any_case(message, &["Operations", "failOnErrors"]);
}

/// Rewrites an operation of a bulk request, except its data.
pub fn bulk_operation(operation: &mut RawMembers) {
    raw_member_names_in_any_case(operation, &["method", "path", "bulkId", "version", "data"]);
}

/// `"operations"`, `"Op"`, `"Path"`: names of a message's members in any case.
///
/// Sent by: no client with a known capture; some JSON libraries change names so. Microsoft requires
/// servers not to match structure by case (Entra, tutorial).
fn member_names_in_any_case(members: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        let variant = variant_of(name, members.keys());
        if let Some(value) = variant.and_then(|variant| members.shift_remove(&variant)) {
            members.insert((*name).to_owned(), value);
        }
    }
}

/// Does the same as [`member_names_in_any_case`] in a message whose values are not read yet.
fn raw_member_names_in_any_case(members: &mut RawMembers, names: &[&str]) {
    for name in names {
        let variant = variant_of(name, members.keys());
        if let Some(value) = variant.and_then(|variant| members.remove(&variant)) {
            members.insert((*name).to_owned(), value);
        }
    }
}

/// Returns the key that is a name in another case, if none is the name itself.
fn variant_of<'k>(name: &str, keys: impl Iterator<Item = &'k String>) -> Option<String> {
    let mut variant = None;
    for key in keys.filter(|key| key.eq_ignore_ascii_case(name)) {
        if key == name {
            return None;
        }
        variant.get_or_insert(key);
    }
    variant.cloned()
}

/// `schemas` of a PATCH message with another URN than PatchOp's, or none: the body is a PatchOp by
/// its `Operations`.
///
/// Sent by: Microsoft's SCIM Validator, `urn:ietf:params:scim:schemas:core:2.0:PatchOp`
/// (thomaspoignant/scim-patch#207).
fn other_message_schemas(message: &mut Map<String, Value>) {
    message.retain(|name, _| !name.eq_ignore_ascii_case("schemas"));
}

/// `"Add"`, `"Replace"`, `"Remove"`.
///
/// Sent by: Entra without its flag (Entra, known issues).
fn op_in_any_case(operation: &mut Map<String, Value>) {
    if let Some(Value::String(op)) = operation.get_mut("op") {
        op.make_ascii_lowercase();
    }
}

/// `"path": ""` or `null` for an operation without path.
///
/// Sent by: no client with a known capture; serialisers write a path that is not set so.
fn empty_path(operation: &mut Map<String, Value>) {
    let is_empty = match operation.get("path") {
        Some(Value::String(path)) => path.trim().is_empty(),
        Some(Value::Null) => true,
        _ => false,
    };
    if is_empty {
        operation.shift_remove("path");
    }
}
