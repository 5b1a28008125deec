//! Validates values against their attribute.

use std::collections::HashSet;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use crate::compare::instant;
use crate::schema::{Attribute, Type};
use crate::{ScimError, rule};

/// base64 whose padding may be left out (RFC 7643 §2.3.6).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Most values of a multi-valued attribute.
pub const MAX_VALUES: usize = 100;

/// Validates a value for an attribute; `None` means unassigned.
///
/// # Errors
/// `invalidValue` if the value has another type than the attribute; it names both.
pub fn validate(attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
    if value.is_null() {
        return Ok(None);
    }
    if !attribute.multi_valued {
        return validate_element(attribute, value);
    }
    let Value::Array(elements) = value else {
        return Err(wrong_type(attribute, "an array"));
    };
    check_number(attribute, &elements)?;
    let mut elements = elements
        .into_iter()
        .filter_map(|element| validate_element(attribute, element).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    drop_repeated(&mut elements);
    check_elements(attribute, &elements)?;
    Ok((!elements.is_empty()).then_some(Value::Array(elements)))
}

/// Returns the refusal of an attribute, or a sub-attribute of it, that comes under two names.
pub(crate) fn given_twice(attribute: &Attribute, sub_attribute: &Attribute) -> ScimError {
    let name = if attribute.is(sub_attribute) {
        attribute.name.to_owned()
    } else {
        format!("{}.{}", attribute.name, sub_attribute.name)
    };
    let mut error = ScimError::invalid_syntax(format!("'{name}' is given twice; send it once."))
        .rule(rule::ATTRIBUTE_REPEATED);
    error.attribute = Some(name);
    error
}

/// Drops values that are there already (RFC 7643 §2.4), so that repeated requests do not pile up.
pub(crate) fn drop_repeated(elements: &mut Vec<Value>) {
    let mut seen = HashSet::with_capacity(elements.len());
    let is_new: Vec<bool> = elements
        .iter()
        .map(|element| seen.insert(element))
        .collect();
    let mut is_new = is_new.into_iter();
    elements.retain(|_| is_new.next() == Some(true));
}

/// Checks how many values a multi-valued attribute is given, before anything is done with them.
///
/// # Errors
/// `invalidValue`, which names the attribute, for more than [`MAX_VALUES`].
pub(crate) fn check_number(attribute: &Attribute, elements: &[Value]) -> Result<(), ScimError> {
    if elements.len() > MAX_VALUES {
        return Err(ScimError::invalid_value(format!(
            "'{}' may have at most {MAX_VALUES} values; send fewer.",
            attribute.name
        ))
        .rule(rule::VALUES_NUMBER)
        .about(attribute.name));
    }
    Ok(())
}

/// Checks what concerns all values of a multi-valued attribute together: their number, and that
/// at most one is primary (RFC 7643 §2.4).
///
/// # Errors
/// `invalidValue`, which names the attribute, for more than [`MAX_VALUES`], or more than one primary.
pub(crate) fn check_elements(attribute: &Attribute, elements: &[Value]) -> Result<(), ScimError> {
    check_number(attribute, elements)?;
    let primaries = elements
        .iter()
        .filter(|element| is_primary(element))
        .count();
    if primaries > 1 {
        return Err(ScimError::invalid_value(format!(
            "At most one value of '{}' may have \"primary\": true.",
            attribute.name
        ))
        .rule(rule::VALUES_PRIMARY)
        .about(attribute.name));
    }
    Ok(())
}

/// Returns whether an element is marked as the primary one.
#[must_use]
pub fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// Validates one value: of a singular attribute, or one element of a multi-valued one.
///
/// # Errors
/// `invalidValue` if the value has another type than the attribute; it names both.
pub(crate) fn validate_element(
    attribute: &Attribute,
    value: Value,
) -> Result<Option<Value>, ScimError> {
    match (attribute.kind, &value) {
        (_, Value::Null) => Ok(None),
        (Type::Complex, Value::Object(_)) => {
            let Value::Object(members) = value else {
                return Ok(None);
            };
            validate_complex(attribute, members)
        }
        (Type::Complex, _) => Err(wrong_type(attribute, "an object")),
        (Type::Boolean, Value::Bool(_)) => Ok(Some(value)),
        (Type::Boolean, _) => Err(wrong_type(attribute, "true or false")),
        (Type::Integer, Value::Number(number)) if number.is_i64() => Ok(Some(value)),
        (Type::Integer, _) => Err(wrong_type(attribute, "an integer")),
        (Type::String | Type::Reference, Value::String(_)) => Ok(Some(value)),
        (Type::String | Type::Reference, _) => Err(wrong_type(attribute, "a string")),
        (Type::Binary, Value::String(text)) if BASE64.decode(text).is_ok() => Ok(Some(value)),
        (Type::Binary, _) => Err(wrong_type(attribute, "a base64 string")),
        (Type::DateTime, Value::String(text)) if instant(text).is_some() => Ok(Some(value)),
        (Type::DateTime, _) => Err(wrong_type(attribute, "a dateTime with a time zone")),
    }
}

fn validate_complex(
    attribute: &Attribute,
    members: Map<String, Value>,
) -> Result<Option<Value>, ScimError> {
    let mut validated = Map::new();
    for (key, value) in members {
        let Some(sub_attribute) = attribute.sub_attribute(&key) else {
            continue;
        };
        if sub_attribute.is_read_only() {
            continue;
        }
        let Some(value) = validate(sub_attribute, value).map_err(|error| {
            let whole = attribute.name;
            error.within(&format!("'{whole}'")).about(whole)
        })?
        else {
            continue;
        };
        if validated
            .insert(sub_attribute.name.to_owned(), value)
            .is_some()
        {
            return Err(given_twice(attribute, sub_attribute));
        }
    }
    Ok((!validated.is_empty()).then_some(Value::Object(validated)))
}

/// Returns the refusal of a PATCH that would clear an attribute that must have a value.
pub(crate) fn cannot_be_cleared(attribute: &Attribute) -> ScimError {
    ScimError::invalid_value(format!(
        "'{}' must have a value and cannot be cleared; send the new value.",
        attribute.name
    ))
    .rule(rule::ATTRIBUTE_CLEARED)
    .about(attribute.name)
}

fn wrong_type(attribute: &Attribute, wanted: &str) -> ScimError {
    ScimError::invalid_value(format!("'{}' must be {wanted}.", attribute.name))
        .rule(rule::ATTRIBUTE_TYPE)
        .about(attribute.name)
}
