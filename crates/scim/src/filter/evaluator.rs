//! Evaluates filters on resources.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::tree::{Filter, Operator};
use crate::compare::{Constant, comparable_within, is_present};
use crate::schema::{Attribute, AttributePath, Type};
use crate::work::{BYTES_PER_VALUE, Exhausted, Work};

/// Finds the values that a path leads to: `None` is an element without the sub-attribute.
type Values<'f, 'v> = dyn Fn(&AttributePath) -> Vec<Option<&'v Value>> + 'f;

impl Filter {
    /// Returns whether the resource, in its complete JSON form, matches.
    ///
    /// # Errors
    /// [`Exhausted`] if the work budget is used up.
    pub fn matches(
        &self,
        resource: &Map<String, Value>,
        work: &mut Work,
    ) -> Result<bool, Exhausted> {
        let values = |path: &AttributePath| {
            let elements = elements_at(path, resource).into_iter();
            match path.sub_attribute {
                None => elements.map(Some).collect(),
                Some(sub_attribute) => elements
                    .map(|element| element.get(sub_attribute.name))
                    .collect(),
            }
        };
        self.holds(&values, work)
    }

    /// Returns whether one value of a complex attribute matches; for filters parsed in that scope.
    ///
    /// # Errors
    /// [`Exhausted`] if the work budget is used up.
    pub fn matches_element(&self, element: &Value, work: &mut Work) -> Result<bool, Exhausted> {
        let values = |path: &AttributePath| {
            path.sub_attribute
                .map(|sub_attribute| element.get(sub_attribute.name))
                .into_iter()
                .collect()
        };
        self.holds(&values, work)
    }

    fn holds(&self, values: &Values<'_, '_>, work: &mut Work) -> Result<bool, Exhausted> {
        match self {
            Self::And(parts) => Ok(!any(parts, |part| Ok(!part.holds(values, work)?))?),
            Self::Or(parts) => any(parts, |part| part.holds(values, work)),
            Self::Not(part) => Ok(!part.holds(values, work)?),
            Self::Present(path) => {
                let values = values(path);
                work.spend(values.len() * BYTES_PER_VALUE)?;
                Ok(values.into_iter().flatten().any(is_present))
            }
            Self::Compare {
                path,
                operator,
                value,
            } => compare(path.leaf(), &values(path), *operator, value, work),
            Self::Values { path, filter } => {
                let elements = values(path).into_iter().flatten();
                any(elements, |element| filter.matches_element(element, work))
            }
        }
    }
}

/// Returns whether something holds for one of several items; stops at the first.
fn any<T>(
    items: impl IntoIterator<Item = T>,
    mut holds: impl FnMut(T) -> Result<bool, Exhausted>,
) -> Result<bool, Exhausted> {
    for item in items {
        if holds(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the values of the attribute that a path is about; a multi-valued one has any number of them.
#[must_use]
pub fn elements_at<'v>(path: &AttributePath, resource: &'v Map<String, Value>) -> Vec<&'v Value> {
    let container = match path.extension {
        None => Some(resource),
        Some(extension) => resource.get(extension.id).and_then(Value::as_object),
    };
    let attribute = container.and_then(|container| container.get(path.attribute.name));
    match attribute {
        Some(Value::Array(elements)) => elements.iter().collect(),
        Some(value) => vec![value],
        None => Vec::new(),
    }
}

/// Returns the assumed value of an attribute that is not sent: no value is primary by default (RFC 7643 §2.4).
fn assumed(attribute: &Attribute) -> Option<&'static Value> {
    static FALSE: Value = Value::Bool(false);
    (attribute.name == "primary" && attribute.kind == Type::Boolean).then_some(&FALSE)
}

/// Evaluates a comparison. It holds if some value compares so (§3.4.2.2). An absent attribute has no value, so only
/// `ne` holds for it.
fn compare(
    attribute: &Attribute,
    values: &[Option<&Value>],
    operator: Operator,
    wanted: &Constant,
    work: &mut Work,
) -> Result<bool, Exhausted> {
    work.spend(values.len() * BYTES_PER_VALUE)?;
    if wanted.value().is_null() {
        let is_assigned = values.iter().flatten().any(|value| is_present(value));
        return Ok(match operator {
            Operator::Eq => !is_assigned,
            Operator::Ne => is_assigned,
            _ => false,
        });
    }
    let mut compared = values
        .iter()
        .filter_map(|value| value.or_else(|| assumed(attribute)))
        .peekable();
    if operator == Operator::Ne && compared.peek().is_none() {
        return Ok(true);
    }
    any(compared, |value| {
        compare_one(attribute, value, operator, wanted, work)
    })
}

fn compare_one(
    attribute: &Attribute,
    value: &Value,
    operator: Operator,
    wanted: &Constant,
    work: &mut Work,
) -> Result<bool, Exhausted> {
    if let Operator::Co | Operator::Sw | Operator::Ew = operator {
        return contains(attribute, value, operator, wanted, work);
    }
    let ordering = wanted.order(work, attribute, value)?;
    Ok(match operator {
        Operator::Eq => ordering == Some(Ordering::Equal),
        Operator::Ne => ordering != Some(Ordering::Equal),
        Operator::Gt => ordering == Some(Ordering::Greater),
        Operator::Ge => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        Operator::Lt => ordering == Some(Ordering::Less),
        _ => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
    })
}

/// Evaluates `co`, `sw` and `ew`.
fn contains(
    attribute: &Attribute,
    value: &Value,
    operator: Operator,
    wanted: &Constant,
    work: &mut Work,
) -> Result<bool, Exhausted> {
    let (Some(text), Some(part)) = (value.as_str(), wanted.text()) else {
        return Ok(false);
    };
    let text = comparable_within(work, attribute, text)?;
    work.spend(text.len())?;
    Ok(match operator {
        Operator::Co => text.contains(part),
        Operator::Sw => text.starts_with(part),
        _ => text.ends_with(part),
    })
}
