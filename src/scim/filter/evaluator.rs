//! Whether a resource matches a filter.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{Filter, Operator};
use crate::scim::compare::{comparable, is_present, order};
use crate::scim::path::AttributePath;
use crate::scim::schema::Attribute;

impl Filter {
    /// Whether the resource, in its complete JSON form, matches.
    #[must_use]
    pub fn matches(&self, resource: &Map<String, Value>) -> bool {
        self.holds(&|path| values_at(path, resource))
    }

    /// Whether one value of a complex attribute matches; for filters parsed in that scope.
    #[must_use]
    pub fn matches_element(&self, element: &Value) -> bool {
        self.holds(&|path| {
            path.sub_attribute
                .and_then(|sub_attribute| element.get(sub_attribute.name))
                .into_iter()
                .collect()
        })
    }

    fn holds<'v>(&self, values: &dyn Fn(&AttributePath) -> Vec<&'v Value>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(values)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(values)),
            Self::Not(part) => !part.holds(values),
            Self::Present(path) => values(path).into_iter().any(is_present),
            Self::Compare {
                path,
                operator,
                value,
            } => compare(path.leaf(), &values(path), *operator, value),
            Self::Values { path, filter } => values(path)
                .into_iter()
                .any(|element| filter.matches_element(element)),
        }
    }
}

/// All values a path leads to; a multi-valued attribute has any number of them.
#[must_use]
pub fn values_at<'v>(path: &AttributePath, resource: &'v Map<String, Value>) -> Vec<&'v Value> {
    let container = match path.extension {
        None => Some(resource),
        Some(extension) => resource.get(extension.id).and_then(Value::as_object),
    };
    let attribute = container.and_then(|container| container.get(path.attribute.name));
    let elements = match attribute {
        Some(Value::Array(elements)) => elements.iter().collect(),
        Some(value) => vec![value],
        None => Vec::new(),
    };
    match path.sub_attribute {
        None => elements,
        Some(sub_attribute) => elements
            .into_iter()
            .filter_map(|element| element.get(sub_attribute.name))
            .collect(),
    }
}

/// Every operator asks for some value that compares so (§3.4.2.2); where an attribute is absent
/// there is none. But what is absent is not equal to anything.
fn compare(attribute: &Attribute, values: &[&Value], operator: Operator, wanted: &Value) -> bool {
    match operator {
        Operator::Ne if wanted.is_null() => values.iter().any(|value| is_present(value)),
        Operator::Ne if values.is_empty() => true,
        Operator::Eq if wanted.is_null() => !values.iter().any(|value| is_present(value)),
        _ => values
            .iter()
            .any(|value| compare_one(attribute, value, operator, wanted)),
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
