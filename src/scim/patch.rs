//! PATCH (RFC 7644 §3.5.2): a PatchOp message in, the changed document out. Operations apply one
//! after another to a copy, so a message applies as a whole or not at all.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::ScimError;
use super::compare::order;
use super::dialect;
use super::path::{AttributePath, PatchPath, PathError, ValuePath};
use super::resource::{
    Document, cannot_be_cleared, check_elements, drop_repeated, given_twice, is_primary, validate,
    validate_element,
};
use super::schema::{Attribute, ResourceType, Schema, Type};

/// Most operations in one message.
pub const MAX_OPERATIONS: usize = 200;

/// A parsed PatchOp message.
#[derive(Debug)]
pub struct PatchOp {
    steps: Vec<Step>,
}

/// One change of one attribute; an operation without a path makes several.
#[derive(Debug)]
struct Step {
    /// Index of the operation in the message.
    operation: usize,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Add(Target, Value),
    Replace(Target, Value),
    Remove(Target),
    RemoveExtension(&'static Schema),
    /// `remove` of certain values, listed in `value` instead of a filter, as Entra and JumpCloud
    /// send it.
    RemoveListed(AttributePath, Vec<Value>),
    /// An `id` in an operation without a path; it must be the user's own.
    AssertId(Value),
}

#[derive(Debug)]
enum Target {
    Attribute(AttributePath),
    Values(ValuePath),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

impl PatchOp {
    /// Parses a message. `schemas` is not looked at: clients have been seen to send a wrong URN.
    ///
    /// # Errors
    /// `invalidSyntax`, `invalidPath`, `noTarget` or `mutability`, naming the operation.
    pub fn parse(
        mut message: Map<String, Value>,
        resource_type: &'static ResourceType,
    ) -> Result<Self, ScimError> {
        dialect::patch_message(&mut message);
        let Some(Value::Array(operations)) = message.shift_remove("Operations") else {
            return Err(ScimError::invalid_syntax(
                "A PATCH body needs an 'Operations' array (RFC 7644 section 3.5.2).",
            ));
        };
        if operations.is_empty() {
            return Err(ScimError::invalid_syntax(
                "'Operations' must contain at least one operation.",
            ));
        }
        if operations.len() > MAX_OPERATIONS {
            return Err(ScimError::invalid_syntax(format!(
                "'Operations' may contain at most {MAX_OPERATIONS} operations; send several requests."
            )));
        }
        let mut steps = Vec::with_capacity(operations.len());
        for (index, operation) in operations.into_iter().enumerate() {
            let changes = parse_operation(operation, resource_type)
                .map_err(|error| error.within(&format!("Operations[{index}]")))?;
            steps.extend(changes.into_iter().map(|change| Step {
                operation: index,
                change,
            }));
        }
        Ok(Self { steps })
    }

