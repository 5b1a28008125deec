//! Bodies of POST and PUT (RFC 7643 §2-§4): `tests/data/documents.json`, each case a body with
//! what is stored of it, or the refusal. Every case runs by POST and by PUT.

use paradigm_scim::conversation::differences;
use serde_json::{Value, json};

use crate::support::{World, assert_none, data};

#[tokio::test]
async fn every_document_is_stored_or_refused_as_it_should() {
    let world = World::new().await;
    let client = world.client().await;
    let mut failures = Vec::new();
    for (number, case) in data("documents.json")
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let about = case["about"].as_str().unwrap();
        let created = client.post(&case["body"]).await;
        check(
            case,
            &created.body,
            created.status,
            201,
            &format!("POST {about}"),
            &mut failures,
        );
        if created.status == 201 {
            client.delete(&created.id()).await;
        }
        let other = json!({"userName": format!("other{number}@example.com"), "title": "Old"});
        let id = client.create(&other).await;
        let replaced = client.put(&id, &case["body"]).await;
        check(
            case,
            &replaced.body,
            replaced.status,
            200,
            &format!("PUT {about}"),
            &mut failures,
        );
        client.delete(&id).await;
    }
    assert_none(&failures);
}

fn check(
    case: &Value,
    body: &Option<Value>,
    status: u16,
    success: u16,
    about: &str,
    failures: &mut Vec<String>,
) {
    let body = body.clone().unwrap_or_default();
    let refused = &case["refused"];
    if !refused.is_null() {
        if status != 400 || body["scimType"] != *refused {
            failures.push(format!("{about}: not {refused}, {status} {body}"));
        }
        return;
    }
    if status != success {
        failures.push(format!("{about}: {status} {body}"));
        return;
    }
    let mut found = differences(&case["stored"], &body);
    for name in case["dropped"].as_array().into_iter().flatten() {
        if body.get(name.as_str().unwrap()).is_some() {
            found.push(format!("{name} is there"));
        }
    }
    failures.extend(
        found
            .into_iter()
            .map(|failure| format!("{about}: {failure}")),
    );
}
