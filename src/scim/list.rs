//! Lists of resources: pagination by index (RFC 7644 §3.4.2.4) and by cursor (RFC 9865), sorting
//! (§3.4.2.3), ListResponse.

use std::cmp::Ordering;
use std::num::IntErrorKind;

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::compare::SortKey;
use super::cursor::MARK_BYTES;
use super::filter::elements_at;
use super::path::{AttributePath, Name, resolve};
use super::resource::is_primary;
use super::schema::ResourceType;
use super::{ScimError, rule};

/// URN of the ListResponse message (RFC 7644 §3.4.2).
pub const LIST_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Resources in a page if the client does not say.
pub const DEFAULT_COUNT: usize = 50;
/// Most resources in a page; a larger `count` means this many.
pub const MAX_COUNT: usize = 200;

/// The slice of a list that a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where it begins.
    pub start: Start,
    /// Most resources to return, 0..=[`MAX_COUNT`].
    pub count: usize,
}

/// Where a page begins, and with that the method of pagination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At this index, counted from 1 (RFC 7644 §3.4.2.4).
    Index(usize),
    /// At a cursor; empty for the first page (RFC 9865 §2).
    Cursor(String),
}

impl Page {
    /// Reads `startIndex`, `count` and `cursor`: a `startIndex` less than 1 is 1, a `count` less
    /// than 0 is 0. The default method is by index.
    ///
    /// # Errors
    /// `invalidValue` for what is not an integer, or both methods at once; with a cursor,
    /// `invalidCount`.
    pub fn parse(
        start_index: Option<&str>,
        count: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<Self, ScimError> {
        let wanted = integer(count);
        let start = match (start_index.filter(|index| !index.is_empty()), cursor) {
            (None, Some(cursor)) => Start::Cursor(cursor.to_owned()),
            (Some(_), Some(_)) => {
                return Err(ScimError::invalid_value(
                    "Use either 'startIndex' or 'cursor', not both.",
                )
                .rule(rule::PAGE_METHOD));
            }
            (start_index, None) => {
                let index = integer(start_index).ok_or_else(|| not_an_integer("startIndex"))?;
                Start::Index(usize::try_from(index.unwrap_or(1).max(1)).unwrap_or(usize::MAX))
            }
        };
        let count = match (wanted, &start) {
            (Some(None), _) => DEFAULT_COUNT,
            (Some(Some(count)), _) => usize::try_from(count).unwrap_or(0).min(MAX_COUNT),
            (None, Start::Index(_)) => return Err(not_an_integer("count")),
            (None, Start::Cursor(_)) => {
                return Err(ScimError::invalid_count(format!(
                    "'count' must be an integer, at most {MAX_COUNT}."
                ))
                .rule(rule::PAGE_NUMBER));
            }
        };
        Ok(Self { start, count })
    }
}

fn not_an_integer(name: &str) -> ScimError {
    ScimError::invalid_value(format!("'{name}' must be an integer.")).rule(rule::PAGE_NUMBER)
}

/// `Some(None)` if there is no value, `None` if it is no integer.
fn integer(value: Option<&str>) -> Option<Option<i64>> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Some(None);
    };
    match value.parse::<i64>() {
        Ok(integer) => Some(Some(integer)),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow => Some(Some(i64::MAX)),
            IntErrorKind::NegOverflow => Some(Some(i64::MIN)),
            _ => None,
        },
    }
}

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

    /// Which of two keys comes first. Resources without the attribute come last when ascending, first
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

    /// The key of a complete resource; `None` if it has no value to be sorted by.
    #[must_use]
    pub fn key(&self, resource: &Map<String, Value>) -> Option<SortKey> {
        SortKey::new(self.path.leaf(), self.value(resource)?)
    }

    /// What a complete resource is sorted by: of a multi-valued attribute the primary value, else the
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

/// The ListResponse message (RFC 7644 §3.4.2), of resources that can be written as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListResponse<R> {
    schemas: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    total_results: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_index: Option<usize>,
    items_per_page: usize,
    #[serde(rename = "Resources")]
    resources: Vec<R>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl<R> ListResponse<R> {
    fn new(resources: Vec<R>) -> Self {
        Self {
            schemas: [LIST_RESPONSE_URN],
            total_results: None,
            start_index: None,
            items_per_page: resources.len(),
            resources,
            next_cursor: None,
        }
    }

    /// A page by index; `itemsPerPage` is the number of resources in it.
    #[must_use]
    pub fn by_index(total_results: usize, start_index: usize, resources: Vec<R>) -> Self {
        Self {
            total_results: Some(total_results),
            start_index: Some(start_index),
            ..Self::new(resources)
        }
    }

    /// A page by cursor. To count all results would cost more than the page, so `totalResults` is left
    /// out (RFC 9865 §2).
    #[must_use]
    pub fn by_cursor(next_cursor: Option<String>, resources: Vec<R>) -> Self {
        Self {
            next_cursor,
            ..Self::new(resources)
        }
    }

    /// Nothing but the total, for `count=0` by cursor.
    #[must_use]
    pub fn total_only(total_results: usize) -> Self {
        Self {
            total_results: Some(total_results),
            ..Self::new(Vec::new())
        }
    }
}
