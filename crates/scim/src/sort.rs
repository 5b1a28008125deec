//! Sorting of lists (RFC 7644 §3.4.2.3).

use std::cmp::Ordering;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::compare::SortKey;
use crate::cursor::MARK_BYTES;
use crate::filter::elements_at;
use crate::name::{Name, resolve};
use crate::resource::is_primary;
use crate::schema::{AttributePath, ResourceType};
use crate::{ScimError, rule};

/// `sortBy` and `sortOrder`.
#[derive(Debug, Clone, Copy)]
pub struct Sort {
    path: AttributePath,
    descending: bool,
}

impl Sort {
    /// Reads the two parameters; `None` without `sortBy`.
    ///
    /// # Errors
    /// `invalidValue` for an attribute that cannot be sorted by, or an unknown order.
    pub fn parse(
        sort_by: Option<&str>,
        sort_order: Option<&str>,
        resource_type: &ResourceType,
    ) -> Result<Option<Self>, ScimError> {
        let Some(sort_by) = sort_by.filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let Ok(Name::Attribute(path)) = resolve(sort_by, resource_type) else {
            return Err(ScimError::invalid_value(
                "'sortBy' must name an attribute that a schema declares.",
            )
            .rule(rule::SORT_ATTRIBUTE));
        };
        // Sorting by a complex attribute means its `value`, where it has one.
        let sub_attribute = path
            .sub_attribute
            .or_else(|| path.attribute.sub_attribute("value"));
        let path = AttributePath {
            sub_attribute,
            ..path
        };
        if !path.leaf().sub_attributes.is_empty() {
            return Err(ScimError::invalid_value(
                "'sortBy' must name one of the sub-attributes of a complex attribute.",
            )
            .rule(rule::SORT_ATTRIBUTE)
            .about(path.attribute.name));
        }
        let descending = match sort_order {
            None | Some("") => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(_) => {
                return Err(ScimError::invalid_value(
                    "'sortOrder' must be 'ascending' or 'descending'.",
                )
                .rule(rule::SORT_ORDER));
            }
        };
        Ok(Some(Self { path, descending }))
    }

    /// Compares two keys. Resources without the attribute come last when ascending, first
    /// when descending.
    #[must_use]
    pub fn order(&self, left: Option<&SortKey>, right: Option<&SortKey>) -> Ordering {
        let ascending = match (left, right) {
            (Some(left), Some(right)) => left.cmp(right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        if self.descending {
            ascending.reverse()
        } else {
            ascending
        }
    }

    /// Stands for what a resource is sorted by: if it has changed, the resource has moved.
    #[must_use]
    pub fn mark(&self, resource: &Map<String, Value>) -> [u8; MARK_BYTES] {
        let value = self.value(resource).map(Value::to_string);
        let digest = Sha256::digest(value.unwrap_or_default());
        let mut mark = [0; MARK_BYTES];
        for (byte, of_digest) in mark.iter_mut().zip(digest) {
            *byte = of_digest;
        }
        mark
    }

    /// Returns the key of a complete resource; `None` if it has no value to be sorted by.
    #[must_use]
    pub fn key(&self, resource: &Map<String, Value>) -> Option<SortKey> {
        SortKey::new(self.path.leaf(), self.value(resource)?)
    }

    /// Returns what a complete resource is sorted by: of a multi-valued attribute the primary value, else the
    /// first.
    fn value<'r>(&self, resource: &'r Map<String, Value>) -> Option<&'r Value> {
        let elements = elements_at(&self.path, resource);
        let element = elements
            .iter()
            .find(|element| is_primary(element))
            .or_else(|| elements.first())?;
        match self.path.sub_attribute {
            None => Some(element),
            Some(sub_attribute) => element.get(sub_attribute.name),
        }
    }
}
