//! The elements of a multi-valued attribute: adding, finding and writing them back.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::change::MAX_VALUE_BYTES;
use crate::compare;
use crate::resource::{
    Document, check_elements, check_number, drop_repeated, is_primary, validate_element,
};
use crate::schema::{Attribute, AttributePath};
use crate::size::json_bytes;
use crate::work::{Exhausted, Work};
use crate::{ScimError, rule};

/// Validates the elements of a multi-valued attribute, without those that mean nothing because
/// their `value` is given as null.
pub(super) fn validate_elements(
    attribute: &Attribute,
    elements: Vec<Value>,
) -> Result<Vec<Value>, ScimError> {
    check_number(attribute, &elements)?;
    let mut validated = Vec::with_capacity(elements.len());
    for element in elements {
        let cleared = cleared_members(attribute, &element);
        if let Some(mut element) = validate_element(attribute, element)?
            && is_meaningful_without(&mut element, &cleared)
        {
            validated.push(element);
        }
    }
    drop_repeated(&mut validated);
    check_elements(attribute, &validated)?;
    Ok(validated)
}

/// Removes sub-attributes, and returns whether the rest is meaningful: a type and a mark without a value are not.
pub(super) fn is_meaningful_without(element: &mut Value, cleared: &[&Attribute]) -> bool {
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

/// Returns the sub-attributes that are given as null.
pub(super) fn cleared_members(attribute: &Attribute, value: &Value) -> Vec<&'static Attribute> {
    let members = value.as_object().into_iter().flatten();
    members
        .filter(|(_, value)| value.is_null())
        .filter_map(|(name, _)| attribute.sub_attribute(name))
        .collect()
}

/// Checks a value before it is written into several elements.
pub(super) fn check_copies(
    attribute: &Attribute,
    value: &Value,
    copies: usize,
) -> Result<(), ScimError> {
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

/// Adds an element and returns its index. One with the same `value` and `type` is merged, so that
/// a repeated request does not repeat the value (RFC 7643 §2.4).
pub(super) fn add_element(
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

/// Returns whether two elements have the same sub-attribute, as comparisons see it.
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

/// Returns whether an element is the one a `remove` lists: by `value`, and by `type` where it is given;
/// a listed object without `value` must agree in all it says.
pub(super) fn is_listed(
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

/// Keeps one value primary: when an operation makes a value primary, the earlier one is so no longer (§3.5.2).
pub(super) fn keep_one_primary(elements: &mut [Value], touched: &BTreeSet<usize>) {
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

pub(super) fn set_elements(document: &mut Document, path: &AttributePath, elements: Vec<Value>) {
    let value = (!elements.is_empty()).then_some(Value::Array(elements));
    document.set(&path.whole(), value);
}

pub(super) fn is_empty(element: &Value) -> bool {
    element.as_object().is_some_and(Map::is_empty)
}

/// Puts elements back, except those that were emptied.
pub(super) fn put_elements(
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