    /// Applies the message to the resource with this id.
    ///
    /// # Errors
    /// `invalidValue`, `noTarget` or `mutability`, naming the operation. The document is untouched.
    pub fn apply(
        &self,
        id: &str,
        document: &Document,
        resource_type: &ResourceType,
    ) -> Result<Document, ScimError> {
        let mut patched = document.clone();
        for step in &self.steps {
            apply_step(&step.change, id, &mut patched)
                .map_err(|error| error.within(&format!("Operations[{}]", step.operation)))?;
        }
        patched.check_required(resource_type)?;
        Ok(patched)
    }
}

fn parse_operation(
    operation: Value,
    resource_type: &'static ResourceType,
) -> Result<Vec<Change>, ScimError> {
    let Value::Object(mut operation) = operation else {
        return Err(ScimError::invalid_syntax("An operation must be an object."));
    };
    let op = match operation.get("op").and_then(Value::as_str) {
        Some("add") => Op::Add,
        Some("replace") => Op::Replace,
        Some("remove") => Op::Remove,
        _ => {
            return Err(ScimError::invalid_syntax(
                "'op' must be 'add', 'replace' or 'remove'.",
            ));
        }
    };
    let value = operation.shift_remove("value");
    let path = match operation.shift_remove("path") {
        None => return parse_without_path(op, value, resource_type),
        Some(Value::String(path)) => path,
        Some(_) => return Err(ScimError::invalid_path("'path' must be a string.")),
    };
    let Some(path) = parse_path(path.trim(), resource_type)? else {
        return Ok(Vec::new());
    };
    match op {
        Op::Remove => parse_remove(path, value, resource_type).map(|change| vec![change]),
        Op::Add | Op::Replace => {
            let value = value
                .ok_or_else(|| ScimError::invalid_value("'add' and 'replace' need a 'value'."))?;
            assignments(op, path, value, resource_type)
        }
    }
}

/// `None` for a well-formed path to an attribute no schema declares: such an operation is skipped,
/// because refusing it would lose the deactivation that may be sent with it.
fn parse_path(
    path: &str,
    resource_type: &'static ResourceType,
) -> Result<Option<PatchPath>, ScimError> {
    let path = match PatchPath::parse(path, resource_type) {
        Ok(path) => path,
        Err(PathError::UnknownAttribute) => return Ok(None),
        Err(error) => {
            return Err(ScimError::invalid_path(format!(
                "'path' cannot be used: {error}."
            )));
        }
    };
    match read_only(&path) {
        Some(attribute) => Err(ScimError::mutability(format!(
            "'{}' is read-only; leave it out of the request.",
            attribute.name
        ))),
        None => Ok(Some(path)),
    }
}

/// The attribute on the path that clients may not write, if there is one.
fn read_only(path: &PatchPath) -> Option<&'static Attribute> {
    match path {
        PatchPath::Schema(_) => None,
        PatchPath::Attribute(path) => path.read_only(),
        PatchPath::Values(values) => {
            let path = AttributePath {
                sub_attribute: values.sub_attribute,
                ..values.path
            };
            path.read_only()
        }
    }
}

/// RFC 7644 §3.5.2.1 and §3.5.2.3: without a path, the value is an object of attributes. Its keys
/// may be paths of their own, which Entra sends with its flag (`name.givenName`, `URN:attribute`).
fn parse_without_path(
    op: Op,
    value: Option<Value>,
    resource_type: &'static ResourceType,
) -> Result<Vec<Change>, ScimError> {
    if op == Op::Remove {
        return Err(ScimError::no_target("'remove' needs a 'path'."));
    }
    let Some(Value::Object(members)) = value else {
        return Err(ScimError::invalid_value(
            "Without a 'path', 'value' must be an object of attributes.",
        ));
    };
    let mut changes = Vec::with_capacity(members.len());
    for (key, value) in members {
        let path = match PatchPath::parse(&key, resource_type) {
            Ok(path) => path,
            Err(PathError::UnknownAttribute) => continue,
            // What cannot be the name of an attribute is one that nobody knows.
            Err(_) if !key.contains('[') => continue,
            Err(error) => {
                return Err(ScimError::invalid_path(format!(
                    "The key '{key}' cannot be used: {error}."
                )));
            }
        };
        match path {
            PatchPath::Attribute(path) if path.attribute.name == "id" => {
                changes.push(Change::AssertId(value));
            }
            // Okta and Microsoft's client send the resource back with what the server wrote.
            path if read_only(&path).is_some() => {}
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
    match value {
        Value::Object(members) => {
            let qualified = members
                .into_iter()
                .map(|(name, value)| (format!("{}:{name}", schema.id), value))
                .collect();
            parse_without_path(op, Some(Value::Object(qualified)), resource_type)
        }
        Value::Null => remove_schema(schema, resource_type).map(|change| vec![change]),
        _ => Err(ScimError::invalid_value(format!(
            "The value of '{}' must be an object.",
            schema.id
        ))),
    }
}

fn remove_schema(
    schema: &'static Schema,
    resource_type: &'static ResourceType,
) -> Result<Change, ScimError> {
    if schema.id == resource_type.schema.id {
        return Err(ScimError::mutability(
            "The core schema has required attributes and cannot be removed.",
        ));
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
        ))),
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
        )));
    }
    if attribute.never_cleared {
        return Err(cannot_be_cleared(attribute));
    }
    let value = value.filter(|value| !value.is_null() && path.attribute.multi_valued);
    let Some(value) = value else {
        return Ok(Change::Remove(Target::Attribute(path)));
    };
    if path.is_in_every_value() {
        return Err(ScimError::invalid_value(
            "A 'value' cannot select what to remove of a sub-attribute; use a filter in 'path'.",
        ));
    }
    // What lists nothing removes nothing.
    let listed = match validate(attribute, dialect::coerce(attribute, value))? {
        Some(Value::Array(listed)) => listed,
        _ => Vec::new(),
    };
    Ok(Change::RemoveListed(path, listed))
}

