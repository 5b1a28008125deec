//! Filters (RFC 7644 §3.4.2.2): `crates/scim/tests/data/filters.json` has users, and for each filter the
//! users that match, or that it is refused.

use std::path::Path;

use serde_json::Value;

use crate::run;
use test_support::world::World;

pub(crate) fn filters(path: &Path) -> datatest_stable::Result<()> {
    run(path, |data| async move {
        let world = World::new().await;
        let client = world.client().await;
        for user in data["users"].as_array().unwrap() {
            client.create(user).await;
        }
        let mut failures = Vec::new();
        for case in data["cases"].as_array().unwrap() {
            let filter = case["filter"].as_str().unwrap();
            let response = client.filter(filter).await;
            if case["refused"] == true {
                let scim_type = response
                    .body
                    .as_ref()
                    .and_then(|body| body["scimType"].as_str());
                if response.status != 400 || scim_type != Some("invalidFilter") {
                    failures.push(format!(
                        "{filter}: not refused, {} {:?}",
                        response.status, response.body
                    ));
                }
                continue;
            }
            if response.status != 200 {
                failures.push(format!("{filter}: {:?}", response.body));
                continue;
            }
            let expected: Vec<&str> = case["matches"]
                .as_array()
                .unwrap()
                .iter()
                .map(|name| name.as_str().unwrap())
                .collect();
            let mut found = response.user_names();
            found.retain(|name| *name != "administrator@example.com");
            if found != expected {
                failures.push(format!("{filter}: {found:?}, not {expected:?}"));
            }
            let listed = response.json()["Resources"].as_array().map(Vec::len);
            assert_eq!(
                response.json()["itemsPerPage"],
                Value::from(listed.unwrap())
            );
        }
        failures
    })
}
