//! Conversations with a SCIM endpoint as data: what a step sends, with `{variables}` in it, and
//! what is expected of the response. `cargo scim simulate` plays them, and so do the tests.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Values that earlier steps captured, by name.
pub type Variables = BTreeMap<String, String>;

/// Returns the text with every `{name}` replaced.
#[must_use]
pub fn filled(text: &str, variables: &Variables) -> String {
    variables
        .iter()
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
}

/// Returns a value with every `{name}` in its strings replaced.
#[must_use]
pub fn filled_in(value: &Value, variables: &Variables) -> Value {
    match value {
        Value::String(text) => Value::String(filled(text, variables)),
        Value::Array(values) => values
            .iter()
            .map(|value| filled_in(value, variables))
            .collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), filled_in(value, variables)))
            .collect(),
        value => value.clone(),
    }
}

/// Returns whether a `{name}` is left in one of the strings of a value; `{any}` does not count.
#[must_use]
pub fn is_unfilled(value: &Value) -> bool {
    match value {
        Value::String(text) => text != ANY && has_variable(text),
        Value::Array(values) => values.iter().any(is_unfilled),
        Value::Object(members) => members.values().any(is_unfilled),
        _ => false,
    }
}

/// Returns whether a `{name}` is left in a text.
#[must_use]
pub fn has_variable(text: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic());
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .any(|(name, _)| is_name(name))
}

/// Stands for anything but null in an expectation.
const ANY: &str = "{any}";

/// How an array in a response is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrays {
    /// As long as expected, in the same order.
    Exact,
    /// Of any length and order, as long as everything expected is in it.
    Containing,
}

/// Returns where a response is not what is expected, as JSON pointer and reason. Objects may have more
/// members than expected; `"{any}"` is anything but null.
#[must_use]
pub fn differences(expected: &Value, actual: &Value) -> Vec<String> {
    differences_with(Arrays::Exact, expected, actual)
}

/// Returns the differences as [`differences`] does, with a rule for arrays.
#[must_use]
pub fn differences_with(arrays: Arrays, expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(arrays, expected, actual, "", &mut found);
    found
}

fn compare(arrays: Arrays, expected: &Value, actual: &Value, at: &str, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::String(text), actual) if text == ANY && !actual.is_null() => {}
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, expected) in expected {
                match actual.get(name) {
                    Some(actual) => {
                        compare(arrays, expected, actual, &format!("{at}/{name}"), found);
                    }
                    None => found.push(format!("{at}/{name} is missing")),
                }
            }
        }
        (Value::Array(expected), Value::Array(actual)) if arrays == Arrays::Containing => {
            let is_there = |wanted: &Value| {
                let differs = |element| !differences_with(arrays, wanted, element).is_empty();
                !actual.iter().all(differs)
            };
            for wanted in expected.iter().filter(|wanted| !is_there(wanted)) {
                found.push(format!("{at} has no {wanted}"));
            }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(arrays, expected, actual, &format!("{at}/{index}"), found);
            }
        }
        _ if expected == actual => {}
        _ => found.push(format!("{at} is {actual}, not {expected}")),
    }
}

/// Takes values out of a response, by JSON pointer, into variables.
///
/// # Errors
/// The name of the first value that is not there.
pub fn capture(
    pointers: &Map<String, Value>,
    body: &Value,
    variables: &mut Variables,
) -> Result<(), String> {
    for (name, pointer) in pointers {
        let captured = pointer
            .as_str()
            .and_then(|pointer| body.pointer(pointer)?.as_str())
            .filter(|captured| !captured.is_empty())
            .ok_or_else(|| format!("nothing to capture as {name}"))?;
        variables.insert(name.clone(), captured.to_owned());
    }
    Ok(())
}