/// Applies one change. A `$ref` that was not sent with a new `value` would still point to the old
/// one, so it goes.
fn apply_step(change: &Change, id: &str, document: &mut Document) -> Result<(), ScimError> {
    let Some(reference) = Reference::touched_by(change) else {
        return apply_change(change, id, document);
    };
    let before = document.get(&reference.value).cloned();
    apply_change(change, id, document)?;
    if document.get(&reference.value) != before.as_ref() {
        document.set(&reference.path, None);
    }
    Ok(())
}

/// The `value` and `$ref` of a singular complex attribute.
struct Reference {
    value: AttributePath,
    path: AttributePath,
}

impl Reference {
    /// Those that a change may make disagree: it touches the attribute and leaves `$ref` alone.
    fn touched_by(change: &Change) -> Option<Self> {
        let (path, sent) = match change {
            Change::Add(Target::Attribute(path), value)
            | Change::Replace(Target::Attribute(path), value) => (path, Some(value)),
            Change::Remove(Target::Attribute(path)) => (path, None),
            _ => return None,
        };
        let attribute = path.attribute;
        let sub_path = |name| {
            Some(AttributePath {
                sub_attribute: Some(attribute.sub_attribute(name)?),
                ..*path
            })
        };
        let reference = Self {
            value: sub_path("value")?,
            path: sub_path("$ref")?,
        };
        let names_it = |member: &String| member.eq_ignore_ascii_case("$ref");
        let is_sent = sent
            .and_then(Value::as_object)
            .is_some_and(|members| members.keys().any(names_it));
        (!attribute.multi_valued && !is_sent && *path != reference.path).then_some(reference)
    }
}

fn apply_change(change: &Change, id: &str, document: &mut Document) -> Result<(), ScimError> {
    match change {
        Change::AssertId(value) if value.as_str() == Some(id) => Ok(()),
        Change::AssertId(_) => Err(ScimError::mutability(
            "'id' is read-only, and the one sent is not this resource's.",
        )),
        Change::Add(Target::Attribute(path), value) => add(document, path, value.clone()),
        Change::Replace(Target::Attribute(path), value) => replace(document, path, value.clone()),
        Change::Remove(Target::Attribute(path)) => {
            remove(document, path);
            Ok(())
        }
        Change::Add(Target::Values(values), value) => {
            write_values(document, values, value, Write::Merge)
        }
        Change::Replace(Target::Values(values), value) => {
            write_values(document, values, value, Write::Substitute)
        }
        Change::Remove(Target::Values(values)) => remove_values(document, values),
        Change::RemoveListed(path, listed) => {
            let mut elements = take_elements(document, path);
            let attribute = path.attribute;
            elements.retain(|element| {
                !listed
                    .iter()
                    .any(|wanted| is_listed(attribute, element, wanted))
            });
            put_elements(document, path, elements)
        }
        Change::RemoveExtension(extension) => {
            document.remove_extension(extension);
            Ok(())
        }
    }
}

