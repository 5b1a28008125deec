//! The handlers' programs, and the events of `events/` with their responses.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// An event and what its response must be.
pub struct Case {
    pub name: String,
    pub handler: String,
    pub event: Value,
    pub expected: Value,
}

impl Case {
    /// Reads an event and the response beside it.
    pub fn read(path: &Path) -> Self {
        let folder = path.parent().unwrap();
        let handler = folder.file_name().unwrap().to_str().unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        Self {
            name: format!("{handler}/{name}"),
            handler: handler.to_owned(),
            event: json(path),
            expected: json(&folder.join(format!("{name}.expected.json"))),
        }
    }
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// Returns all events, in order.
pub fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let folders = sorted(&root).into_iter().filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| sorted(&folder));
    let events = files.filter(|path| !path.to_string_lossy().ends_with(".expected.json"));
    events.map(|path| Case::read(&path)).collect()
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

pub fn binary(handler: &str) -> &'static str {
    match handler {
        "list_users" => env!("CARGO_BIN_EXE_list_users"),
        "create_user" => env!("CARGO_BIN_EXE_create_user"),
        "get_user" => env!("CARGO_BIN_EXE_get_user"),
        "replace_user" => env!("CARGO_BIN_EXE_replace_user"),
        "patch_user" => env!("CARGO_BIN_EXE_patch_user"),
        "delete_user" => env!("CARGO_BIN_EXE_delete_user"),
        "search" => env!("CARGO_BIN_EXE_search"),
        "bulk" => env!("CARGO_BIN_EXE_bulk"),
        "me" => env!("CARGO_BIN_EXE_me"),
        "service_provider_config" => env!("CARGO_BIN_EXE_service_provider_config"),
        "resource_types" => env!("CARGO_BIN_EXE_resource_types"),
        "schemas" => env!("CARGO_BIN_EXE_schemas"),
        "openapi" => env!("CARGO_BIN_EXE_openapi"),
        "groups" => env!("CARGO_BIN_EXE_groups"),
        "issue_token" => env!("CARGO_BIN_EXE_issue_token"),
        "default" => env!("CARGO_BIN_EXE_default"),
        "publish_events" => env!("CARGO_BIN_EXE_publish_events"),
        other => panic!("there is no handler {other}"),
    }
}

/// API Gateway's response with the body as JSON instead of text.
pub fn readable(response: &Value) -> Value {
    let mut response = response.clone();
    assert_eq!(response["isBase64Encoded"], false);
    let body = response["body"].as_str().map_or(Value::Null, |text| {
        serde_json::from_str(text).expect("a JSON body")
    });
    response["body"] = body;
    response
}
