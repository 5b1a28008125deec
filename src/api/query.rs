//! The query string: form encoding, read strictly where a parameter is known and not at all where
//! it is not, such as Entra's `aadOptscim062020`. A SearchRequest says the same in JSON.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{near_miss, rule};
use crate::scim::ScimError;
use crate::scim::list::{Page, Sort};
use crate::scim::projection::Projection;
use crate::scim::schema::ResourceType;

const FILTER: &str = "filter";
/// What `attributes` and `excludedAttributes` are in a SearchRequest message.
const LIST_OF_NAMES: &str = "an array of strings, or one string of names with commas between them";

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
    /// Reads a raw query string. Names are compared without regard to case, unknown parameters are ignored.
    ///
    /// # Errors
    /// 400 for a known parameter that is given twice, is not validly encoded, or holds another one.
    pub(super) fn parse(raw: &'q str) -> Result<Self, ScimError> {
        let mut query = Self::default();
        for mut pair in raw.split('&') {
            // Clients append `?filter=…` to a tenant URL that has a query already. In a name and in the value of an
            // unknown parameter a `?` therefore ends the parameter. In the value of a known one it is text.
            loop {
                let (name, behind) = split_name(pair);
                pair = match behind {
                    Behind::Parameter(next) => {
                        query.read(name, "")?;
                        next
                    }
                    Behind::Value(value) => match (query.read(name, value)?, value.split_once('?'))
                    {
                        (Reading::Unknown, Some((_, next))) => next,
                        _ => break,
                    },
                };
            }
        }
        Ok(query)
    }

    fn read(&mut self, raw_name: &str, value: &'q str) -> Result<Reading, ScimError> {
        let Some(name) = form_decoded(raw_name) else {
            return Ok(Reading::Unknown);
        };
        let Some(slot) = self.slot(&name) else {
            return Ok(Reading::Unknown);
        };
        if slot.is_some() {
            return Err(given_twice(&name));
        }
        let decoded = if name.eq_ignore_ascii_case(FILTER) {
            filter_decoded(value)
        } else {
            refuse_swallowed(&name, value)?;
            form_decoded(value)
        };
        *slot = Some(decoded.ok_or_else(|| not_decoded(&name))?);
        Ok(Reading::Known)
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
        }
        Ok(query)
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<Cow<'q, str>>> {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            FILTER => Some(&mut self.filter),
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
    .rule(rule::PARAMETER_REPEATED)
}

fn joined(name: &str, names: &[Value]) -> Result<String, ScimError> {
    let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
    let names = names.ok_or_else(|| wrong_type(name, LIST_OF_NAMES))?;
    Ok(names.join(","))
}

fn not_decoded(name: &str) -> ScimError {
    let detail = format!(
        "The parameter '{name}' is not validly percent-encoded UTF-8; a '%' itself is written %25."
    );
    if name.eq_ignore_ascii_case(FILTER) {
        ScimError::invalid_filter(detail).rule(rule::PARAMETER_ENCODING)
    } else {
        ScimError::invalid_value(detail).rule(rule::PARAMETER_ENCODING)
    }
}

fn wrong_type(name: &str, wanted: &str) -> ScimError {
    ScimError::invalid_value(format!("'{name}' must be {wanted}.")).rule(rule::PARAMETER_TYPE)
}

/// Whether a parameter is one that a query has.
enum Reading {
    Known,
    Unknown,
}

/// What follows the name of a parameter.
enum Behind<'q> {
    /// Its value; empty if there is no `=`.
    Value(&'q str),
    /// The next parameter: a `?` separates them.
    Parameter(&'q str),
}

/// Splits the name off the first parameter of a text.
fn split_name(text: &str) -> (&str, Behind<'_>) {
    let at = |index: usize, length: usize| {
        let (name, rest) = text.split_at_checked(index).unwrap_or((text, ""));
        (name, rest.get(length..).unwrap_or_default())
    };
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'=' => {
                let (name, value) = at(index, 1);
                return (name, Behind::Value(value));
            }
            b'?' => {
                let (name, next) = at(index, 1);
                return (name, Behind::Parameter(next));
            }
            b'%' if is_encoded_question_mark(text, index) => {
                let (name, next) = at(index, 3);
                return (name, Behind::Parameter(next));
            }
            _ => {}
        }
    }
    (text, Behind::Value(""))
}

