//! Whether operator and value of a comparison fit the attribute.

use serde_json::Value;

use super::error::FilterError;
use super::tree::Operator;
use crate::compare;
use crate::dialect;
use crate::schema::{Attribute, AttributePath, Type};

/// Returns the path to compare: for a complex attribute its `value` sub-attribute (RFC 7643 §2.4).
pub(super) fn value_of_complex(path: AttributePath) -> Result<AttributePath, FilterError> {
    if path.leaf().kind != Type::Complex {
        return Ok(path);
    }
    let value = path
        .attribute
        .sub_attribute("value")
        .ok_or(FilterError::Incomparable {
            attribute: path.attribute.name,
            message: "is complex: name one of its sub-attributes",
        })?;
    Ok(AttributePath {
        sub_attribute: Some(value),
        ..path
    })
}

/// Parses a quoted value, or `true`, `false` or a number without quotes.
pub(super) fn string_value(attribute: &Attribute, text: &str) -> Value {
    match attribute.kind {
        Type::Boolean => dialect::boolean_as_string(text).map_or_else(|| text.into(), Value::Bool),
        _ => text.into(),
    }
}

/// Checks whether operator and value fit the attribute.
pub(super) fn check(
    attribute: &'static Attribute,
    operator: Operator,
    value: &Value,
) -> Result<(), FilterError> {
    let incomparable = |message| {
        Err(FilterError::Incomparable {
            attribute: attribute.name,
            message,
        })
    };
    let is_equality = matches!(operator, Operator::Eq | Operator::Ne);
    if value.is_null() && !is_equality {
        return incomparable("can be compared with null only by eq and ne");
    }
    match attribute.kind {
        Type::Boolean if !is_equality => incomparable("is a boolean: use eq or ne"),
        Type::Boolean if value.is_string() => {
            incomparable("is a boolean: compare with true or false")
        }
        Type::Binary if !is_equality => incomparable("is binary: use eq or ne"),
        Type::DateTime if matches!(operator, Operator::Co | Operator::Sw | Operator::Ew) => {
            incomparable("is a dateTime: use eq, ne, gt, ge, lt or le")
        }
        Type::DateTime
            if value
                .as_str()
                .is_some_and(|text| compare::instant(text).is_none()) =>
        {
            incomparable("is a dateTime: compare with one like \"2011-05-13T04:42:34Z\"")
        }
        _ => Ok(()),
    }
}
