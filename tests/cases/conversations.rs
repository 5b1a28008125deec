//! Whole conversations: `tests/data/conversations` by subject, `tests/data/idp` by the client that leads them,
//! `tests/data/rfc` by the rule they show. Each file is a list of steps over the real router.
//!
//! `cast` names a file of `tests/data/casts`, whose steps come first: they create the users that several conversations
//! are about. `{token}` is the token of the caller's key, `{key}` its id, `{secret}` what follows the id in the token, and
//! `{basic}` id and token for HTTP Basic. `capture` takes values out of a response by JSON pointer for later steps, as `{name}`. A `body` is a JSON
//! object, raw text, or `{"base64": …}` for bytes that are no text.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use conversation::{Variables, capture, differences, filled_in};
use serde_json::Value;

use crate::run;
use test_support::data::data;
use test_support::engine::Engine;
use test_support::world::{Call, Client};

pub(crate) fn conversation(path: &Path) -> datatest_stable::Result<()> {
    on(Engine::InMemory, path)
}

pub(crate) fn conversation_on_dynamodb(path: &Path) -> datatest_stable::Result<()> {
    on(Engine::DynamoDb, path)
}

fn on(engine: Engine, path: &Path) -> datatest_stable::Result<()> {
    run(path, |conversation| async move {
        let world = engine.world().await;
        let client = world.client().await;
        let mut variables = credentials(&client);
        let mut failures = Vec::new();
        if let Some(cast) = conversation["cast"].as_str() {
            let cast = data(&format!("casts/{cast}.json"));
            failures.extend(take_all("cast", &cast, &client, &mut variables).await);
        }
        let steps = &conversation["steps"];
        failures.extend(take_all("step", steps, &client, &mut variables).await);
        failures
    })
}

/// Returns what the caller's key is written into steps by.
fn credentials(client: &Client<'_>) -> Variables {
    let (key, token) = (client.key.to_string(), client.token.clone());
    let secret = token.rsplit('_').next().unwrap().to_owned();
    let basic = STANDARD.encode(format!("{key}:{token}"));
    let variables = [
        ("key", key),
        ("token", token),
        ("secret", secret),
        ("basic", basic),
    ];
    Variables::from(variables.map(|(name, value)| (name.to_owned(), value)))
}

async fn take_all(
    name: &str,
    steps: &Value,
    client: &Client<'_>,
    variables: &mut Variables,
) -> Vec<String> {
    let mut failures = Vec::new();
    for (index, step) in steps.as_array().unwrap().iter().enumerate() {
        let found = take(client, step, variables).await.into_iter();
        failures.extend(found.map(|failure| format!("{name} {}: {failure}", index + 1)));
    }
    failures
}

/// Takes a step, and returns what is wrong with the response.
async fn take(client: &Client<'_>, step: &Value, variables: &mut Variables) -> Vec<String> {
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
