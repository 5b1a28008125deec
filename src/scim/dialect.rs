//! What identity providers really send, rewritten to RFC form at the boundary.
//!
//! Every rule looks at what a request *is*, never at who sends it: one Entra tenant sends RFC and
//! legacy shapes side by side, because its `aadOptscim062020` flag does not reach on-demand
//! provisioning. Each rule is a function that says who sends what it rewrites, and has cases of
//! its name in `tests/data/dialects`. "Entra, known issues" is Microsoft's page "Known issues and
//! resolutions with SCIM 2.0 protocol compliance", "Entra, tutorial" its "Develop and plan
//! provisioning for a SCIM endpoint"; `owner/name#1` are issues on GitHub.

use serde_json::{Map, Value};

use super::bulk::RawMembers;
use super::compare::is_present;
use super::filter::{Filter, Operator};
use super::path::{AttributePath, Name, PatchPath, PathError, resolve, resolve_in};
use super::schema::{
    Attribute, Declared, ENTERPRISE_USER, ResourceType, Schema, Type, USER_SCHEMA,
};

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

/// Rewrites the value of an attribute in the body of a POST or PUT.
fn resource_value(attribute: &Attribute, value: Value) -> Value {
    empty_elements(attribute, to_schema(attribute, value))
}

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

/// Rewrites a value whose shape does not fit its attribute, where the meaning is plain. What
/// stays wrong is left for validation to refuse.
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

/// `"operations"`, `"Op"`, `"Path"`: names of a message's members in any case.
///
/// Sent by: nobody we have a capture of; what some JSON libraries make of names. Microsoft asks
/// servers not to match structure by case (Entra, tutorial).
fn member_names_in_any_case(members: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        let variant = variant_of(name, members.keys());
        if let Some(value) = variant.and_then(|variant| members.shift_remove(&variant)) {
            members.insert((*name).to_owned(), value);
        }
    }
}

/// The same for a message whose values are not read yet.
fn raw_member_names_in_any_case(members: &mut RawMembers, names: &[&str]) {
    for name in names {
        let variant = variant_of(name, members.keys());
        if let Some(value) = variant.and_then(|variant| members.remove(&variant)) {
            members.insert((*name).to_owned(), value);
        }
    }
}

/// The key that is a name in another case, if none is the name itself.
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
/// Sent by: nobody we have a capture of; what serialisers make of a path that is not set.
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

