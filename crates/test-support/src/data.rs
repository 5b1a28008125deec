//! Cases as data, and where the project's files are.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Returns the project's folder.
pub fn root() -> &'static Path {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.ancestors().nth(2).unwrap()
}

/// Returns a file of `tests/data`.
pub fn data(name: &str) -> Value {
    let path = data_path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// Returns the files of a folder by their names without extension, in order.
pub fn data_files(folder: &str) -> Vec<(String, Value)> {
    let mut names: Vec<String> = std::fs::read_dir(data_path(folder))
        .unwrap()
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

/// Failures of a case, each with what the case is about.
pub fn of_case(case: &Value, found: Vec<String>) -> Vec<String> {
    let about = case["about"].as_str().unwrap();
    let named = |failure| format!("{about}: {failure}");
    found.into_iter().map(named).collect()
}

/// Returns where a file of cases is; those of the protocol are in its crate.
pub fn data_path(name: &str) -> PathBuf {
    let of_the_protocol = root().join("crates/scim/tests/data").join(name);
    match of_the_protocol.exists() {
        true => of_the_protocol,
        false => root().join("tests/data").join(name),
    }
}

/// Fails with all messages, if there are any.
#[track_caller]
pub fn assert_none(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
