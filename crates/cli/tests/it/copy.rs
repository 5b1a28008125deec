//! `copy`, between folders. `.ci/on_postgres` copies to PostgreSQL and back.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{run, run_json};
use crate::serve::PROGRAM;

/// Returns whether it succeeded, and what it printed.
fn copy(from: &Path, to: &Path, more: &[&str]) -> (bool, String) {
    let output = Command::new(PROGRAM)
        .arg("copy")
        .args(more)
        .args([Path::new("--from"), from, Path::new("--to"), to])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn a_directory_moves_to_another_folder() {
    let [from, to] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let to = to.path().join("made");
    let acme = run_json(from.path(), &["company", "create", "Acme"]);
    for user in ["ada@example.com", "bob@example.com"] {
        run(from.path(), &["user", "create", user, "--company", "Acme"]).unwrap();
    }
    let (succeeded, text) = copy(from.path(), &to, &[]);
    assert!(succeeded, "{text}");
    assert!(text.contains("same items"), "{text}");
    let list = ["user", "list", "--company", "Acme"];
    assert_eq!(run_json(&to, &list), run_json(from.path(), &list));
    assert_eq!(run_json(&to, &["company", "list"])[0]["id"], acme["id"]);

    // The rest is copied by the same command.
    run(from.path(), &["user", "create", "cyd", "--company", "Acme"]).unwrap();
    let (succeeded, text) = copy(from.path(), &to, &["--json"]);
    assert!(succeeded, "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    // The user, its userName and audit record, and a counter.
    assert_eq!(report["written"], 4, "{report:#}");
    // Two units for each in a transaction, and one for each of two index entries.
    assert_eq!(report["consumed"]["writeUnits"], 10.0, "{report:#}");
    assert_eq!(run_json(&to, &list), run_json(from.path(), &list));
}

#[test]
fn a_store_with_another_directory_is_left_alone() {
    let [from, to] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    run(from.path(), &["company", "create", "Acme"]).unwrap();
    run(to.path(), &["company", "create", "Other"]).unwrap();
    let (succeeded, text) = copy(from.path(), to.path(), &[]);
    assert!(!succeeded);
    assert!(text.contains("copy to an empty store"), "{text}");
    let companies = run_json(to.path(), &["company", "list"]);
    assert_eq!(companies.as_array().unwrap().len(), 1);

    let (succeeded, text) = copy(from.path(), from.path(), &[]);
    assert!(!succeeded);
    assert!(text.contains("the same store"), "{text}");
    let nowhere = from.path().join("nowhere");
    let (succeeded, text) = copy(&nowhere, to.path(), &[]);
    assert!(!succeeded);
    assert!(text.contains("there is no store in"), "{text}");
}
