//! What a deleted user leaves behind: nothing personal, in any item.

use std::collections::HashMap;
use std::path::Path;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use paradigm_scim::directory::{Permission, UserId};
use paradigm_scim::store::embedded::Embedded;
use paradigm_scim::store::{Next, Store};
use serde_json::json;

use crate::program::{run, run_json};
use crate::support::World;

type Item = HashMap<String, AttributeValue>;

async fn items(client: &Client, table: &str) -> Vec<Item> {
    let output = client.scan().table_name(table).send().await.unwrap();
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
    let before = items(&dynamodb, "test").await;

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
    let alive = format!("{:?}", items(&dynamodb, "test").await).to_lowercase();
    assert!(alive.contains("marker"));

    client.delete(&id).await.assert_status(204);
    let after = items(&dynamodb, "test").await;
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

/// Everything in the operators' table, also in one that stands for a backup restored.
async fn restore_a_backup(folder: &Path) -> Client {
    let file = folder.join("paradigm-scim.sqlite");
    let embedded = Embedded::in_file(&file).unwrap();
    embedded.store("restored").await.unwrap();
    let dynamodb = Client::new(&embedded.config());
    for item in items(&dynamodb, "paradigm-scim").await {
        let put = dynamodb.put_item().table_name("restored");
        put.set_item(Some(item)).send().await.unwrap();
    }
    dynamodb
}

#[tokio::test]
async fn a_restored_table_loses_again_what_was_erased_and_revoked_since() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let company = run_json(folder, &["company", "create", "Acme"]);
    let company = company["id"].as_str().unwrap();
    let of = |command: &[&str], table: &str| {
        let place = ["--company", company, "--table", table];
        run_json(folder, &[command, &place].concat())
    };
    let main = "paradigm-scim";
    for name in ["marker@example.com", "admin@example.com", "bob@example.com"] {
        of(&["user", "create", name], main);
    }
    of(&["user", "grant", "admin@example.com"], main);
    let key = |name: &str| {
        let command = [
            "key",
            "create",
            "--owner",
            "admin@example.com",
            "--name",
            name,
        ];
        of(&command, main)["id"].as_str().unwrap().to_owned()
    };
    let (revoked, rotated, kept) = (key("revoked"), key("rotated"), key("kept"));

    let dynamodb = restore_a_backup(folder).await;
    of(&["erase", "marker@example.com"], main);
    of(&["key", "revoke", &revoked], main);
    of(&["key", "rotate", &rotated, "--overlap", "0s"], main);
    run(folder, &["company", "suspend", company]).unwrap();
    run(folder, &["company", "create", "Younger"]).unwrap();
    let before = format!("{:?}", items(&dynamodb, "restored").await);
    assert!(before.contains("marker@example.com"));

    let replay = ["erase", "--replay", "--from", main, "--table", "restored"];
    let expected = json!({
        "companies": 1, "notInTable": 1, "usersErased": 1, "keysRevoked": 2, "companiesSuspended": 1,
    });
    assert_eq!(run_json(folder, &replay), expected);
    let after = format!("{:?}", items(&dynamodb, "restored").await);
    assert!(!after.contains("marker"), "{after}");
    let keys = of(&["key", "list"], "restored");
    for key in keys.as_array().unwrap() {
        assert_eq!(
            key["revoked"].is_null(),
            key["id"] == kept.as_str(),
            "{key}"
        );
    }
    let users = of(&["user", "list"], "restored");
    assert_eq!(users.as_array().unwrap().len(), 2);
    let trail = of(&["audit"], "restored").to_string();
    assert!(trail.contains("anonymise"), "{trail}");

    // Again, nothing is left to do.
    let again = run_json(folder, &replay);
    assert_eq!(
        (&again["usersErased"], &again["keysRevoked"]),
        (&json!(0), &json!(0))
    );
    let mistaken = run(folder, &["erase", "--replay", "--from", main]).unwrap_err();
    assert!(mistaken.contains("the same table"), "{mistaken}");
}
