//! Conversations with a SCIM endpoint as data: what a step sends, with `{variables}` in it, and
//! what of the answer is expected. `cargo scim simulate` leads them, and so do the tests.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What earlier steps found out, by name.
pub type Variables = BTreeMap<String, String>;

/// Text with every `{name}` replaced.
#[must_use]
pub fn filled(text: &str, variables: &Variables) -> String {
    variables
        .iter()
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
}

/// A value with every `{name}` in its strings replaced.
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

/// Where an answer is not what is expected, as JSON pointer and reason. Objects may have more
/// members than expected, arrays not more elements; `"{any}"` is anything but null.
#[must_use]
pub fn differences(expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(expected, actual, "", &mut found);
    found
}

fn compare(expected: &Value, actual: &Value, at: &str, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::String(text), actual) if text == "{any}" && !actual.is_null() => {}
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, expected) in expected {
                match actual.get(name) {
                    Some(actual) => compare(expected, actual, &format!("{at}/{name}"), found),
                    None => found.push(format!("{at}/{name} is missing")),
                }
            }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(expected, actual, &format!("{at}/{index}"), found);
            }
        }
        _ if expected == actual => {}
        _ => found.push(format!("{at} is {actual}, not {expected}")),
    }
}

/// Takes values out of an answer, by JSON pointer, into variables.
///
/// # Errors
/// The name of the first that is not there.
pub fn capture(
    pointers: &Map<String, Value>,
    body: &Value,
    variables: &mut Variables,
) -> Result<(), String> {
    for (name, pointer) in pointers {
        let captured = pointer
            .as_str()
            .and_then(|pointer| body.pointer(pointer)?.as_str())
            .ok_or_else(|| format!("nothing to capture as {name}"))?;
        variables.insert(name.clone(), captured.to_owned());
    }
    Ok(())
}
