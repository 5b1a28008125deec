//! What a deleted user leaves behind: nothing personal, in any item.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use paradigm_scim::directory::{Permission, UserId};
use paradigm_scim::store::embedded::Embedded;
use paradigm_scim::store::{Next, Store};
use serde_json::json;

use crate::support::World;

type Item = HashMap<String, AttributeValue>;

async fn items(client: &Client) -> Vec<Item> {
    let output = client.scan().table_name("test").send().await.unwrap();
    assert!(output.last_evaluated_key.is_none());
    output.items.unwrap_or_default()
}

#[tokio::test]
async fn nothing_personal_is_left_after_delete() {
    let config = Embedded::in_memory().unwrap().config();
    let store = Store::new(&config, "test");
    store.ensure_table().await.unwrap();
    let dynamodb = Client::new(&config);
    let world = World::on(store);
    let client = world.client().await;
    let before = items(&dynamodb).await;

    let id = client
        .create(&json!({
            "userName": "marker@example.com", "externalId": "marker-external",
            "displayName": "Marker Display", "name": {"familyName": "Marker"},
            "emails": [{"type": "work", "value": "marker@example.com"}],
        }))
        .await;
    let user = UserId::parse(&id).unwrap();
    world
        .change(client.company, user, |user| {
            Next::Update(user.granted(Permission::UsersManage))
        })
        .await;
    world.key(client.company, user, None).await;
    let deleted = format!("{}marker@example.com", "a".repeat(32));
    let soft_delete = json!([{"op": "replace", "value": {"active": false, "userName": deleted}}]);
    client.patch(&id, &soft_delete).await.assert_status(200);
    let alive = format!("{:?}", items(&dynamodb).await).to_lowercase();
    assert!(alive.contains("marker"));

    client.delete(&id).await.assert_status(204);
    let after = items(&dynamodb).await;
    let text = format!("{after:?}").to_lowercase();
    assert!(!text.contains("marker"), "{text}");

    // Beside what was there before stay: the anonymised user, five audit records, the revoked key,
    // and perhaps the counter of the user's shard.
    let new: Vec<&Item> = after
        .iter()
        .filter(|item| {
            !before
                .iter()
                .any(|old| old["PK"] == item["PK"] && old["SK"] == item["SK"])
        })
        .collect();
    let kinds = |prefix: &str| {
        let is_kind = |item: &&&Item| item["SK"].as_s().unwrap().starts_with(prefix);
        new.iter().filter(is_kind).count()
    };
    assert_eq!(
        (kinds("USER"), kinds("AUDIT"), kinds("KEY")),
        (1, 5, 1),
        "{new:?}"
    );
    assert_eq!(new.len(), 7 + kinds("SHARD"), "{new:?}");
    let anonymised = new
        .iter()
        .find(|item| item["SK"].as_s().unwrap() == "USER")
        .unwrap();
    let mut names: Vec<&str> = anonymised.keys().map(String::as_str).collect();
    names.sort_unstable();
    let kept = [
        "PK",
        "SK",
        "created",
        "lastModified",
        "state",
        "version",
        "writeId",
    ];
    assert_eq!(names, kept);
}
