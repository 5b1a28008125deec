//! Changes the elements that a filter in the path selects.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::elements::{
    check_copies, cleared_members, is_empty, is_meaningful_without, keep_one_primary, put_elements,
};
use crate::filter::{Filter, Operator, ValuePath};
use crate::resource::{Document, validate, validate_element};
use crate::schema::Attribute;
use crate::work::{Exhausted, Work};
use crate::{ScimError, rule};

/// What writing a whole element does to the sub-attributes it does not mention.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
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
pub(super) fn write_values(
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
            let element = element_from_filter(&values.filter);
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

/// Writes into the selected elements. An element that has become meaningless is left as an empty object.
fn write_selected(
    values: &ValuePath,
    elements: &mut [Value],
    selected: &BTreeSet<usize>,
    content: &Value,
    write: Write,
    cleared: &[&Attribute],
) {
    let named_by_filter = element_from_filter(&values.filter).unwrap_or_default();
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
                    members.retain(|name, _| named_by_filter.contains_key(name));
                }
                members.extend(content.clone());
            }
            (None, _) => {}
        }
        if !is_meaningful_without(element, cleared) {
            *element = Value::Object(Map::new());
        }
    }
}

/// Returns whether a repeated request would find the element that was made, unless nothing is left of it.
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

/// Returns the element that a PATCH to `emails[type eq "work"].value` makes where none matches: the values
/// its filter requires. RFC 7644 §3.5.2.3 alone would require 400 noTarget, and its erratum 8097 on
/// `add` is held for document update. `None` if the filter does not say by `eq` what the element would be.
///
/// Sent by: Entra, for every attribute of a multi-valued one that the user did not have
/// (Captain-P-Goldfish/SCIM-SDK#416).
fn element_from_filter(filter: &Filter) -> Option<Map<String, Value>> {
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

/// Removes the selected elements; `noTarget` if the filter selects none (RFC 7644 table 9).
pub(super) fn remove_values(
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

/// Removes the selected elements, or the sub-attribute in them.
fn clear_values(values: &ValuePath, elements: &mut Vec<Value>, selected: &BTreeSet<usize>) {
    let mut index = 0;
    elements.retain_mut(|element| {
        let is_selected = selected.contains(&index);
        index += 1;
        if !is_selected {
            return true;
        }
        match values.sub_attribute {
            Some(sub_attribute) => is_meaningful_without(element, &[sub_attribute]),
            None => false,
        }
    });
}

fn no_match(attribute: &Attribute) -> ScimError {
    ScimError::no_target(format!(
        "No value of '{0}' matches the filter in 'path'; correct the filter, or add a value with the path '{0}'.",
        attribute.name
    ))
    .rule(rule::PATCH_NO_TARGET)
    .about(attribute.name)
}
