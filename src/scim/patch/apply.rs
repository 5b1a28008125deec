//! What a change does to a document.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Change, MAX_VALUE_BYTES, Target};
use crate::scim::compare;
use crate::scim::dialect;
use crate::scim::path::{AttributePath, ValuePath};
use crate::scim::resource::{
    Document, cannot_be_cleared, check_elements, check_number, drop_repeated, given_twice,
    is_primary, validate, validate_element,
};
use crate::scim::schema::{Attribute, Type};
use crate::scim::size::json_bytes;
use crate::scim::work::{Exhausted, Work};
use crate::scim::{ScimError, rule};

/// Applies one change. A `$ref` that was not sent with a new `value` would still point to the old
/// one, so it goes.
pub(super) fn step(
    change: &Change,
    id: &str,
    document: &mut Document,
    work: &mut Work,
) -> Result<(), ScimError> {
    let Some(reference) = Reference::touched_by(change) else {
        return apply_change(change, id, document, work);
    };
    let before = document.get(&reference.value).cloned();
    apply_change(change, id, document, work)?;
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

fn apply_change(
    change: &Change,
    id: &str,
    document: &mut Document,
    work: &mut Work,
) -> Result<(), ScimError> {
    if let Change::Add(_, value) | Change::Replace(_, value) = change {
        work.spend_value(value)?;
    }
    match change {
        Change::AssertId(value) if value.as_str() == Some(id) => Ok(()),
        Change::AssertId(_) => Err(ScimError::mutability(
            "'id' is read-only, and the one sent is not this resource's.",
        )
        .rule(rule::ID_MISMATCH)
        .about("id")),
        Change::Add(Target::Attribute(path), value) => add(document, path, value.clone(), work),
        Change::Replace(Target::Attribute(path), value) => {
            replace(document, path, value.clone(), work)
        }
        Change::Remove(Target::Attribute(path)) => Ok(remove(document, path, work)?),
        Change::Add(Target::Values(values), value) => {
            write_values(document, values, value, Write::Merge, work)
        }
        Change::Replace(Target::Values(values), value) => {
            write_values(document, values, value, Write::Substitute, work)
        }
        Change::Remove(Target::Values(values)) => remove_values(document, values, work),
        Change::RemoveListed(path, listed) => remove_listed(document, path, listed, work),
        Change::RemoveExtension(extension) => {
            document.remove_extension(extension);
            Ok(())
        }
    }
}

/// `add` (§3.5.2.1): a singular value is set, a complex one merged, a multi-valued one extended by
/// the values it does not have yet. Null clears.
fn add(
    document: &mut Document,
    path: &AttributePath,
    value: Value,
    work: &mut Work,
) -> Result<(), ScimError> {
    if path.is_in_every_value() {
        return set_in_every_value(document, path, value, work);
    }
    match value {
        Value::Null => clear(document, path),
        Value::Object(members) if path.leaf().kind == Type::Complex => {
            merge_complex(document, path, members)
        }
        Value::Array(added) if path.leaf().multi_valued => {
            let added = validate_elements(path.attribute, added)?;
            let mut elements = document.take_elements(path);
            let touched = added
                .into_iter()
                .map(|element| add_element(path.attribute, &mut elements, element, work))
                .collect::<Result<BTreeSet<usize>, Exhausted>>()?;
            keep_one_primary(&mut elements, &touched);
            put_elements(document, path, elements, work)
        }
        value => {
            if let Some(value) = validate(path.leaf(), value)? {
                document.set(path, Some(value));
            }
            Ok(())
        }
    }
}

/// `replace` (§3.5.2.3): like `add`, but a multi-valued attribute loses its other values. The
/// sub-attributes a complex value does not mention stay.
fn replace(
    document: &mut Document,
    path: &AttributePath,
    value: Value,
    work: &mut Work,
) -> Result<(), ScimError> {
    match value {
        Value::Array(elements) if path.leaf().multi_valued => {
            let is_nothing_known = !elements.is_empty()
                && elements
                    .iter()
                    .all(|element| has_nothing_known(path.attribute, element));
            if is_nothing_known {
                // That is no reason to lose the known elements.
                return Ok(());
            }
            let elements = validate_elements(path.attribute, elements)?;
            if elements.is_empty() {
                return clear(document, path);
            }
            document.set(path, Some(Value::Array(elements)));
            Ok(())
        }
        value => add(document, path, value, work),
    }
}

/// Whether an element is an object without any sub-attribute we know.
fn has_nothing_known(attribute: &Attribute, element: &Value) -> bool {
    let is_known = |name: &String| attribute.sub_attribute(name).is_some();
    element
        .as_object()
        .is_some_and(|members| !members.keys().any(is_known))
}

/// Validates the elements of a multi-valued attribute, without those that mean nothing because
/// their `value` is given as null.
fn validate_elements(attribute: &Attribute, elements: Vec<Value>) -> Result<Vec<Value>, ScimError> {
    check_number(attribute, &elements)?;
    let mut validated = Vec::with_capacity(elements.len());
    for element in elements {
        let cleared = cleared_members(attribute, &element);
        if let Some(mut element) = validate_element(attribute, element)?
            && keeps_sense_without(&mut element, &cleared)
        {
            validated.push(element);
        }
    }
    drop_repeated(&mut validated);
    check_elements(attribute, &validated)?;
    Ok(validated)
}

fn remove(document: &mut Document, path: &AttributePath, work: &mut Work) -> Result<(), Exhausted> {
    match path.sub_attribute {
        Some(sub_attribute) if path.attribute.multi_valued => {
            let mut elements = document.take_elements(path);
            work.spend_values(&elements)?;
            elements.retain_mut(|element| keeps_sense_without(element, &[sub_attribute]));
            set_elements(document, path, elements);
        }
        _ => document.set(path, None),
    }
    Ok(())
}

/// Removes the elements that a `remove` lists.
fn remove_listed(
    document: &mut Document,
    path: &AttributePath,
    listed: &[Value],
    work: &mut Work,
) -> Result<(), ScimError> {
    let attribute = path.attribute;
    let mut kept = Vec::new();
    for element in document.take_elements(path) {
        let mut is_kept = true;
        for wanted in listed {
            if is_listed(attribute, &element, wanted, work)? {
                is_kept = false;
                break;
            }
        }
        if is_kept {
            kept.push(element);
        }
    }
    put_elements(document, path, kept, work)
}

/// Takes sub-attributes away, and says whether what is left means anything: a type and a mark
/// without a value do not.
fn keeps_sense_without(element: &mut Value, cleared: &[&Attribute]) -> bool {
    let Some(members) = element.as_object_mut() else {
        return true;
    };
    let is_cleared = |name: &str| cleared.iter().any(|cleared| cleared.name == name);
    members.retain(|name, _| !is_cleared(name));
    let describes = |name: &String| matches!(name.as_str(), "display" | "primary" | "type");
    match is_cleared("value") {
        true => !members.keys().all(describes),
        false => !members.is_empty(),
    }
}

fn clear(document: &mut Document, path: &AttributePath) -> Result<(), ScimError> {
    let attribute = path.leaf();
    if !attribute.is_clearable() {
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
    work: &mut Work,
) -> Result<(), ScimError> {
    let Some(value) = validate(path.leaf(), value)? else {
        return Ok(remove(document, path, work)?);
    };
    let mut elements = document.take_elements(path);
    if elements.is_empty() {
        elements.push(Value::Object(Map::new()));
    }
    check_copies(path.leaf(), &value, elements.len())?;
    for element in elements.iter_mut().filter_map(Value::as_object_mut) {
        element.insert(path.leaf().name.to_owned(), value.clone());
    }
    put_elements(document, path, elements, work)
}

/// Checks a value before it is written into several elements.
fn check_copies(attribute: &Attribute, value: &Value, copies: usize) -> Result<(), ScimError> {
    if json_bytes(value).saturating_mul(copies) > MAX_VALUE_BYTES {
        return Err(ScimError::invalid_value(format!(
            "The value of '{}' in {copies} elements would have more than {MAX_VALUE_BYTES} bytes together; send a shorter one.",
            attribute.name
        ))
        .rule(rule::PATCH_VALUE_SIZE)
        .about(attribute.name));
    }
    Ok(())
}

/// What writing a whole element does to the sub-attributes it does not mention.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Merge,
    Substitute,
}

/// Indexes of the elements that the filter selects.
fn selected(
    values: &ValuePath,
    elements: &[Value],
    work: &mut Work,
) -> Result<BTreeSet<usize>, Exhausted> {
    let mut selected = BTreeSet::new();
    for (index, element) in elements.iter().enumerate() {
        if values.filter.matches_element(element, work)? {
            selected.insert(index);
        }
    }
    Ok(selected)
}

/// Writes the selected elements, or the sub-attribute in them. Where there is none, it is made, if
/// it is one that the filter selects from then on: a repeated request must not make another.
fn write_values(
    document: &mut Document,
    values: &ValuePath,
    value: &Value,
    write: Write,
    work: &mut Work,
) -> Result<(), ScimError> {
    let attribute = values.path.attribute;
    // Of a sub-attribute's value, which is no object, none are.
    let cleared = cleared_members(attribute, value);
    let content = match values.sub_attribute {
        _ if value.is_null() => None,
        Some(sub_attribute) => validate(sub_attribute, value.clone())?,
        None => validate_element(attribute, value.clone())?,
    };
    let mut elements = document.take_elements(&values.path);
    let mut selected = selected(values, &elements, work)?;
    let is_new = selected.is_empty();
    if value.is_null() {
        clear_values(values, &mut elements, &selected);
    } else if content.is_some() || !(is_new || cleared.is_empty()) {
        if is_new {
            let element = dialect::element_from_filter(&values.filter);
            selected.insert(elements.len());
            elements.push(Value::Object(element.ok_or_else(|| no_match(attribute))?));
        }
        let content = content.unwrap_or_else(|| Value::Object(Map::new()));
        let leaf = values.sub_attribute.unwrap_or(attribute);
        check_copies(leaf, &content, selected.len())?;
        write_selected(values, &mut elements, &selected, &content, write, &cleared);
        if is_new && !is_found_again(values, elements.last(), work)? {
            return Err(no_match(attribute));
        }
        keep_one_primary(&mut elements, &selected);
    }
    put_elements(document, &values.path, elements, work)
}

/// Writes into the selected elements. One that means nothing any more is left as an empty object.
fn write_selected(
    values: &ValuePath,
    elements: &mut [Value],
    selected: &BTreeSet<usize>,
    content: &Value,
    write: Write,
    cleared: &[&Attribute],
) {
    let told_by_filter = dialect::element_from_filter(&values.filter).unwrap_or_default();
    for index in selected {
        let Some(element) = elements.get_mut(*index) else {
            continue;
        };
        let Some(members) = element.as_object_mut() else {
            continue;
        };
        match (values.sub_attribute, content) {
            (Some(sub_attribute), content) => {
                members.insert(sub_attribute.name.to_owned(), content.clone());
            }
            (None, Value::Object(content)) => {
                if write == Write::Substitute {
                    // What the filter says stays, so that a repeated request finds the element again.
                    members.retain(|name, _| told_by_filter.contains_key(name));
                }
                members.extend(content.clone());
            }
            (None, _) => {}
        }
        if !keeps_sense_without(element, cleared) {
            *element = Value::Object(Map::new());
        }
    }
}

/// Whether a repeated request would find the element that was made, unless nothing is left of it.
fn is_found_again(
    values: &ValuePath,
    element: Option<&Value>,
    work: &mut Work,
) -> Result<bool, Exhausted> {
    match element {
        Some(element) if is_empty(element) => Ok(true),
        Some(element) => values.filter.matches_element(element, work),
        None => Ok(false),
    }
}

/// The sub-attributes that are given as null.
fn cleared_members(attribute: &Attribute, value: &Value) -> Vec<&'static Attribute> {
    let members = value.as_object().into_iter().flatten();
    members
        .filter(|(_, value)| value.is_null())
        .filter_map(|(name, _)| attribute.sub_attribute(name))
        .collect()
}

