//! Whole conversations: `tests/data/conversations` by subject, `tests/data/idp` by the client that leads them,
//! `tests/data/rfc` by the rule they show; each file is a list of steps over the real router. `capture` takes values
//! out of a response by JSON pointer for later steps, as `{name}`. A `body` is a JSON object, raw text, or `{"base64":
//! …}` for bytes that are no text.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use conversation::{Variables, capture, differences, filled_in};
use serde_json::Value;

use test_support::data::{assert_none, data_path, root};
use test_support::engine::Engine;
use test_support::on_every_engine;
use test_support::world::{Call, Client};

on_every_engine!(every_conversation_goes_as_written);

async fn every_conversation_goes_as_written(engine: Engine) {
    let mut files = Vec::new();
    collect(&data_path("conversations"), &mut files);
    collect(&data_path("idp"), &mut files);
    collect(&data_path("rfc"), &mut files);
    assert!(files.len() > 50, "only {} conversations found", files.len());
    let mut failures = Vec::new();
    for file in files {
        let name = file
            .strip_prefix(root().join("tests/data"))
            .unwrap()
            .display()
            .to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        let conversation: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let world = engine.world().await;
        let client = world.client().await;
        let mut variables = Variables::from([("token".to_owned(), client.token.clone())]);
        for (index, step) in conversation["steps"].as_array().unwrap().iter().enumerate() {
            let found = run(&client, step, &mut variables).await;
            failures.extend(
                found
                    .into_iter()
                    .map(|failure| format!("{name}, step {}: {failure}", index + 1)),
            );
        }
    }
    assert_none(&failures);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            collect(&entry, files);
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(entry);
        }
    }
}

async fn run(client: &Client<'_>, step: &Value, variables: &mut Variables) -> Vec<String> {
    let step = filled_in(step, variables);
    let method = step["method"].as_str().unwrap();
    let mut call = Call::new(method, step["path"].as_str().unwrap())
        .query(step["query"].as_str().unwrap_or_default());
    for (name, value) in step["headers"].as_object().into_iter().flatten() {
        call = call.header(name, value.as_str().unwrap());
    }
    match &step["body"] {
        Value::Null => {}
        Value::String(raw) => call = call.body(raw.clone()),
        bytes if bytes["base64"].is_string() => {
            let text = bytes["base64"].as_str().unwrap();
            call = call.body(STANDARD.decode(text).unwrap());
        }
        body => call = call.json(body),
    }
    let response = if step["anonymous"] == true {
        client.world.send(call).await
    } else {
        client.send(call).await
    };
    let expect = &step["expect"];
    let mut failures = Vec::new();
    if expect["status"] != response.status {
        failures.push(format!(
            "status {}, not {}: {:?}",
            response.status, expect["status"], response.body
        ));
    }
    for (name, value) in expect["headers"].as_object().into_iter().flatten() {
        let actual = response.header(name).map_or(Value::Null, Value::from);
        let found = differences(value, &actual);
        failures.extend(found.iter().map(|found| format!("{name}{found}")));
    }
    let body = response.body.clone().unwrap_or_default();
    if let Some(expected) = expect.get("body") {
        failures.extend(differences(expected, &body));
    }
    for pointer in expect["absent"].as_array().into_iter().flatten() {
        let pointer = pointer.as_str().unwrap();
        if body.pointer(pointer).is_some() {
            failures.push(format!("{pointer} is there"));
        }
    }
    if let Some(pointers) = step["capture"].as_object() {
        failures.extend(capture(pointers, &body, variables).err());
    }
    failures
}
