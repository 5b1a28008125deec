//! The cases in `tests/data`, each by the functions of this crate alone, and one test for each file: `cargo test -p scim
//! --test cases -- NAME` runs those whose names contain NAME.
//!
//! - `filters.json`: users, and for each filter the users that match, or that it is refused;
//! - `documents.json`: a body, and what is stored of it, or the refusal;
//! - `patches/*.json`: a user and the operations of a PATCH, with what the user has after them, or the refusal;
//! - `dialects/RULE.json`: cases of these kinds for a rule of the dialect, which is a function whose documentation
//!   says who sends what it rewrites.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::path::Path;

use scim::filter::{Scope, parse};
use scim::messages::PatchOp;
use scim::resource::{Document, Meta, render};
use scim::schema::{ENTERPRISE_USER, ResourceType, USER_SCHEMA};
use scim::work::Work;
use scim::{ScimError, dialect};
use serde_json::{Map, Value, json};

datatest_stable::harness! {
    { test = dialect_rule, root = "tests/data/dialects", pattern = r"\.json$" },
    { test = documents, root = "tests/data", pattern = r"^documents\.json$" },
    { test = filters, root = "tests/data", pattern = r"^filters\.json$" },
    { test = patch, root = "tests/data/patches", pattern = r"\.json$" },
}

const ID: &str = "2819c223-7f76-453a-919d-413861904646";

static USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "User account",
    schema: &USER_SCHEMA,
    extensions: &[&ENTERPRISE_USER],
};

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn document(body: &Value) -> Result<Document, ScimError> {
    let mut body = object(body);
    dialect::resource(&mut body, &USER);
    Document::from_input(body, &USER)
}

/// Returns the resource as clients see it. A service gives `active` a value where a client gives none.
fn seen(mut document: Document, version: u64) -> Map<String, Value> {
    if document.members().get("active").is_none() {
        document.set_core("active", true.into());
    }
    let instant = "2026-01-01T00:00:00Z".parse().unwrap();
    let meta = Meta {
        created: instant,
        last_modified: instant,
        version,
    };
    render(&USER, ID, document, &meta, "https://scim.example.com")
}

/// Returns whether everything expected is there; objects may have more members, and `"{any}"` is anything but null.
fn contains(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (actual, Value::String(text)) if text == "{any}" => !actual.is_null(),
        (Value::Object(actual), Value::Object(expected)) => {
            let has = |(name, value): (&String, &Value)| {
                actual
                    .get(name)
                    .is_some_and(|actual| contains(actual, value))
            };
            expected.iter().all(has)
        }
        (Value::Array(actual), Value::Array(expected)) => {
            let mut pairs = actual.iter().zip(expected);
            actual.len() == expected.len()
                && pairs.all(|(actual, expected)| contains(actual, expected))
        }
        _ => actual == expected,
    }
}

/// Returns what is wrong with a result, if anything.
fn compared(
    result: Result<Document, ScimError>,
    version: u64,
    case: &Value,
    expected: &str,
) -> Option<String> {
    let refused = &case["refused"];
    let document = match result {
        Ok(_) if !refused.is_null() => return Some(format!("not refused with {refused}")),
        Ok(document) => document,
        Err(error) => {
            let scim_type = error.scim_type.map(scim::error::ScimType::as_str);
            let is_expected = refused.as_str().is_some() && scim_type == refused.as_str();
            return (!is_expected).then(|| format!("{error}: {}", error.detail));
        }
    };
    let seen = Value::Object(seen(document, version));
    let (removed, kept): (Map<String, Value>, Map<String, Value>) = object(&case[expected])
        .into_iter()
        .partition(|(_, value)| value.is_null());
    let dropped = case["dropped"].as_array().into_iter().flatten();
    let mut removed = removed
        .keys()
        .map(String::as_str)
        .chain(dropped.filter_map(Value::as_str));
    if let Some(name) = removed.find(|name| seen.get(name).is_some()) {
        return Some(format!("{name} is there: {seen}"));
    }
    (!contains(&seen, &Value::Object(kept))).then(|| format!("{seen}"))
}

fn check_document(case: &Value) -> Option<String> {
    compared(document(&case["body"]), 1, case, "stored")
}

fn check_patch(case: &Value) -> Option<String> {
    let mut user = object(&case["user"]);
    user.entry("userName")
        .or_insert_with(|| "patched@example.com".into());
    let before = match document(&Value::Object(user)) {
        Ok(before) => before,
        Err(error) => return Some(format!("the user is refused: {}", error.detail)),
    };
    let message = match case.get("message") {
        Some(message) => message.clone(),
        None => json!({"Operations": case["operations"]}),
    };
    let message = message.to_string().replace("{id}", ID);
    let message = object(&serde_json::from_str(&message).unwrap());
    let patched = PatchOp::parse(message, &USER)
        .and_then(|patch| patch.apply(ID, &before, &USER, &mut Work::of_patch()));
    let after = patched.map(|patched| patched.document);
    if case["unchanged"] == true && after.as_ref().ok() != Some(&before) {
        return Some("it changed".to_owned());
    }
    compared(after, 2, case, "after")
}

/// Returns whether a user matches a filter, or `"refused"`.
fn found(user: &Value, filter: &str) -> Value {
    let user = seen(document(user).expect("a user"), 1);
    match parse(filter, Scope::Resource(&USER)) {
        Ok(filter) => filter.matches(&user, &mut Work::of_query()).unwrap().into(),
        Err(_) => "refused".into(),
    }
}

fn check_filter(case: &Value) -> Option<String> {
    let mut user = object(&case["user"]);
    user.insert("userName".to_owned(), "filtered@example.com".into());
    let found = found(&Value::Object(user), case["filter"].as_str().unwrap());
    (found != case["finds"]).then(|| format!("{found}, not {}", case["finds"]))
}

/// Runs the cases of a file, and fails with what they found wrong.
fn run(path: &Path, cases: impl FnOnce(Value) -> Vec<String>) -> datatest_stable::Result<()> {
    let failures = cases(serde_json::from_str(&std::fs::read_to_string(path)?)?);
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures.join("\n").into()),
    }
}

/// Runs the same check for each case of a list.
fn run_each(path: &Path, check: impl Fn(&Value) -> Option<String>) -> datatest_stable::Result<()> {
    run(path, |cases| {
        let cases = cases.as_array().unwrap().iter();
        cases
            .filter_map(|case| Some(format!("{}: {}", case["about"], check(case)?)))
            .collect()
    })
}

fn filters(path: &Path) -> datatest_stable::Result<()> {
    run(path, |data| {
        let mut failures = Vec::new();
        for case in data["cases"].as_array().unwrap() {
            let filter = case["filter"].as_str().unwrap();
            for user in data["users"].as_array().unwrap() {
                let expected = match case["refused"] == true {
                    true => json!("refused"),
                    false => case["matches"]
                        .as_array()
                        .unwrap()
                        .contains(&user["userName"])
                        .into(),
                };
                let found = found(user, filter);
                if found != expected {
                    failures.push(format!(
                        "{filter}: {} {found}, not {expected}",
                        user["userName"]
                    ));
                }
            }
        }
        failures
    })
}

fn documents(path: &Path) -> datatest_stable::Result<()> {
    run_each(path, check_document)
}

fn patch(path: &Path) -> datatest_stable::Result<()> {
    run_each(path, check_patch)
}

fn dialect_rule(path: &Path) -> datatest_stable::Result<()> {
    run_each(path, |case| match case {
        case if case.get("filter").is_some() => check_filter(case),
        case if case.get("body").is_some() => check_document(case),
        case => check_patch(case),
    })
}
