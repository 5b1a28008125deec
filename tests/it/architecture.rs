//! The structure, read from the source: which way dependencies point, that modules do not depend on each other in
//! circles, and what the crates of the workspace may depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use test_support::data::data_path;

/// The modules of this crate that each module may use.
const ALLOWED: [(&str, &[&str]); 4] = [
    ("aws", &["aws"]),
    ("directory", &["directory"]),
    ("store", &["store", "directory", "config", "aws"]),
    ("api", &["api", "store", "directory", "config", "telemetry"]),
];

/// Crates that only certain modules may name.
const CONFINED: [(&str, &[&str]); 13] = [
    ("aws_sdk_dynamodb", &["store"]),
    ("aws_sdk_eventbridge", &["events.rs"]),
    ("aws_sdk_sqs", &["events.rs"]),
    ("aws_config", &["aws", "store", "events.rs"]),
    ("aws_credential", &["aws"]),
    ("aws_smithy", &["aws", "store", "events.rs"]),
    ("aws_lc_rs", &["directory"]),
    ("dynoxide", &[]),
    ("rusqlite", &[]),
    ("http::", &["api", "lambda"]),
    ("hyper", &[]),
    ("lambda_http", &["lambda"]),
    ("tokio", &["store", "api", "bin"]),
];

/// What the protocol may depend on: no AWS, no HTTP, no runtime.
const PROTOCOL_DEPENDENCIES: [&str; 11] = [
    "base64",
    "hmac",
    "icu_casemap",
    "icu_collator",
    "icu_normalizer",
    "jiff",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "uuid",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the sources of a folder, with their paths in it and their code without comments.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let code = std::fs::read_to_string(&path).unwrap();
                let code = code
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .map(|line| format!("{line}\n"))
                    .collect();
                found.push((path.strip_prefix(folder).unwrap().to_owned(), code));
            }
        }
    }
    found
}

/// Sources with the part of the project that they belong to: `scim` for the protocol, else the module of the service.
pub(crate) fn parts() -> Vec<(String, PathBuf, String)> {
    let service = sources(&root().join("src"))
        .into_iter()
        .map(|(path, code)| {
            let part = path.components().next().unwrap().as_os_str();
            (part.to_string_lossy().into_owned(), path, code)
        });
    let protocol = sources(&root().join("crates/scim/src"))
        .into_iter()
        .map(|(path, code)| ("scim".to_owned(), path, code));
    service.chain(protocol).collect()
}

#[test]
fn modules_use_only_what_is_below_them() {
    for (part, path, code) in parts() {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == part) else {
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
fn crates_stay_in_their_modules() {
    for (part, path, code) in parts() {
        for (name, confined_to) in CONFINED {
            let named = code.lines().any(|line| {
                line.trim_start().starts_with(&format!("use {name}"))
                    || line.contains(&format!(" {name}"))
                    || line.contains(&format!("<{name}"))
            });
            assert!(
                !named || confined_to.contains(&part.as_str()),
                "{path:?} names {name}"
            );
        }
    }
}

#[test]
fn the_protocol_depends_on_nothing_that_reads_or_waits() {
    let manifest = std::fs::read_to_string(root().join("crates/scim/Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]\n").unwrap();
    let names: Vec<&str> = dependencies
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| line.split('.').next().unwrap())
        .collect();
    assert_eq!(names, PROTOCOL_DEPENDENCIES);
}

/// A module by the names that lead to it from the root of its crate.
type Module = Vec<String>;

/// The modules of a crate: each with its code, and what it re-exports from which of its own modules.
struct Modules {
    code: BTreeMap<Module, String>,
    reexported: BTreeMap<(Module, String), String>,
}

impl Modules {
    fn of(folder: &Path) -> Self {
        let mut code = BTreeMap::new();
        for (path, text) in sources(folder) {
            let mut module: Module = path
                .with_extension("")
                .components()
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect();
            module.pop_if(|last| ["lib", "main", "mod"].contains(&last.as_str()));
            let tested = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            code.insert(module, tested.to_owned());
        }
        let mut reexported = BTreeMap::new();
        for (module, text) in &code {
            for path in paths(text, "use ") {
                let [child, rest @ ..] = path.as_slice() else {
                    continue;
                };
                let of_child = [module.as_slice(), std::slice::from_ref(child)].concat();
                if let (Some(name), true) = (rest.last(), code.contains_key(&of_child)) {
                    reexported.insert((module.clone(), name.clone()), child.clone());
                }
            }
        }
        Self { code, reexported }
    }

    /// Returns the module that a path leads to from a module.
    fn resolve(&self, from: &Module, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let mut module = match first.as_str() {
            "crate" => Module::new(),
            "super" => from.split_last()?.1.to_vec(),
            _ => return None,
        };
        for name in rest {
            if name == "super" {
                module.pop();
                continue;
            }
            let through = self.reexported.get(&(module.clone(), name.clone()));
            let next = [module.as_slice(), &[through.unwrap_or(name).clone()]].concat();
            if !self.code.contains_key(&next) {
                break;
            }
            module = next;
        }
        Some(module)
    }

    /// For each module, which of its modules uses which other one.
    fn uses(&self) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
        let mut uses: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (module, code) in &self.code {
            let named = paths(code, "crate::")
                .into_iter()
                .chain(paths(code, "super::"));
            for target in named.filter_map(|path| self.resolve(module, &path)) {
                let shared = module
                    .iter()
                    .zip(&target)
                    .take_while(|(a, b)| a == b)
                    .count();
                if let (Some(from), Some(to)) = (module.get(shared), target.get(shared)) {
                    let siblings = uses.entry(module[..shared].to_vec()).or_default();
                    siblings.entry(from.clone()).or_default().insert(to.clone());
                }
            }
        }
        uses
    }
}

/// Returns the paths in a source that begin with a text, as their segments; a group in braces is several paths.
fn paths(code: &str, start: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (index, _) in code.match_indices(start) {
        let before = code[..index].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let text = match start {
            "use " => &code[index + start.len()..],
            _ => &code[index..],
        };
        expand(text, &mut Vec::new(), &mut found);
    }
    found
}

/// Reads one path, or one group of them, and returns what follows it.
fn expand<'t>(text: &'t str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut group) = text.strip_prefix('{') {
        loop {
            group = expand(group, &mut prefix.clone(), found).trim_start();
            group = match group.strip_prefix(',') {
                Some(next) if !next.trim_start().starts_with('}') => next,
                Some(end) => return end.trim_start().strip_prefix('}').unwrap_or(end),
                None => return group.strip_prefix('}').unwrap_or(group),
            };
        }
    }
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    prefix.push(name.to_owned());
    match rest.strip_prefix("::") {
        Some(rest) => expand(rest, prefix, found),
        None => {
            found.push(prefix.clone());
            rest
        }
    }
}