/// RFC 7644 table 9: a filter that selects nothing is `noTarget`.
fn remove_values(
    document: &mut Document,
    values: &ValuePath,
    work: &mut Work,
) -> Result<(), ScimError> {
    let mut elements = document.take_elements(&values.path);
    let selected = selected(values, &elements, work)?;
    if selected.is_empty() {
        return Err(no_match(values.path.attribute));
    }
    clear_values(values, &mut elements, &selected);
    put_elements(document, &values.path, elements, work)
}

/// Takes the selected elements, or the sub-attribute in them, away.
fn clear_values(values: &ValuePath, elements: &mut Vec<Value>, selected: &BTreeSet<usize>) {
    let mut index = 0;
    elements.retain_mut(|element| {
        let is_selected = selected.contains(&index);
        index += 1;
        if !is_selected {
            return true;
        }
        match values.sub_attribute {
            Some(sub_attribute) => keeps_sense_without(element, &[sub_attribute]),
            None => false,
        }
    });
}

fn no_match(attribute: &Attribute) -> ScimError {
    ScimError::no_target(format!(
        "No value of '{}' matches the filter in 'path'.",
        attribute.name
    ))
    .rule(rule::PATCH_NO_TARGET)
    .about(attribute.name)
}

/// Adds an element and returns its index. One with the same `value` and `type` is merged, so that
/// a repeated request does not repeat the value (RFC 7643 §2.4).
fn add_element(
    attribute: &Attribute,
    elements: &mut Vec<Value>,
    added: Value,
    work: &mut Work,
) -> Result<usize, Exhausted> {
    let mut same = None;
    for (index, element) in elements.iter().enumerate() {
        if *element == added || is_same_value(attribute, element, &added, work)? {
            same = Some(index);
            break;
        }
    }
    let Some(index) = same else {
        elements.push(added);
        return Ok(elements.len() - 1);
    };
    if let (Some(Value::Object(present)), Value::Object(members)) = (elements.get_mut(index), added)
    {
        present.extend(members);
    }
    Ok(index)
}