/// `add` (§3.5.2.1): a singular value is set, a complex one merged, a multi-valued one extended by
/// the values it does not have yet. Null clears.
fn add(document: &mut Document, path: &AttributePath, value: Value) -> Result<(), ScimError> {
    if path.is_in_every_value() {
        return set_in_every_value(document, path, value);
    }
    match value {
        Value::Null => clear(document, path),
        Value::Object(members) if path.leaf().kind == Type::Complex => {
            merge_complex(document, path, members)
        }
        value => match validate(path.leaf(), value)? {
            Some(Value::Array(added)) => {
                let mut elements = take_elements(document, path);
                let touched: Vec<usize> = added
                    .into_iter()
                    .map(|element| add_element(path.attribute, &mut elements, element))
                    .collect();
                keep_one_primary(&mut elements, &touched);
                put_elements(document, path, elements)
            }
            Some(value) => {
                document.set(path, Some(value));
                Ok(())
            }
            None => Ok(()),
        },
    }
}

/// `replace` (§3.5.2.3): like `add`, but a multi-valued attribute loses its other values. The
/// sub-attributes a complex value does not mention stay.
fn replace(document: &mut Document, path: &AttributePath, value: Value) -> Result<(), ScimError> {
    match value {
        Value::Array(elements) if path.leaf().multi_valued && elements.is_empty() => {
            clear(document, path)
        }
        Value::Array(elements) if path.leaf().multi_valued => {
            // Elements of which nothing is known are no reason to lose the known ones.
            if let Some(value) = validate(path.leaf(), Value::Array(elements))? {
                document.set(path, Some(value));
            }
            Ok(())
        }
        value => add(document, path, value),
    }
}

fn remove(document: &mut Document, path: &AttributePath) {
    match path.sub_attribute {
        Some(sub_attribute) if path.attribute.multi_valued => {
            let mut elements = take_elements(document, path);
            elements.retain_mut(|element| keeps_sense_without(element, sub_attribute));
            set_elements(document, path, elements);
        }
        _ => document.set(path, None),
    }
}

/// Takes a sub-attribute away, and says whether what is left means anything: a type and a mark
/// without a value do not.
fn keeps_sense_without(element: &mut Value, sub_attribute: &Attribute) -> bool {
    let Some(members) = element.as_object_mut() else {
        return false;
    };
    members.shift_remove(sub_attribute.name);
    let describes = |name: &String| matches!(name.as_str(), "display" | "primary" | "type");
    match sub_attribute.name {
        "value" => !members.keys().all(describes),
        _ => !members.is_empty(),
    }
}

fn clear(document: &mut Document, path: &AttributePath) -> Result<(), ScimError> {
    let attribute = path.leaf();
    if attribute.required || attribute.never_cleared {
        return Err(cannot_be_cleared(attribute));
    }
    document.set(path, None);
    Ok(())
}

/// Sets the sub-attributes that are given, and clears those given as null.
fn merge_complex(
    document: &mut Document,
    path: &AttributePath,
    members: Map<String, Value>,
) -> Result<(), ScimError> {
    let mut merged: Vec<&'static Attribute> = Vec::new();
    for (name, value) in members {
        let Some(sub_attribute) = path.attribute.sub_attribute(&name) else {
            continue;
        };
        if sub_attribute.is_read_only() {
            continue;
        }
        if merged.iter().any(|earlier| earlier.is(sub_attribute)) {
            return Err(given_twice(path.attribute, sub_attribute));
        }
        merged.push(sub_attribute);
        let sub_path = AttributePath {
            sub_attribute: Some(sub_attribute),
            ..*path
        };
        document.set(&sub_path, validate(sub_attribute, value)?);
    }
    Ok(())
}