/// `{"name.givenName": …, "URN:department": …, "emails[type eq \"work\"].value": …}`: the keys of
/// an operation without path are paths themselves. `None` for what no schema declares.
///
/// Sent by: Entra with its flag (Entra, known issues; Captain-P-Goldfish/scim-for-keycloak#26).
///
/// # Errors
/// [`PathError`] for a malformed key with brackets, or one that begins with an attribute we know;
/// any other is unknown (`@odata.type`).
pub fn keys_as_paths(
    key: &str,
    resource_type: &'static ResourceType,
) -> Result<Option<PatchPath>, PathError> {
    let key = key.trim();
    match PatchPath::parse(key, resource_type) {
        Ok(path) => Ok(Some(path)),
        Err(PathError::UnknownAttribute | PathError::UnknownSubAttribute(_)) => Ok(None),
        Err(error) if key.contains('[') || begins_as_known(key, resource_type) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether the part of a key before its first dot is an attribute we know. URNs have dots too.
fn begins_as_known(key: &str, resource_type: &ResourceType) -> bool {
    let behind_urn = key.rfind(':').map_or(0, |colon| colon + 1);
    let (urn, name) = key.split_at(behind_urn);
    let first = name.split('.').next().unwrap_or_default();
    resolve(&format!("{urn}{first}"), resource_type).is_ok()
}

/// `schemas`, `meta`, `groups` and other read-only attributes among those of an operation without
/// path: the client gives back what it read. (An `id` must be the resource's own.)
///
/// Sent by: Okta, which renames with `{"id": …, "displayName": …}` and reads before it writes
/// (Okta's SCIM 2.0 guide).
#[must_use]
pub fn values_read_before(path: &PatchPath) -> bool {
    path.read_only().is_some()
}

/// `manager`, `department` and the others of the enterprise extension without their URN.
///
/// Sent by: Entra without its flag, `{"op": "Add", "path": "manager", …}` (Entra, tutorial).
#[must_use]
pub fn extension_attribute_without_urn(
    resource_type: &ResourceType,
    name: &str,
) -> Option<Declared> {
    resource_type.extensions.iter().find_map(|extension| {
        extension.attribute(name).map(|attribute| Declared {
            extension: Some(extension),
            attribute,
        })
    })
}

/// `urn:…:enterprise:2.0:User.department`: URN and attribute joined by a dot. Returns the name.
///
/// Sent by: Entra without its flag until 2018, and applications that still run in that mode
/// (Entra, known issues).
#[must_use]
pub fn dot_after_urn(behind_urn: &str) -> Option<&str> {
    behind_urn.strip_prefix('.')
}

/// URNs that the schemas had in SCIM 1.x and in drafts of SCIM 2.0. One that others begin with
/// stands behind them.
static OLDER_URNS: [(&Schema, &str); 11] = [
    (&USER_SCHEMA, "urn:ietf:params:scim:schemas:core:1.0:User"),
    (&USER_SCHEMA, "urn:scim:schemas:core:2.0:User"),
    (&USER_SCHEMA, "urn:scim:schemas:core:2.0"),
    (&USER_SCHEMA, "urn:scim:schemas:core:1.0"),
    (
        &ENTERPRISE_USER,
        "urn:ietf:params:scim:schemas:extension:enterprise:1.0:User",
    ),
    (
        &ENTERPRISE_USER,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0User",
    ),
    (
        &ENTERPRISE_USER,
        "urn:scim:schemas:extension:enterprise:2.0:User",
    ),
    (
        &ENTERPRISE_USER,
        "urn:scim:schemas:extension:enterprise:1.0:User",
    ),
    (
        &ENTERPRISE_USER,
        "urn:scim:schemas:extension:enterprise:2.0User",
    ),
    (
        &ENTERPRISE_USER,
        "urn:scim:schemas:extension:enterprise:2.0",
    ),
    (
        &ENTERPRISE_USER,
        "urn:scim:schemas:extension:enterprise:1.0",
    ),
];

/// `urn:scim:schemas:core:1.0`, `urn:scim:schemas:extension:enterprise:1.0` and the like: what the
/// URN of a schema was in SCIM 1.x or a draft of SCIM 2.0, in `schemas`, as a key and in paths.
/// Returns the schema and what follows its URN.
///
/// Sent by: OneLogin's template for SCIM 2, `urn:scim:schemas:core:1.0` alone (scim.dev's guide to
/// OneLogin); clients written from drafts, `urn:scim:schemas:core:2.0:User` (osiam/osiam#87);
/// Microsoft's own library knows `urn:scim:schemas:extension:enterprise:1.0` and `…:2.0`
/// (AzureAD/SCIMReferenceCode); Entra, `…enterprise:2.0User` without colon (Entra, tutorial).
#[must_use]
pub fn older_urn<'t>(
    text: &'t str,
    resource_type: &ResourceType,
) -> Option<(&'static Schema, &'t str)> {
    OLDER_URNS.iter().find_map(|(schema, urn)| {
        let (start, rest) = text.split_at_checked(urn.len())?;
        let ends_here = rest.is_empty() || rest.starts_with([':', '.']);
        let is_known = resource_type.schemas().any(|known| known.id == schema.id);
        (start.eq_ignore_ascii_case(urn) && ends_here && is_known).then_some((*schema, rest))
    })
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

/// The sub-attribute `value`, in any case.
fn is_value(name: &str) -> bool {
    name.eq_ignore_ascii_case("value")
}

/// `[{"value": x}]` or `[{…}]` for a singular attribute; an empty array is none. Members that are
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

/// The `value` among these members, if there is one and the others say nothing.
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

/// One object for a multi-valued attribute; an empty string is none.
///
/// Sent by: nobody we have a capture of; clients that know a user's one address.
fn single_for_multi_valued(value: Value) -> Value {
    match value {
        Value::Null | Value::Array(_) => value,
        Value::String(text) if text.is_empty() => Value::Null,
        single => Value::Array(vec![single]),
    }
}

/// `""`, `[]` or `[{…}]` for all attributes of an extension, as for a singular attribute.
///
/// Sent by: nobody we have a capture of; clients that send `manager` so.
#[must_use]
pub fn wrapped_extension(value: Value) -> Value {
    match value {
        Value::Array(mut elements) if elements.len() <= 1 => elements.pop().unwrap_or(Value::Null),
        Value::String(text) if text.is_empty() => Value::Null,
        value => value,
    }
}

/// A bare string for a complex attribute is its `value`; an empty one is none.
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

/// `{"value": ""}` or `{"value": null}` for a singular attribute that has a `value` is none.
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
            // What is said beside it counts more.
            let beside = members.into_iter().filter(|(name, _)| !is_value(name));
            inner.extend(beside);
            inner
        }
        _ => members,
    }
}