/// Returns a circle among modules that use each other, if there is one.
fn circle(uses: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut left = uses.clone();
    // Whatever uses nothing that is left is in no circle.
    loop {
        let users: BTreeSet<String> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, used| used.iter().any(|used| users.contains(used)));
        if left.len() == before {
            break;
        }
    }
    (!left.is_empty()).then(|| left.into_keys().collect())
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let mut circles = Vec::new();
    let mut known = 0;
    for folder in [
        "src",
        "crates/scim/src",
        "crates/cli/src",
        "crates/embedded/src",
        "crates/postgres/src",
    ] {
        for (module, uses) in Modules::of(&root().join(folder)).uses() {
            known += uses.len();
            if let Some(circle) = circle(&uses) {
                circles.push(format!(
                    "{folder} {}: {}",
                    module.join("::"),
                    circle.join(", ")
                ));
            }
        }
    }
    assert!(known > 60, "{known}");
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn a_circle_is_found() {
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            uses.entry((*from).to_owned())
                .or_default()
                .insert((*to).to_owned());
        }
        uses
    };
    assert_eq!(circle(&uses(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let found = circle(&uses(&[("a", "b"), ("b", "c"), ("c", "b")])).unwrap();
    assert!(found.contains(&"b".to_owned()) && found.contains(&"c".to_owned()));
    let code = "use crate::{a::{B, c}, d};\nfn f() { super::e::g() }";
    assert_eq!(
        [paths(code, "crate::"), paths(code, "super::")].concat(),
        [
            ["crate", "a", "B"].as_slice(),
            &["crate", "a", "c"],
            &["crate", "d"],
            &["super", "e", "g"],
        ]
    );
}

/// Parts of `store` that the engines build on, and the engine in memory, with what each may use of `store`.
const SEAM: [(&str, &[&str]); 4] = [
    ("store/layout/", &["StoreError", "layout"]),
    ("store/transaction.rs", &["layout"]),
    (
        "store/table.rs",
        &["StoreError", "layout", "transaction", "usage"],
    ),
    (
        "store/memory/",
        &["StoreError", "layout", "table", "transaction", "usage"],
    ),
];

/// Parts of `store` that name the SDK.
const ENGINES: [&str; 1] = ["store/dynamodb/"];

/// Returns what code uses of `store`, from a module that is in `store` itself or in a folder of it.
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
    for (path, code) in sources(&root().join("src")) {
        let below = path.to_str().unwrap();
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
    assert!(files > 12, "{files}");
}

#[test]
fn the_store_above_its_engines_names_no_sdk() {
    let mut files = 0;
    for (path, code) in sources(&root().join("src")) {
        let below = path.to_str().unwrap();
        if !below.starts_with("store/") || ENGINES.iter().any(|engine| below.starts_with(engine)) {
            continue;
        }
        files += 1;
        for name in ["aws_", "crate::aws", "serde_dynamo"] {
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
    let _pure = [
        "scim/",
        "directory/",
        "store/layout/",
        "store/transaction.rs",
    ];
    let mut files = 0;
    for (part, path, code) in parts() {
        let is_layout = part == "store" && path.starts_with("store/layout");
        if !is_layout && !["scim", "directory"].contains(&part.as_str()) {
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
    let text = std::fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let named: Vec<(&str, &str)> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.rsplit_once("::"))
        .filter(|(_, test)| *test != "test")
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for (module, test) in named {
        if test.ends_with(".json") {
            let folders = ["conversations", "idp", "rfc", "stream"].map(data_path);
            let is_there = folders.iter().any(|folder| folder.join(test).exists());
            assert!(is_there, "there is no case {module}::{test}");
            continue;
        }
        let places = [
            "tests/it",
            "tests/it/properties",
            "crates/scim/tests/it",
            "src/api",
            "src/directory",
            "crates/cli/src/console",
            "crates/cli/src/serve",
            "crates/cli/tests/it",
        ];
        let is_there = places.iter().any(|place| {
            let module = root().join(place).join(module.replace("::", "/"));
            let files = [module.with_extension("rs"), module.join("mod.rs")];
            let mut codes = files
                .iter()
                .filter_map(|file| std::fs::read_to_string(file).ok());
            codes.any(|code| code.contains(&format!("fn {test}(")))
        });
        assert!(is_there, "there is no test {module}::{test}");
    }
}