/// A path such as `emails.type`, without a filter, means that sub-attribute of every value.
fn set_in_every_value(
    document: &mut Document,
    path: &AttributePath,
    value: Value,
) -> Result<(), ScimError> {
    let Some(value) = validate(path.leaf(), value)? else {
        remove(document, path);
        return Ok(());
    };
    let mut elements = take_elements(document, path);
    if elements.is_empty() {
        elements.push(Value::Object(Map::new()));
    }
    for element in elements.iter_mut().filter_map(Value::as_object_mut) {
        element.insert(path.leaf().name.to_owned(), value.clone());
    }
    put_elements(document, path, elements)
}

/// What writing a whole element does to the sub-attributes it does not mention.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Merge,
    Substitute,
}

/// Indexes of the elements that the filter selects.
fn selected(values: &ValuePath, elements: &[Value]) -> Vec<usize> {
    elements
        .iter()
        .enumerate()
        .filter(|(_, element)| values.filter.matches_element(element))
        .map(|(index, _)| index)
        .collect()
}

/// Writes the selected elements, or the sub-attribute in them. Where there is none, it is made, if
/// it is one that the filter selects from then on: a repeated request must not make another.
fn write_values(
    document: &mut Document,
    values: &ValuePath,
    value: &Value,
    write: Write,
) -> Result<(), ScimError> {
    let attribute = values.path.attribute;
    let mut elements = take_elements(document, &values.path);
    let mut selected = selected(values, &elements);
    if value.is_null() {
        clear_values(values, &mut elements, &selected);
        return put_elements(document, &values.path, elements);
    }
    let validated = match values.sub_attribute {
        Some(sub_attribute) => validate(sub_attribute, value.clone())?,
        None => validate_element(attribute, value.clone())?,
    };
    let cleared = cleared_members(attribute, value);
    let Some(value) =
        validated.or_else(|| (!cleared.is_empty()).then(|| Value::Object(Map::new())))
    else {
        return Ok(());
    };
    let told_by_filter = dialect::element_from_filter(&values.filter);
    let is_new = selected.is_empty();
    if is_new {
        let element = told_by_filter.clone().ok_or_else(|| no_match(attribute))?;
        selected.push(elements.len());
        elements.push(Value::Object(element));
    }
    for index in &selected {
        let Some(Value::Object(members)) = elements.get_mut(*index) else {
            continue;
        };
        match (values.sub_attribute, &value) {
            (Some(sub_attribute), value) => {
                members.insert(sub_attribute.name.to_owned(), value.clone());
            }
            (None, Value::Object(content)) => {
                if write == Write::Substitute {
                    // What the filter tells stays, so that a repeated request finds it again.
                    members.retain(|name, _| {
                        told_by_filter
                            .as_ref()
                            .is_some_and(|told| told.contains_key(name))
                    });
                }
                members.extend(content.clone());
                members.retain(|name, _| !cleared.contains(&name.as_str()));
            }
            (None, _) => {}
        }
    }
    let is_selected = |element: &Value| values.filter.matches_element(element);
    if is_new && !elements.last().is_some_and(is_selected) {
        return Err(no_match(attribute));
    }
    keep_one_primary(&mut elements, &selected);
    put_elements(document, &values.path, elements)
}

/// Names of the sub-attributes that are given as null.
fn cleared_members(attribute: &Attribute, value: &Value) -> Vec<&'static str> {
    let members = value.as_object().into_iter().flatten();
    members
        .filter(|(_, value)| value.is_null())
        .filter_map(|(name, _)| Some(attribute.sub_attribute(name)?.name))
        .collect()
}

/// RFC 7644 table 9: a filter that selects nothing is `noTarget`.
fn remove_values(document: &mut Document, values: &ValuePath) -> Result<(), ScimError> {
    let mut elements = take_elements(document, &values.path);
    let selected = selected(values, &elements);
    if selected.is_empty() {
        return Err(no_match(values.path.attribute));
    }
    clear_values(values, &mut elements, &selected);
    put_elements(document, &values.path, elements)
}