/// `{"managerId": …}`: what a manager's `value` was in SCIM 1.x. A `value` beside it counts more.
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

/// The element that a PATCH to `emails[type eq "work"].value` makes where none matches: the values
/// its filter asks for. RFC 7644 §3.5.2.3 alone would answer 400 noTarget, and its erratum 8097 on
/// `add` is held. `None` if the filter does not say by `eq` what the element would be.
///
/// Sent by: Entra, for every attribute of a multi-valued one that the user did not have
/// (Captain-P-Goldfish/SCIM-SDK#416).
#[must_use]
pub fn element_from_filter(filter: &Filter) -> Option<Map<String, Value>> {
    match filter {
        Filter::Compare {
            path,
            operator: Operator::Eq,
            value,
        } if !value.value().is_null() => {
            let name = path.sub_attribute?.name;
            Some(Map::from_iter([(name.to_owned(), value.value().clone())]))
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

/// `{"op": "Remove", "path": "emails", "value": [{"value": "a@x.org"}]}`: what to remove of a
/// multi-valued attribute, listed instead of filtered. `None` if nothing is listed and all goes.
///
/// Sent by: Entra without its flag (Entra, known issues; AzureAD/SCIMReferenceCode#10), JumpCloud.
#[must_use]
pub fn removal_by_value(path: &AttributePath, value: Option<Value>) -> Option<Value> {
    value
        .filter(|value| !value.is_null() && path.attribute.multi_valued)
        .map(|value| to_schema(path.leaf(), value))
}

/// `manager[value eq "m-1"]`: brackets on a singular complex attribute, which select it if it
/// matches. The grammar of RFC 7644 §3.5.2 has them, its text speaks of multi-valued attributes
/// only. An operation on one that does not match is skipped: refusing it would lose the
/// deactivation that may be sent with it, and applying it would change another manager.
///
/// Sent by: Entra, `{"op": "remove", "path": "manager[value eq \"…\"]"}`
/// (thomaspoignant/scim-patch#453).
#[must_use]
pub fn brackets_on_singular(attribute: &Attribute) -> bool {
    !attribute.multi_valued && attribute.kind == Type::Complex
}

/// `userName eq akadmin`: text in a filter without its quotes, where it is one word. Single quotes
/// are no quotes.
///
/// Sent by: authentik in 2025 (goauthentik/authentik#16455); examples of Microsoft's tutorial.
#[must_use]
pub fn unquoted_text(word: &str) -> Option<&str> {
    (!word.starts_with('\'')).then_some(word)
}

/// `emails[type eq "work"].value eq "…"`: a comparison behind the brackets, which the grammar of
/// RFC 7644 does not have. It asks for one value that meets both, so it joins the filter inside.
///
/// Sent by: Entra, when it matches users by an email (Microsoft's page "Troubleshoot user
/// provisioning validation"; no capture is known).
#[must_use]
pub fn condition_behind_brackets(inside: Filter, condition: Filter) -> Filter {
    Filter::And(vec![inside, condition])
}
