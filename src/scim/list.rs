//! Lists of resources: index pagination (RFC 7644 §3.4.2.4), sorting (§3.4.2.3), ListResponse.

use std::cmp::Ordering;
use std::num::IntErrorKind;

use serde_json::{Map, Value, json};

use super::ScimError;
use super::compare::order;
use super::filter::values_at;
use super::path::{AttributePath, Name, resolve};
use super::resource::is_primary;
use super::schema::ResourceType;

/// URN of the ListResponse message (RFC 7644 §3.4.2).
pub const LIST_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Resources in a page if the client does not say.
pub const DEFAULT_COUNT: usize = 50;
/// Most resources in a page; a larger `count` means this many.
pub const MAX_COUNT: usize = 200;

/// The slice of a list that a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Index of the first resource, counted from 1.
    pub start_index: usize,
    /// Most resources to return, 0..=[`MAX_COUNT`].
    pub count: usize,
}

impl Page {
    /// Reads `startIndex` and `count`: less than 1 is 1, less than 0 is 0.
    ///
    /// # Errors
    /// `invalidValue` for what is not an integer.
    pub fn parse(start_index: Option<&str>, count: Option<&str>) -> Result<Self, ScimError> {
        let start_index = integer("startIndex", start_index)?.unwrap_or(1).max(1);
        let count = integer("count", count)?.map_or(DEFAULT_COUNT, |count| {
            usize::try_from(count).unwrap_or(0).min(MAX_COUNT)
        });
        Ok(Self {
            start_index: usize::try_from(start_index).unwrap_or(usize::MAX),
            count,
        })
    }

    /// Resources before the first one of the page.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.start_index - 1
    }
}

fn integer(name: &str, value: Option<&str>) -> Result<Option<i64>, ScimError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    match value.parse() {
        Ok(integer) => Ok(Some(integer)),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow => Ok(Some(i64::MAX)),
            IntErrorKind::NegOverflow => Ok(Some(i64::MIN)),
            _ => Err(ScimError::invalid_value(format!(
                "'{name}' must be an integer."
            ))),
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
            ));
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
            ));
        }
        let descending = match sort_order {
            None | Some("") => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(_) => {
                return Err(ScimError::invalid_value(
                    "'sortOrder' must be 'ascending' or 'descending'.",
                ));
            }
        };
        Ok(Some(Self { path, descending }))
    }

    /// Sorts complete resources. Those without the attribute come last when ascending, first when
    /// descending; equal ones keep their order.
    pub fn apply(&self, resources: &mut [Map<String, Value>]) {
        resources.sort_by(|left, right| {
            let ascending = match (self.key(left), self.key(right)) {
                (Some(left), Some(right)) => {
                    order(self.path.leaf(), left, right).unwrap_or(Ordering::Equal)
                }
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            };
            if self.descending {
                ascending.reverse()
            } else {
                ascending
            }
        });
    }

    /// Of a multi-valued attribute, the primary value counts, else the first.
    fn key<'r>(&self, resource: &'r Map<String, Value>) -> Option<&'r Value> {
        let elements = values_at(
            &AttributePath {
                sub_attribute: None,
                ..self.path
            },
            resource,
        );
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

/// The ListResponse message; `itemsPerPage` is the number of resources in it.
#[must_use]
pub fn list_response(
    total_results: usize,
    start_index: usize,
    resources: Vec<Map<String, Value>>,
) -> Value {
    json!({
        "schemas": [LIST_RESPONSE_URN],
        "totalResults": total_results,
        "startIndex": start_index,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}