/// Takes the selected elements, or the sub-attribute in them, away.
fn clear_values(values: &ValuePath, elements: &mut Vec<Value>, selected: &[usize]) {
    let mut index = 0;
    elements.retain_mut(|element| {
        let is_selected = selected.contains(&index);
        index += 1;
        if !is_selected {
            return true;
        }
        match values.sub_attribute {
            Some(sub_attribute) => keeps_sense_without(element, sub_attribute),
            None => false,
        }
    });
}

fn no_match(attribute: &Attribute) -> ScimError {
    ScimError::no_target(format!(
        "No value of '{}' matches the filter in 'path'.",
        attribute.name
    ))
}

/// Adds an element and returns its index. One with the same `value` and `type` is merged, so that
/// a repeated request does not repeat the value (RFC 7643 §2.4).
fn add_element(attribute: &Attribute, elements: &mut Vec<Value>, added: Value) -> usize {
    let same = elements
        .iter()
        .position(|element| *element == added || is_same_value(attribute, element, &added));
    match (same, added) {
        (Some(index), Value::Object(members)) => {
            if let Some(Value::Object(present)) = elements.get_mut(index) {
                present.extend(members);
            }
            index
        }
        (Some(index), _) => index,
        (None, added) => {
            elements.push(added);
            elements.len() - 1
        }
    }
}

fn is_same_value(attribute: &Attribute, left: &Value, right: &Value) -> bool {
    left.get("value").is_some()
        && is_equal(attribute, "value", left, right)
        && is_equal(attribute, "type", left, right)
}

/// Whether two elements have the same sub-attribute, as comparisons see it.
fn is_equal(attribute: &Attribute, name: &str, left: &Value, right: &Value) -> bool {
    match (
        attribute.sub_attribute(name),
        left.get(name),
        right.get(name),
    ) {
        (Some(sub_attribute), Some(left), Some(right)) => {
            order(sub_attribute, left, right) == Some(Ordering::Equal)
        }
        (_, left, right) => left == right,
    }
}

/// Whether an element is the one a `remove` lists: by `value`, and by `type` where it is given;
/// a listed object without `value` must agree in all it says.
fn is_listed(attribute: &Attribute, element: &Value, wanted: &Value) -> bool {
    let Some(members) = wanted.as_object() else {
        return element == wanted;
    };
    let is_decisive =
        |name: &str| !members.contains_key("value") || name == "value" || name == "type";
    members
        .keys()
        .filter(|name| is_decisive(name))
        .all(|name| is_equal(attribute, name, element, wanted))
}

/// When an operation makes a value primary, the one that was so before no longer is (§3.5.2).
fn keep_one_primary(elements: &mut [Value], touched: &[usize]) {
    let newly_primary = touched
        .iter()
        .any(|index| elements.get(*index).is_some_and(is_primary));
    if !newly_primary {
        return;
    }
    for (index, element) in elements.iter_mut().enumerate() {
        if !touched.contains(&index)
            && is_primary(element)
            && let Some(members) = element.as_object_mut()
        {
            members.insert("primary".to_owned(), Value::Bool(false));
        }
    }
}

fn take_elements(document: &Document, path: &AttributePath) -> Vec<Value> {
    match document.get(&path.whole()) {
        Some(Value::Array(elements)) => elements.clone(),
        _ => Vec::new(),
    }
}

fn set_elements(document: &mut Document, path: &AttributePath, elements: Vec<Value>) {
    let value = (!elements.is_empty()).then_some(Value::Array(elements));
    document.set(&path.whole(), value);
}

fn put_elements(
    document: &mut Document,
    path: &AttributePath,
    mut elements: Vec<Value>,
) -> Result<(), ScimError> {
    elements.retain(|element| {
        element
            .as_object()
            .is_none_or(|members| !members.is_empty())
    });
    drop_repeated(&mut elements);
    check_elements(path.attribute, &elements)?;
    set_elements(document, path, elements);
    Ok(())
}