fn is_same_value(
    attribute: &Attribute,
    left: &Value,
    right: &Value,
    work: &mut Work,
) -> Result<bool, Exhausted> {
    Ok(left.get("value").is_some()
        && is_equal(attribute, "value", left, right, work)?
        && is_equal(attribute, "type", left, right, work)?)
}

/// Whether two elements have the same sub-attribute, as comparisons see it.
fn is_equal(
    attribute: &Attribute,
    name: &str,
    left: &Value,
    right: &Value,
    work: &mut Work,
) -> Result<bool, Exhausted> {
    match (
        attribute.sub_attribute(name),
        left.get(name),
        right.get(name),
    ) {
        (Some(sub_attribute), Some(left), Some(right)) => {
            compare::is_equal(work, sub_attribute, left, right)
        }
        (_, left, right) => Ok(left == right),
    }
}

/// Whether an element is the one a `remove` lists: by `value`, and by `type` where it is given;
/// a listed object without `value` must agree in all it says.
fn is_listed(
    attribute: &Attribute,
    element: &Value,
    wanted: &Value,
    work: &mut Work,
) -> Result<bool, Exhausted> {
    let Some(members) = wanted.as_object() else {
        return Ok(element == wanted);
    };
    let is_decisive =
        |name: &str| !members.contains_key("value") || name == "value" || name == "type";
    for name in members.keys().filter(|name| is_decisive(name)) {
        if !is_equal(attribute, name, element, wanted, work)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// When an operation makes a value primary, the one that was so before no longer is (§3.5.2).
fn keep_one_primary(elements: &mut [Value], touched: &BTreeSet<usize>) {
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

fn set_elements(document: &mut Document, path: &AttributePath, elements: Vec<Value>) {
    let value = (!elements.is_empty()).then_some(Value::Array(elements));
    document.set(&path.whole(), value);
}

fn is_empty(element: &Value) -> bool {
    element.as_object().is_some_and(Map::is_empty)
}

/// Puts elements back, but for those that were emptied.
fn put_elements(
    document: &mut Document,
    path: &AttributePath,
    mut elements: Vec<Value>,
    work: &mut Work,
) -> Result<(), ScimError> {
    work.spend_values(&elements)?;
    elements.retain(|element| !is_empty(element));
    drop_repeated(&mut elements);
    check_elements(path.attribute, &elements)?;
    set_elements(document, path, elements);
    Ok(())
}
