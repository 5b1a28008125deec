//! The OpenAPI description: what it says of responses is true, and its examples work.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use test_support::world::{Call, World};

fn resolved<'d>(description: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(reference) => description.pointer(&reference[1..]).unwrap(),
        None => schema,
    }
}

/// Returns where a value has members that its schema does not describe, or lacks those it requires.
fn undescribed(description: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = resolved(description, schema);
    match value {
        Value::Array(elements) => {
            let each = elements.iter().enumerate();
            each.flat_map(|(index, element)| {
                undescribed(
                    description,
                    &schema["items"],
                    element,
                    &format!("{at}/{index}"),
                )
            })
            .collect()
        }
        Value::Object(members) => {
            let nothing = Map::new();
            let described = schema["properties"].as_object().unwrap_or(&nothing);
            let required = schema["required"].as_array().into_iter().flatten();
            let missing = required
                .filter(|name| !members.contains_key(name.as_str().unwrap()))
                .map(|name| format!("{at} has no {name}"));
            let found = members.iter().flat_map(|(name, value)| {
                let at = format!("{at}/{name}");
                match described.get(name) {
                    Some(schema) => undescribed(description, schema, value, &at),
                    None => vec![format!("{at} is not described")],
                }
            });
            missing.chain(found).collect()
        }
        _ => Vec::new(),
    }
}

/// The whole description, so that a review shows what changes for clients. `INSTA_UPDATE=always` writes the snapshot
/// again.
#[tokio::test]
async fn the_description_is_the_one_in_the_snapshot() {
    let world = World::new().await;
    let client = world.client().await;
    let description = client.get("/openapi.json").await.json().clone();
    let text = serde_json::to_string_pretty(&description).unwrap();
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("openapi", text));
}

#[tokio::test]
async fn discovery_responses_are_described_member_by_member() {
    let world = World::new().await;
    let client = world.client().await;
    let description = client.get("/openapi.json").await.json().clone();
    for (path, component) in [
        ("/ServiceProviderConfig", "ServiceProviderConfig"),
        ("/ResourceTypes", "ResourceTypeList"),
        ("/ResourceTypes/User", "ResourceType"),
        ("/Schemas", "SchemaList"),
        (
            "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
            "Schema",
        ),
        (
            "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Schema",
            "Schema",
        ),
    ] {
        let response = client.get(path).await;
        let schema = &description["components"]["schemas"][component];
        let found = undescribed(&description, schema, response.json(), "");
        assert_eq!(found, [""; 0], "{path}");
    }
}

#[tokio::test]
async fn the_examples_of_the_description_work() {
    let world = World::new().await;
    let description = world.send(Call::new("GET", "/openapi.json")).await;
    let description = description.json();
    let mut tried = BTreeSet::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let content = &operation["requestBody"]["content"]["application/scim+json"];
            let Some(examples) = content["examples"].as_object() else {
                continue;
            };
            for (name, example) in examples {
                let body = &resolved(description, example)["value"];
                // Each in a company of its own.
                let client = world.client().await;
                let user = client.create(&json!({"userName": "somebody"})).await;
                let path = path.replace("{id}", &user);
                let call = Call::new(&method.to_uppercase(), &path).json(body);
                let response = client.send(call).await;
                let is_success = (200..300).contains(&response.status);
                assert!(is_success, "{method} {path} {name}: {response:?}");
                let operations = response.json()["Operations"]
                    .as_array()
                    .into_iter()
                    .flatten();
                for operation in operations {
                    let status = operation["status"].as_str().unwrap();
                    assert!(status.starts_with('2'), "{name}: {operation}");
                }
                tried.insert(name.clone());
            }
        }
    }
    let all = description["components"]["examples"].as_object().unwrap();
    assert_eq!(tried, all.keys().cloned().collect());
}

#[tokio::test]
async fn every_response_is_described_with_both_media_types_and_its_headers() {
    let world = World::new().await;
    let description = world.send(Call::new("GET", "/openapi.json")).await;
    let description = description.json();
    let mut wrong = Vec::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let response = resolved(description, response);
                let content = response["content"].as_object();
                let media_types: Vec<&str> = content
                    .into_iter()
                    .flat_map(|content| content.keys().map(String::as_str))
                    .collect();
                let expected: &[&str] = match status.as_str() {
                    "204" | "304" => &[],
                    "200" if path == "/openapi.json" => &["application/json"],
                    _ if path == "/oauth2/token" => &["application/json"],
                    _ => &["application/scim+json", "application/json"],
                };
                let header = match status.as_str() {
                    "401" => "WWW-Authenticate",
                    "429" | "503" => "Retry-After",
                    "304" => "ETag",
                    _ => "",
                };
                let is_there = header.is_empty() || response["headers"][header]["required"] == true;
                if media_types != expected || !is_there {
                    wrong.push(format!("{method} {path} {status}: {response}"));
                }
            }
            let scans = [
                "get /",
                "get /Users",
                "post /Users/.search",
                "post /.search",
            ];
            let is_scan = scans.contains(&format!("{method} {path}").as_str());
            if is_scan != operation["responses"].get("429").is_some() {
                wrong.push(format!("{method} {path} and 429"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}
