//! Whether a resource matches a filter.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{Filter, Operator};
use crate::scim::compare::{comparable, is_present, order};
use crate::scim::path::AttributePath;
use crate::scim::schema::{Attribute, Type};

impl Filter {
    /// Whether the resource, in its complete JSON form, matches.
    #[must_use]
    pub fn matches(&self, resource: &Map<String, Value>) -> bool {
        self.holds(&|path| {
            let elements = elements_at(path, resource).into_iter();
            match path.sub_attribute {
                None => elements.map(Some).collect(),
                Some(sub_attribute) => elements
                    .map(|element| element.get(sub_attribute.name))
                    .collect(),
            }
        })
    }

    /// Whether one value of a complex attribute matches; for filters parsed in that scope.
    #[must_use]
    pub fn matches_element(&self, element: &Value) -> bool {
        self.holds(&|path| {
            path.sub_attribute
                .map(|sub_attribute| element.get(sub_attribute.name))
                .into_iter()
                .collect()
        })
    }

    /// `values` are those a path leads to: `None` is an element without the sub-attribute.
    fn holds<'v>(&self, values: &dyn Fn(&AttributePath) -> Vec<Option<&'v Value>>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(values)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(values)),
            Self::Not(part) => !part.holds(values),
            Self::Present(path) => values(path).into_iter().flatten().any(is_present),
            Self::Compare {
                path,
                operator,
                value,
            } => compare(path.leaf(), &values(path), *operator, value),
            Self::Values { path, filter } => values(path)
                .into_iter()
                .flatten()
                .any(|element| filter.matches_element(element)),
        }
    }
}

/// The values of the attribute that a path is about; a multi-valued one has any number of them.
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

/// What a value is taken for that does not say it: no value is primary unless it says so
/// (RFC 7643 §2.4).
fn assumed(attribute: &Attribute) -> Option<&'static Value> {
    static FALSE: Value = Value::Bool(false);
    (attribute.name == "primary" && attribute.kind == Type::Boolean).then_some(&FALSE)
}

/// Every operator asks for some value that compares so (§3.4.2.2); where an attribute is absent
/// there is none. But what is absent is not equal to anything.
fn compare(
    attribute: &Attribute,
    values: &[Option<&Value>],
    operator: Operator,
    wanted: &Value,
) -> bool {
    let is_assigned = || values.iter().flatten().any(|value| is_present(value));
    match operator {
        Operator::Ne if wanted.is_null() => is_assigned(),
        Operator::Eq if wanted.is_null() => !is_assigned(),
        _ => {
            let mut compared = values
                .iter()
                .filter_map(|value| value.or_else(|| assumed(attribute)))
                .peekable();
            (operator == Operator::Ne && compared.peek().is_none())
                || compared.any(|value| compare_one(attribute, value, operator, wanted))
        }
    }
}

fn compare_one(attribute: &Attribute, value: &Value, operator: Operator, wanted: &Value) -> bool {
    let ordering = || order(attribute, value, wanted);
    match operator {
        Operator::Eq => ordering() == Some(Ordering::Equal),
        Operator::Ne => ordering() != Some(Ordering::Equal),
        Operator::Gt => ordering() == Some(Ordering::Greater),
        Operator::Ge => matches!(ordering(), Some(Ordering::Greater | Ordering::Equal)),
        Operator::Lt => ordering() == Some(Ordering::Less),
        Operator::Le => matches!(ordering(), Some(Ordering::Less | Ordering::Equal)),
        Operator::Co | Operator::Sw | Operator::Ew => {
            let (Some(text), Some(part)) = (value.as_str(), wanted.as_str()) else {
                return false;
            };
            let (text, part) = (comparable(attribute, text), comparable(attribute, part));
            match operator {
                Operator::Co => text.contains(&*part),
                Operator::Sw => text.starts_with(&*part),
                _ => text.ends_with(&*part),
            }
        }
    }
}
