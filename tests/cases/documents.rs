//! Bodies of POST and PUT (RFC 7643 §2-§4): `crates/scim/tests/data/documents.json`, each case a body with
//! what is stored of it, or the refusal. Every case runs by POST and by PUT.

use std::path::Path;

use conversation::differences;
use serde_json::{Value, json};

use crate::run;
use test_support::data::of_case;
use test_support::world::{Client, Response, World};

pub(crate) fn documents(path: &Path) -> datatest_stable::Result<()> {
    run(path, |cases| async move {
        let world = World::new().await;
        let client = world.client().await;
        let mut failures = Vec::new();
        for case in cases.as_array().unwrap() {
            failures.extend(of_case(case, check(&client, case).await));
        }
        failures
    })
}

/// Returns what is wrong with the results of a body, sent by POST and by PUT.
pub(crate) async fn check(client: &Client<'_>, case: &Value) -> Vec<String> {
    let created = client.post(&case["body"]).await;
    let mut found = wrong_in(case, &created, 201);
    if created.status == 201 {
        client.delete(&created.id()).await;
    }
    let other = json!({"userName": "other@example.com", "title": "Old"});
    let id = client.create(&other).await;
    let replaced = client.put(&id, &case["body"]).await;
    let wrong = wrong_in(case, &replaced, 200);
    found.extend(wrong.iter().map(|wrong| format!("by PUT, {wrong}")));
    client.delete(&id).await;
    found
}

fn wrong_in(case: &Value, response: &Response, success: u16) -> Vec<String> {
    let status = response.status;
    let body = response.body.clone().unwrap_or_default();
    let refused = &case["refused"];
    if !refused.is_null() {
        let is_refused = status == 400 && body["scimType"] == *refused;
        let wrong = format!("not {refused}, {status} {body}");
        return if is_refused { Vec::new() } else { vec![wrong] };
    }
    if status != success {
        return vec![format!("{status} {body}")];
    }
    let mut found = differences(&case["stored"], &body);
    for name in case["dropped"].as_array().into_iter().flatten() {
        if body.get(name.as_str().unwrap()).is_some() {
            found.push(format!("{name} is there"));
        }
    }
    found
}
