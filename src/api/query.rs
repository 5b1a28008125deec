//! The query string: form encoding, read strictly where a parameter is ours and not at all where
//! it is not, such as Entra's `aadOptscim062020`. A SearchRequest says the same in JSON.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::scim::ScimError;
use crate::scim::list::{Page, Sort};
use crate::scim::projection::Projection;
use crate::scim::schema::ResourceType;

/// The parameters of RFC 7644 §3.4.2, decoded.
#[derive(Debug, Default)]
pub(super) struct Query<'q> {
    filter: Option<Cow<'q, str>>,
    sort_by: Option<Cow<'q, str>>,
    sort_order: Option<Cow<'q, str>>,
    start_index: Option<Cow<'q, str>>,
    count: Option<Cow<'q, str>>,
    cursor: Option<Cow<'q, str>>,
    attributes: Option<Cow<'q, str>>,
    excluded_attributes: Option<Cow<'q, str>>,
}

impl<'q> Query<'q> {
    /// Reads a raw query string. Names are compared without regard to case.
    ///
    /// # Errors
    /// 400 for a parameter of ours that is given twice or is not validly encoded.
    pub(super) fn parse(raw: &'q str) -> Result<Self, ScimError> {
        let mut query = Self::default();
        for pair in raw.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = decode(name) else {
                continue;
            };
            let Some(slot) = query.slot(&name) else {
                continue;
            };
            if slot.is_some() {
                return Err(given_twice(&name));
            }
            *slot = Some(decode(value).ok_or_else(|| not_decoded(&name))?);
        }
        Ok(query)
    }

    /// Reads a SearchRequest message (RFC 7644 §3.4.3), which says the same in JSON.
    ///
    /// # Errors
    /// 400 for a member of the wrong type, or given twice.
    pub(super) fn from_search_request(message: Map<String, Value>) -> Result<Self, ScimError> {
        let mut query = Self::default();
        for (name, value) in message {
            let is_list = ["attributes", "excludedAttributes"]
                .iter()
                .any(|list| list.eq_ignore_ascii_case(&name));
            let Some(slot) = query.slot(&name) else {
                continue;
            };
            if slot.is_some() {
                return Err(given_twice(&name));
            }
            *slot = match value {
                Value::Null => None,
                Value::Array(names) if is_list => Some(Cow::Owned(joined(&name, &names)?)),
                Value::String(text) if !is_list => Some(Cow::Owned(text)),
                Value::Number(number) if !is_list => Some(Cow::Owned(number.to_string())),
                _ => {
                    let kind = if is_list {
                        "an array of strings"
                    } else {
                        "a string or number"
                    };
                    return Err(ScimError::invalid_value(format!(
                        "'{name}' must be {kind}."
                    )));
                }
            };
        }
        Ok(query)
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

    /// The filter, not parsed yet.
    #[must_use]
    pub(super) fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }

    /// `startIndex`, `count` and `cursor`.
    ///
    /// # Errors
    /// 400 for what is not an integer, or both methods of pagination.
    pub(super) fn page(&self) -> Result<Page, ScimError> {
        Page::parse(
            self.start_index.as_deref(),
            self.count.as_deref(),
            self.cursor.as_deref(),
        )
    }

    /// What decides which resources there are, and in what order: a cursor is good for this only.
    #[must_use]
    pub(super) fn identity(&self) -> String {
        let parts = [&self.filter, &self.sort_by, &self.sort_order];
        parts
            .map(|part| part.as_deref().unwrap_or_default())
            .join("\0")
    }

    /// `sortBy` and `sortOrder`.
    ///
    /// # Errors
    /// 400 for what cannot be sorted by.
    pub(super) fn sort(&self, resource_type: &ResourceType) -> Result<Option<Sort>, ScimError> {
        Sort::parse(
            self.sort_by.as_deref(),
            self.sort_order.as_deref(),
            resource_type,
        )
    }

    /// `attributes` and `excludedAttributes`.
    ///
    /// # Errors
    /// 400 if both are given.
    pub(super) fn projection(&self, resource_type: &ResourceType) -> Result<Projection, ScimError> {
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

fn given_twice(name: &str) -> ScimError {
    ScimError::invalid_value(format!(
        "The parameter '{name}' is given twice; send it once."
    ))
}

fn joined(name: &str, names: &[Value]) -> Result<String, ScimError> {
    let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
    let names = names.ok_or_else(|| {
        ScimError::invalid_value(format!("'{name}' must be an array of strings."))
    })?;
    Ok(names.join(","))
}

fn not_decoded(name: &str) -> ScimError {
    let detail = format!(
        "The parameter '{name}' is not validly percent-encoded UTF-8; a '%' itself is written %25."
    );
    if name.eq_ignore_ascii_case("filter") {
        ScimError::invalid_filter(detail)
    } else {
        ScimError::invalid_value(detail)
    }
}

/// Decodes `+` as space and `%XX` once; `None` for a `%` without two hexadecimal digits, or bytes
/// that are not UTF-8.
fn decode(value: &str) -> Option<Cow<'_, str>> {
    let digits_follow = |rest: &str| {
        rest.as_bytes()
            .get(..2)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !value.split('%').skip(1).all(digits_follow) {
        return None;
    }
    if !value.contains(['%', '+']) {
        return Some(Cow::Borrowed(value));
    }
    let spaced = value.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}
