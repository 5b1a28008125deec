//! The cases of the dialect's rules, `crates/scim/tests/data/dialects/RULE.json`, through the service: PATCHes like
//! those of `patches`, resources like those of `documents`, or `{about, user, filter, finds}`, where `finds` says
//! whether that user matches or `"refused"`.

use std::path::Path;

use serde_json::{Value, json};

use crate::{documents, patches, run};
use test_support::data::of_case;
use test_support::world::{Client, World};

pub(crate) fn dialect_rule(path: &Path) -> datatest_stable::Result<()> {
    run(path, |cases| async move {
        let world = World::new().await;
        let client = world.client().await;
        let mut failures = Vec::new();
        for case in cases.as_array().unwrap() {
            let found = if case.get("filter").is_some() {
                check_filter(&client, case).await
            } else if case.get("body").is_some() {
                documents::check(&client, case).await
            } else {
                patches::check(&client, case).await
            };
            failures.extend(of_case(case, found));
        }
        failures
    })
}

async fn check_filter(client: &Client<'_>, case: &Value) -> Vec<String> {
    let mut user = case["user"].clone();
    user["userName"] = json!("filtered@example.com");
    let id = client.create(&user).await;
    let response = client.filter(case["filter"].as_str().unwrap()).await;
    client.delete(&id).await;
    let found = match response.status {
        200 => json!(response.user_names().contains(&"filtered@example.com")),
        400 if response.json()["scimType"] == "invalidFilter" => json!("refused"),
        _ => json!(response.body),
    };
    if found == case["finds"] {
        Vec::new()
    } else {
        vec![format!("{found}, not {}", case["finds"])]
    }
}
