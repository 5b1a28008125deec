//! Applies changes to a document.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::change::{Effect, Target};
use super::elements::{
    add_element, check_copies, is_listed, is_meaningful_without, keep_one_primary, put_elements,
    set_elements, validate_elements,
};
use super::values::{Write, remove_values, write_values};
use crate::resource::{Document, cannot_be_cleared, given_twice, validate};
use crate::schema::{Attribute, AttributePath, Type};
use crate::work::{Exhausted, Work};
use crate::{ScimError, rule};

/// Applies one change. A `$ref` that was not sent with a new `value` would still point to the old
/// one, so it is removed.
pub(crate) fn step(
    change: &Effect,
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
    fn touched_by(change: &Effect) -> Option<Self> {
        let (path, sent) = match change {
            Effect::Add(Target::Attribute(path), value)
            | Effect::Replace(Target::Attribute(path), value) => (path, Some(value)),
            Effect::Remove(Target::Attribute(path)) => (path, None),
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
    change: &Effect,
    id: &str,
    document: &mut Document,
    work: &mut Work,
) -> Result<(), ScimError> {
    if let Effect::Add(_, value) | Effect::Replace(_, value) = change {
        work.spend_value(value)?;
    }
    match change {
        Effect::AssertId(value) if value.as_str() == Some(id) => Ok(()),
        Effect::AssertId(_) => Err(ScimError::mutability(
            "'id' is read-only, and this value is not the resource's id; leave 'id' out of the request.",
        )
        .rule(rule::ID_MISMATCH)
        .about("id")),
        Effect::Add(Target::Attribute(path), value) => add(document, path, value.clone(), work),
        Effect::Replace(Target::Attribute(path), value) => {
            replace(document, path, value.clone(), work)
        }
        Effect::Remove(Target::Attribute(path)) => Ok(remove(document, path, work)?),
        Effect::Add(Target::Values(values), value) => {
            write_values(document, values, value, Write::Merge, work)
        }
        Effect::Replace(Target::Values(values), value) => {
            write_values(document, values, value, Write::Substitute, work)
        }
        Effect::Remove(Target::Values(values)) => remove_values(document, values, work),
        Effect::RemoveListed(path, listed) => remove_listed(document, path, listed, work),
        Effect::RemoveExtension(extension) => {
            document.remove_extension(extension);
            Ok(())
        }
    }
}

/// Applies `add` (§3.5.2.1): a singular value is set, a complex one merged, a multi-valued one extended by
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

/// Applies `replace` (§3.5.2.3): like `add`, but a multi-valued attribute loses its other values. The
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

/// Returns whether an element is an object without any sub-attribute we know.
fn has_nothing_known(attribute: &Attribute, element: &Value) -> bool {
    let is_known = |name: &String| attribute.sub_attribute(name).is_some();
    element
        .as_object()
        .is_some_and(|members| !members.keys().any(is_known))
}

fn remove(document: &mut Document, path: &AttributePath, work: &mut Work) -> Result<(), Exhausted> {
    match path.sub_attribute {
        Some(sub_attribute) if path.attribute.multi_valued => {
            let mut elements = document.take_elements(path);
            work.spend_values(&elements)?;
            elements.retain_mut(|element| is_meaningful_without(element, &[sub_attribute]));
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

/// Sets a sub-attribute of every value, for a path such as `emails.type` without a filter.
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
