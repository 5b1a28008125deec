//! The query string in form encoding. Known parameters are read strictly, and unknown ones, such as Entra's
//! `aadOptscim062020`, are ignored.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use scim::ScimError;
use scim::messages::SearchRequest;

use super::{near_miss, rule};

const FILTER: &str = "filter";

/// Reads a raw query string. Names are compared without regard to case, unknown parameters are ignored.
///
/// # Errors
/// 400 for a known parameter that is given twice, is not validly encoded, or holds another one.
pub(super) fn parse(raw: &str) -> Result<SearchRequest<'_>, ScimError> {
    let mut query = SearchRequest::default();
    for mut pair in raw.split('&') {
        // Clients append `?filter=…` to a tenant URL that has a query already. In a name and in the value of an
        // unknown parameter a `?` therefore ends the parameter. In the value of a known one it is text.
        loop {
            let (name, behind) = split_name(pair);
            pair = match behind {
                Behind::Parameter(next) => {
                    read(&mut query, name, "")?;
                    next
                }
                Behind::Value(value) => {
                    match (read(&mut query, name, value)?, value.split_once('?')) {
                        (Reading::Unknown, Some((_, next))) => next,
                        _ => break,
                    }
                }
            };
        }
    }
    Ok(query)
}

fn read<'q>(
    query: &mut SearchRequest<'q>,
    raw_name: &str,
    value: &'q str,
) -> Result<Reading, ScimError> {
    let Some(name) = form_decoded(raw_name) else {
        return Ok(Reading::Unknown);
    };
    if !SearchRequest::is_parameter(&name) {
        return Ok(Reading::Unknown);
    }
    query.refuse_repeated(&name)?;
    let decoded = if name.eq_ignore_ascii_case(FILTER) {
        filter_decoded(value)
    } else {
        refuse_swallowed(&name, value)?;
        form_decoded(value)
    };
    query.set(&name, decoded.ok_or_else(|| not_decoded(&name))?);
    Ok(Reading::Known)
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
/// query would find all users.
fn refuse_swallowed(name: &str, value: &str) -> Result<(), ScimError> {
    let swallowed = value.split('?').skip(1).find(|part| {
        let (part, _) = part.split_once('=').unwrap_or_default();
        SearchRequest::is_parameter(part)
    });
    match swallowed {
        Some(_) => Err(ScimError::invalid_value(format!(
            "The value of '{name}' holds another parameter behind a '?'; separate parameters by '&'."
        ))
        .rule(rule::PARAMETER_SWALLOWED)),
        None => Ok(()),
    }
}

/// Returns the path of a route that an unknown parameter holds: clients append paths to a tenant URL that has a query.
#[must_use]
pub(super) fn path_within(raw: &str) -> Option<&'static str> {
    raw.split('&')
        .filter_map(|pair| pair.split('?').next())
        .filter(|pair| {
            let (name, _) = split_name(pair);
            !SearchRequest::is_parameter(name)
        })
        .filter_map(|pair| pair.split_once('/'))
        .find_map(|(_, path)| near_miss::nearest(path))
}

/// Decodes `+` as space and `%XX` once; `None` for a `%` without two hexadecimal digits, or bytes
/// that are not UTF-8.
pub(super) fn form_decoded(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains('+') {
        return percent_decoded(value);
    }
    let spaced = value.replace('+', " ");
    let decoded = percent_decoded(&spaced)?;
    Some(Cow::Owned(decoded.into_owned()))
}

/// Decodes a filter in the same way, except that a `+` may be meant.
fn filter_decoded(value: &str) -> Option<Cow<'_, str>> {
    if has_literal_plus(value) {
        percent_decoded(value)
    } else {
        form_decoded(value)
    }
}

/// Returns whether a `+` inside the quotes of a filter is one: some clients encode spaces as `%20` and leave the plus
/// of `pl+x@example.com` as it is. They do if the spaces outside of quotes are `%20` or raw, and none of them is a `+`.
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

/// Returns the byte that the next two hexadecimal digits stand for; 0 if they are none.
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
