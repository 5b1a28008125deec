//! The dependency direction, read from the source: `bin -> lambda -> api -> {directory, store} -> scim`.

use std::path::{Path, PathBuf};

/// What each room may use of the crate.
const ALLOWED: [(&str, &[&str]); 4] = [
    ("scim", &["scim"]),
    ("directory", &["directory", "scim"]),
    ("store", &["store", "directory", "scim", "config"]),
    (
        "api",
        &["api", "store", "directory", "scim", "config", "telemetry"],
    ),
];

/// Crates that only certain rooms may name.
const CONFINED: [(&str, &[&str]); 10] = [
    ("aws_sdk_dynamodb", &["store"]),
    ("aws_sdk_eventbridge", &["events.rs"]),
    ("aws_sdk_sqs", &["events.rs"]),
    ("aws_", &["store", "events.rs"]),
    ("dynoxide", &["store"]),
    ("rusqlite", &["store"]),
    ("http::", &["api", "bin", "lambda.rs"]),
    ("hyper", &["bin"]),
    ("lambda_http", &["lambda.rs", "events.rs"]),
    ("tokio", &["store", "api", "bin"]),
];

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Files of `src` with the room they are in and their code without comments.
pub(crate) fn rooms() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&root).unwrap();
            let room = relative.components().next().unwrap().as_os_str();
            let code: String = std::fs::read_to_string(&path)
                .unwrap()
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(|line| format!("{line}\n"))
                .collect();
            (room.to_string_lossy().into_owned(), path, code)
        })
        .collect()
}

#[test]
fn rooms_use_only_what_is_below_them() {
    for (room, path, code) in rooms() {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == room) else {
            continue;
        };
        for rest in code.split("crate::").skip(1) {
            let used = rest
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next();
            let used = used.unwrap_or_default();
            assert!(allowed.contains(&used), "{path:?} uses crate::{used}");
        }
    }
}

#[test]
fn crates_stay_in_their_rooms() {
    for (room, path, code) in rooms() {
        for (name, confined_to) in CONFINED {
            let named = code.lines().any(|line| {
                line.trim_start().starts_with(&format!("use {name}"))
                    || line.contains(&format!(" {name}"))
                    || line.contains(&format!("<{name}"))
            });
            assert!(
                !named || confined_to.contains(&room.as_str()),
                "{path:?} names {name}"
            );
        }
    }
}

/// What code without clock, environment, files and network does not name. The time is passed in.
const IMPURE: [&str; 9] = [
    "async ",
    ".await",
    "Timestamp::now",
    "Zoned::now",
    "SystemTime",
    "Instant::now",
    "std::env",
    "std::fs",
    "std::net",
];

#[test]
fn the_protocol_and_the_directory_are_pure() {
    let mut files = 0;
    for (room, path, code) in rooms() {
        if !["scim", "directory"].contains(&room.as_str()) {
            continue;
        }
        files += 1;
        for name in IMPURE {
            assert!(!code.contains(name), "{path:?} names {name}");
        }
    }
    assert!(files > 30, "{files}");
}

#[test]
fn the_threat_model_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let named: Vec<(&str, &str)> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split_once("::"))
        .filter(|(_, test)| *test != "test")
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for (module, test) in named {
        let places = [
            "tests/it",
            "tests/it/properties",
            "src/api",
            "src/bin/paradigm-scim",
        ];
        let is_there = places.iter().any(|place| {
            let file = root.join(place).join(format!("{module}.rs"));
            std::fs::read_to_string(file).is_ok_and(|code| code.contains(&format!("fn {test}(")))
        });
        assert!(is_there, "there is no test {module}::{test}");
    }
}
