//! PATCH (RFC 7644 §3.5.2) and what clients really send: `tests/data/patches/*.json`, each a list
//! of `{about, user, operations}` with the members `after`, or the refusal. `null` in `after`
//! stands for an attribute that must be gone.

use paradigm_scim::conversation::differences;
use serde_json::{Map, Value, json};

use crate::support::{World, assert_none, data, data_path};

#[tokio::test]
async fn every_patch_does_what_it_should() {
    let mut failures = Vec::new();
    let world = World::new().await;
    let client = world.client().await;
    let mut number = 0;
    for file in std::fs::read_dir(data_path("patches")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        for case in data(&format!("patches/{name}")).as_array().unwrap() {
            number += 1;
            let about = format!("{name}: {}", case["about"].as_str().unwrap());
            let mut user = case.get("user").cloned().unwrap_or_else(|| json!({}));
            let members = user.as_object_mut().unwrap();
            members
                .entry("userName")
                .or_insert_with(|| format!("user{number}@example.com").into());
            let created = client.post(&user).await;
            if created.status != 201 {
                failures.push(format!("{about}: not created, {:?}", created.body));
                continue;
            }
            let id = created.id();
            let operations = own_id(&case["operations"], &id);
            let answer = client.patch(&id, &operations).await;
            let now = client.get(&format!("/Users/{id}")).await;
            let refusal = &case["refused"];
            if !refusal.is_null() {
                let body = answer.body.clone().unwrap_or_default();
                if answer.status != 400 || body["scimType"] != *refusal {
                    failures.push(format!("{about}: not {refusal}, {} {body}", answer.status));
                }
                if now.body != created.body {
                    failures.push(format!("{about}: refused, but the user changed"));
                }
                continue;
            }
            if answer.status != 200 || answer.body != now.body {
                failures.push(format!("{about}: {} {:?}", answer.status, answer.body));
                continue;
            }
            let (gone, kept) = split(&case["after"]);
            let mut found = differences(&kept, now.json());
            for name in gone {
                if now.json().get(&name).is_some() {
                    found.push(format!("{name} is still there"));
                }
            }
            if case["unchanged"] == true && now.body != created.body {
                found.push("a new version was written".to_owned());
            }
            failures.extend(
                found
                    .into_iter()
                    .map(|failure| format!("{about}: {failure}")),
            );
        }
    }
    assert!(number > 60, "only {number} cases found");
    assert_none(&failures);
}

fn own_id(operations: &Value, id: &str) -> Value {
    let text = operations.to_string().replace("{id}", id);
    serde_json::from_str(&text).unwrap()
}

fn split(after: &Value) -> (Vec<String>, Value) {
    let members = after.as_object().cloned().unwrap_or_default();
    let (gone, kept): (Map<String, Value>, Map<String, Value>) =
        members.into_iter().partition(|(_, value)| value.is_null());
    (
        gone.into_iter().map(|(name, _)| name).collect(),
        Value::Object(kept),
    )
}