fn is_encoded_question_mark(text: &str, index: usize) -> bool {
    text.get(index..index + 3)
        .is_some_and(|encoded| encoded.eq_ignore_ascii_case("%3F"))
}

/// Refuses a value that holds another known parameter, such as in `attributes=id?filter=…`: without its filter the
/// query would find everybody.
fn refuse_swallowed(name: &str, value: &str) -> Result<(), ScimError> {
    let swallowed = value.split('?').skip(1).find(|part| {
        let (part, _) = part.split_once('=').unwrap_or_default();
        Query::default().slot(part).is_some()
    });
    match swallowed {
        Some(_) => Err(ScimError::invalid_value(format!(
            "The value of '{name}' holds another parameter behind a '?'; separate parameters by '&'."
        ))
        .rule(rule::PARAMETER_SWALLOWED)),
        None => Ok(()),
    }
}

/// The path of a route that an unknown parameter holds: clients append paths to a tenant URL that has a query.
#[must_use]
pub(super) fn path_within(raw: &str) -> Option<&'static str> {
    raw.split('&')
        .filter_map(|pair| pair.split('?').next())
        .filter(|pair| {
            let (name, _) = split_name(pair);
            Query::default().slot(name).is_none()
        })
        .filter_map(|pair| pair.split_once('/'))
        .find_map(|(_, path)| near_miss::nearest(path))
}

/// Decodes `+` as space and `%XX` once; `None` for a `%` without two hexadecimal digits, or bytes
/// that are not UTF-8.
fn form_decoded(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains('+') {
        return percent_decoded(value);
    }
    let spaced = value.replace('+', " ");
    let decoded = percent_decoded(&spaced)?;
    Some(Cow::Owned(decoded.into_owned()))
}

/// The same of a filter, in which a `+` may be meant.
fn filter_decoded(value: &str) -> Option<Cow<'_, str>> {
    if has_literal_plus(value) {
        percent_decoded(value)
    } else {
        form_decoded(value)
    }
}

/// Whether a `+` inside the quotes of a filter is one: some clients encode spaces as `%20` and leave the plus of
/// `pl+x@example.com` as it is. They do if the spaces outside of quotes are `%20` or raw, and none of them is a `+`.
fn has_literal_plus(filter: &str) -> bool {
    let (mut is_quoted, mut is_escaped, mut has_space) = (false, false, false);
    let mut bytes = filter.bytes();
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'%' => encoded(&mut bytes),
            byte => byte,
        };
        match (is_quoted, decoded) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => is_quoted = !is_quoted,
            (false, b' ') => has_space = true,
            (false, b'+') if byte == b'+' => return false,
            _ => {}
        }
    }
    has_space
}

/// The byte that the next two hexadecimal digits stand for; 0 if they are none.
fn encoded(bytes: &mut impl Iterator<Item = u8>) -> u8 {
    let mut digit = || char::from(bytes.next().unwrap_or_default()).to_digit(16);
    let byte = digit().zip(digit()).map(|(high, low)| 16 * high + low);
    byte.and_then(|byte| u8::try_from(byte).ok())
        .unwrap_or_default()
}

/// Decodes `%XX` once.
fn percent_decoded(value: &str) -> Option<Cow<'_, str>> {
    let digits_follow = |rest: &str| {
        rest.as_bytes()
            .get(..2)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !value.split('%').skip(1).all(digits_follow) {
        return None;
    }
    percent_decode_str(value).decode_utf8().ok()
}
