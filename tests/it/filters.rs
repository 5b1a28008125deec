//! Filters (RFC 7644 §3.4.2.2): `crates/scim/tests/data/filters.json` has users, and for each filter who
//! matches, or that it is refused.

use serde_json::Value;

use crate::support::{World, assert_none, data};

#[tokio::test]
async fn every_filter_finds_whom_it_should() {
    let data = data("filters.json");
    let world = World::new().await;
    let client = world.client().await;
    for user in data["users"].as_array().unwrap() {
        client.create(user).await;
    }
    let mut failures = Vec::new();
    for case in data["cases"].as_array().unwrap() {
        let filter = case["filter"].as_str().unwrap();
        let answer = client.filter(filter).await;
        if case["refused"] == true {
            let scim_type = answer
                .body
                .as_ref()
                .and_then(|body| body["scimType"].as_str());
            if answer.status != 400 || scim_type != Some("invalidFilter") {
                failures.push(format!(
                    "{filter}: not refused, {} {:?}",
                    answer.status, answer.body
                ));
            }
            continue;
        }
        if answer.status != 200 {
            failures.push(format!("{filter}: {:?}", answer.body));
            continue;
        }
        let expected: Vec<&str> = case["matches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        let mut found = answer.user_names();
        found.retain(|name| *name != "administrator@example.com");
        if found != expected {
            failures.push(format!("{filter}: {found:?}, not {expected:?}"));
        }
        let listed = answer.json()["Resources"].as_array().map(Vec::len);
        assert_eq!(answer.json()["itemsPerPage"], Value::from(listed.unwrap()));
    }
    assert_none(&failures);
}
