//! SearchRequest (RFC 7644 §3.4.3): the parameters of a query.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::page::Page;
use crate::projection::Projection;
use crate::schema::ResourceType;
use crate::sort::Sort;
use crate::{ScimError, rule};

/// URN of the SearchRequest message.
pub const SEARCH_REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// What `attributes` and `excludedAttributes` are in a message.
const LIST_OF_NAMES: &str = "an array of strings, or one string of names with commas between them";

/// The parameters of a query (RFC 7644 §3.4.2), from a message or from a query string.
#[derive(Debug, Default)]
pub struct SearchRequest<'q> {
    filter: Option<Cow<'q, str>>,
    sort_by: Option<Cow<'q, str>>,
    sort_order: Option<Cow<'q, str>>,
    start_index: Option<Cow<'q, str>>,
    count: Option<Cow<'q, str>>,
    cursor: Option<Cow<'q, str>>,
    attributes: Option<Cow<'q, str>>,
    excluded_attributes: Option<Cow<'q, str>>,
}

impl<'q> SearchRequest<'q> {
    /// Reads a message. Names of members are compared without regard to case, unknown ones are ignored.
    ///
    /// # Errors
    /// `invalidValue` for a member of the wrong type, or given twice.
    pub fn parse(message: Map<String, Value>) -> Result<Self, ScimError> {
        let mut request = Self::default();
        for (name, value) in message {
            let is_list = ["attributes", "excludedAttributes"]
                .iter()
                .any(|list| list.eq_ignore_ascii_case(&name));
            if !Self::is_parameter(&name) {
                continue;
            }
            let value = match value {
                Value::Null => None,
                Value::Array(names) if is_list => Some(Cow::Owned(joined(&name, &names)?)),
                Value::String(text) => Some(Cow::Owned(text)),
                Value::Number(number) if !is_list => Some(Cow::Owned(number.to_string())),
                _ => {
                    let kind = if is_list {
                        LIST_OF_NAMES
                    } else {
                        "a string or number"
                    };
                    return Err(wrong_type(&name, kind));
                }
            };
            request.refuse_repeated(&name)?;
            if let (Some(slot), Some(value)) = (request.slot(&name), value) {
                *slot = Some(value);
            }
        }
        Ok(request)
    }

    /// Returns whether a query has a parameter of this name, in any case.
    #[must_use]
    pub fn is_parameter(name: &str) -> bool {
        Self::default().slot(name).is_some()
    }

    /// Checks that a parameter has no value yet.
    ///
    /// # Errors
    /// `invalidValue` if the request has this parameter twice.
    pub fn refuse_repeated(&mut self, name: &str) -> Result<(), ScimError> {
        match self.slot(name) {
            Some(Some(_)) => Err(ScimError::invalid_value(format!(
                "The parameter '{name}' is given twice; send it once."
            ))
            .rule(rule::PARAMETER_REPEATED)),
            _ => Ok(()),
        }
    }

    /// Sets a parameter; an unknown one is ignored.
    pub fn set(&mut self, name: &str, value: Cow<'q, str>) {
        if let Some(slot) = self.slot(name) {
            *slot = Some(value);
        }
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<Cow<'q, str>>> {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "filter" => Some(&mut self.filter),
            "sortby" => Some(&mut self.sort_by),
            "sortorder" => Some(&mut self.sort_order),
            "startindex" => Some(&mut self.start_index),
            "count" => Some(&mut self.count),
            "cursor" => Some(&mut self.cursor),
            "attributes" => Some(&mut self.attributes),
            "excludedattributes" => Some(&mut self.excluded_attributes),
            _ => None,
        }
    }

    /// Returns the filter, not parsed yet.
    #[must_use]
    pub fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }

    /// Returns the page: `startIndex`, `count` and `cursor`.
    ///
    /// # Errors
    /// `invalidValue` if `startIndex`, or `count` without `cursor`, is not an integer, or `startIndex` and `cursor` are
    /// given together. `invalidCount` if `count` with `cursor` is not an integer.
    pub fn page(&self) -> Result<Page, ScimError> {
        Page::parse(
            self.start_index.as_deref(),
            self.count.as_deref(),
            self.cursor.as_deref(),
        )
    }

    /// Returns what decides which resources are found, and in what order: a cursor belongs to one such query.
    #[must_use]
    pub fn identity(&self) -> String {
        let parts = [&self.filter, &self.sort_by, &self.sort_order];
        parts
            .map(|part| part.as_deref().unwrap_or_default())
            .join("\0")
    }

    /// Returns the sorting: `sortBy` and `sortOrder`.
    ///
    /// # Errors
    /// `invalidValue` for an attribute that has no order, or an unknown order.
    pub fn sort(&self, resource_type: &ResourceType) -> Result<Option<Sort>, ScimError> {
        Sort::parse(
            self.sort_by.as_deref(),
            self.sort_order.as_deref(),
            resource_type,
        )
    }

    /// Returns the projection: `attributes` and `excludedAttributes`.
    ///
    /// # Errors
    /// `invalidValue` if both are given, or too many names.
    pub fn projection(&self, resource_type: &ResourceType) -> Result<Projection, ScimError> {
        let names = |list: &'_ Option<Cow<'q, str>>| -> Vec<String> {
            list.iter()
                .flat_map(|list| list.split(','))
                .filter(|name| !name.trim().is_empty())
                .map(str::to_owned)
                .collect()
        };
        let attributes = names(&self.attributes);
        let excluded = names(&self.excluded_attributes);
        Projection::parse(&attributes, &excluded, resource_type)
    }
}

fn joined(name: &str, names: &[Value]) -> Result<String, ScimError> {
    let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
    let names = names.ok_or_else(|| wrong_type(name, LIST_OF_NAMES))?;
    Ok(names.join(","))
}

fn wrong_type(name: &str, wanted: &str) -> ScimError {
    ScimError::invalid_value(format!("'{name}' must be {wanted}.")).rule(rule::PARAMETER_TYPE)
}
