//! The dependency direction, read from the source: `bin -> lambda -> api -> {directory, store} -> scim`.

use std::path::{Path, PathBuf};

/// What each room may use of the crate.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("aws", &["aws"]),
    ("scim", &["scim"]),
    ("directory", &["directory", "scim"]),
    ("store", &["store", "directory", "scim", "config", "aws"]),
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
    ("aws_", &["aws", "store", "events.rs"]),
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

/// Parts of `store` that the engines build on, and what each may use of `store`.
const SEAM: [(&str, &[&str]); 3] = [
    ("store/layout/", &["StoreError", "layout"]),
    ("store/transaction.rs", &["layout"]),
    (
        "store/table.rs",
        &["StoreError", "layout", "transaction", "usage"],
    ),
];

/// Parts of `store` that name the SDK, or connect it to a database in this process.
const ENGINES: [&str; 2] = ["store/dynamodb/", "store/embedded/"];

/// The path of a file below `src`.
fn below_src(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let relative = path.strip_prefix(&root).unwrap();
    relative.to_str().unwrap().replace('\\', "/")
}

/// What code uses of `store`, from a module that is in `store` itself or in a folder of it.
fn used_of_store(code: &str, is_in_folder: bool) -> Vec<String> {
    let prefixes: &[&str] = match is_in_folder {
        true => &["crate::store::"],
        false => &["crate::store::", "super::"],
    };
    let mut used = Vec::new();
    for prefix in prefixes {
        for rest in code.split(prefix).skip(1) {
            let end = match rest.strip_prefix('{') {
                Some(list) => list.split('}').next(),
                None => rest.split(['}', ';', '<', ' ']).next(),
            };
            let names = end.unwrap_or_default().split(',');
            let name = |path: &str| {
                path.split("::")
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            };
            used.extend(names.map(name).filter(|name| !name.is_empty()));
        }
    }
    used
}

#[test]
fn what_engines_build_on_uses_nothing_above_it() {
    let mut files = 0;
    for (_, path, code) in rooms() {
        let below = below_src(&path);
        let Some((part, allowed)) = SEAM.iter().find(|(part, _)| below.starts_with(part)) else {
            continue;
        };
        files += 1;
        for used in used_of_store(&code, part.ends_with('/')) {
            assert!(
                allowed.contains(&used.as_str()),
                "{path:?} uses store::{used}"
            );
        }
    }
    assert!(files > 8, "{files}");
}

#[test]
fn the_store_above_its_engines_names_no_sdk() {
    let mut files = 0;
    for (room, path, code) in rooms() {
        let below = below_src(&path);
        if room != "store" || ENGINES.iter().any(|engine| below.starts_with(engine)) {
            continue;
        }
        files += 1;
        for name in ["aws_", "crate::aws", "serde_dynamo", "dynoxide", "rusqlite"] {
            assert!(!code.contains(name), "{path:?} names {name}");
        }
    }
    assert!(files > 20, "{files}");
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
fn the_protocol_the_directory_and_the_layout_are_pure() {
    let pure = [
        "scim/",
        "directory/",
        "store/layout/",
        "store/transaction.rs",
    ];
    let mut files = 0;
    for (_, path, code) in rooms() {
        let below = below_src(&path);
        if !pure.iter().any(|part| below.starts_with(part)) {
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
