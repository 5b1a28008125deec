//! The rules of the dialect, and the files of their cases, which `tests/cases` runs.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_rule_of_the_dialect_has_cases_and_every_case_a_rule() {
    let mut rules = BTreeSet::new();
    collect_rules(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut rules,
    );
    assert!(rules.len() >= 25, "{rules:?}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dialects");
    let files = std::fs::read_dir(folder).unwrap();
    let files: BTreeSet<String> = files
        .map(|file| file.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
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
