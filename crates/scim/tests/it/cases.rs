//! The cases in `tests/data`, each by the functions of this crate alone:
//!
//! - `filters.json`: users, and for each filter the users that match, or that it is refused;
//! - `documents.json`: a body, and what is stored of it, or the refusal;
//! - `patches/*.json`: a user and the operations of a PATCH, with what the user has after them, or the refusal;
//! - `dialects/RULE.json`: cases of these kinds for a rule of the dialect, which is a function whose documentation
//!   says who sends what it rewrites.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use scim::filter::{Scope, parse};
use scim::messages::PatchOp;
use scim::resource::{Document, Meta, render};
use scim::work::Work;
use scim::{ScimError, dialect};
use serde_json::{Map, Value, json};

use crate::USER;

const ID: &str = "2819c223-7f76-453a-919d-413861904646";

fn data_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn data(name: &str) -> Value {
    let path = data_path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// Returns the files of a folder by their names without extension.
fn data_files(folder: &str) -> Vec<(String, Value)> {
    let entries = std::fs::read_dir(data_path(folder)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let cases = data(&format!("{folder}/{name}.json"));
            (name, cases)
        })
        .collect()
}

#[track_caller]
fn assert_none(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

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

/// Returns the failures of a file's cases, each with the file and what the case is about.
fn failures(file: &str, cases: &Value, check: impl Fn(&Value) -> Option<String>) -> Vec<String> {
    let cases = cases.as_array().unwrap().iter();
    cases
        .filter_map(|case| Some(format!("{file}, {}: {}", case["about"], check(case)?)))
        .collect()
}

#[test]
fn every_filter_finds_what_it_should() {
    let data = data("filters.json");
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
    assert_none(&failures);
}

#[test]
fn every_document_is_stored_or_refused_as_it_should() {
    assert_none(&failures(
        "documents",
        &data("documents.json"),
        check_document,
    ));
}

#[test]
fn every_patch_does_what_it_should() {
    let files = data_files("patches");
    let failures = files
        .iter()
        .flat_map(|(file, cases)| failures(file, cases, check_patch));
    assert_none(&failures.collect::<Vec<_>>());
}

#[test]
fn every_rule_of_the_dialect_rewrites_what_it_should() {
    let check = |case: &Value| match case {
        case if case.get("filter").is_some() => check_filter(case),
        case if case.get("body").is_some() => check_document(case),
        case => check_patch(case),
    };
    let files = data_files("dialects");
    let failures = files
        .iter()
        .flat_map(|(file, cases)| failures(file, cases, check));
    assert_none(&failures.collect::<Vec<_>>());
}

#[test]
fn every_rule_of_the_dialect_has_cases_and_every_case_a_rule() {
    let mut rules = BTreeSet::new();
    collect_rules(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut rules,
    );
    assert!(rules.len() >= 25, "{rules:?}");
    let files: BTreeSet<String> = data_files("dialects")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(rules, files);
}

/// Collects the functions of all sources in a folder whose documentation says who sends what they rewrite.
fn collect_rules(folder: &Path, rules: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_rules(&path, rules);
            continue;
        }
        let mut is_rule = false;
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            is_rule |= line.starts_with("/// Sent by: ");
            let code = line.rsplit_once("fn ").filter(|_| !line.starts_with("//"));
            if let Some((_, function)) = code.filter(|_| is_rule) {
                rules.insert(function.split(['(', '<']).next().unwrap().to_owned());
                is_rule = false;
            }
        }
    }
}
