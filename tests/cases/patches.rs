//! PATCH (RFC 7644 §3.5.2): `crates/scim/tests/data/patches/*.json`, each a list of `{about, user, operations}`
//! or, for a whole message, `{about, user, message}`, with the members `after`, or the refusal.
//! `null` in `after` stands for an attribute that must be absent.

use std::path::Path;

use conversation::{Variables, differences, filled_in};
use serde_json::{Map, Value, json};

use crate::run;
use test_support::data::of_case;
use test_support::world::{Call, Client, World};

pub(crate) fn patch(path: &Path) -> datatest_stable::Result<()> {
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

/// Returns what is wrong with what a PATCH did to a user of its own.
pub(crate) async fn check(client: &Client<'_>, case: &Value) -> Vec<String> {
    let mut user = case.get("user").cloned().unwrap_or_else(|| json!({}));
    let members = user.as_object_mut().unwrap();
    members
        .entry("userName")
        .or_insert_with(|| "patched@example.com".into());
    let created = client.post(&user).await;
    if created.status != 201 {
        return vec![format!("not created, {:?}", created.body)];
    }
    let id = created.id();
    let message = case
        .get("message")
        .cloned()
        .unwrap_or_else(|| json!({"Operations": case["operations"]}));
    let message = filled_in(&message, &Variables::from([("id".to_owned(), id.clone())]));
    let call = Call::new("PATCH", &format!("/Users/{id}"));
    let response = client.send(call.json(&message)).await;
    let now = client.get(&format!("/Users/{id}")).await;
    client.delete(&id).await;
    let mut found = Vec::new();
    let refusal = &case["refused"];
    if !refusal.is_null() {
        let body = response.body.clone().unwrap_or_default();
        if response.status != 400 || body["scimType"] != *refusal {
            found.push(format!("not {refusal}, {} {body}", response.status));
        }
        if now.body != created.body {
            found.push("refused, but the user changed".to_owned());
        }
        return found;
    }
    if response.status != 200 || response.body != now.body {
        return vec![format!("{} {:?}", response.status, response.body)];
    }
    let (removed, kept) = split(&case["after"]);
    found.extend(differences(&kept, now.json()));
    for name in removed {
        if now.json().get(&name).is_some() {
            found.push(format!("{name} is still there"));
        }
    }
    if case["unchanged"] == true && now.body != created.body {
        found.push("a new version was written".to_owned());
    }
    found
}

fn split(after: &Value) -> (Vec<String>, Value) {
    let members = after.as_object().cloned().unwrap_or_default();
    let (removed, kept): (Map<String, Value>, Map<String, Value>) =
        members.into_iter().partition(|(_, value)| value.is_null());
    (
        removed.into_iter().map(|(name, _)| name).collect(),
        Value::Object(kept),
    )
}
