//! Rolling back needs no change of data: this release reads what the one before has written, and what this one
//! writes has everything that the one before reads.
//!
//! `tests/data/releases/*.json` are the items of a small directory as a release wrote it. When a release is made,
//! `cargo test releases -- --ignored` adds its own; those older than the one before may go.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use paradigm_scim::config::Clock as _;
use paradigm_scim::directory::{CompanyStatus, KeyId, Operation, Permission, UserId};
use paradigm_scim::store::Next;
use paradigm_scim::store::embedded::Embedded;
use serde_json::{Value, json};

use crate::support::{Client, World, data_files, dynamodb};

type Item = HashMap<String, AttributeValue>;

const TABLE: &str = "test";

/// Every kind of item, in every state, as this release writes it.
async fn written() -> Value {
    let embedded = Embedded::in_memory().unwrap();
    let world = World::on(embedded.store(TABLE).await.unwrap());
    let client = world.client().await;
    let full = json!({
        "userName": "ada@example.com", "externalId": "e-1", "active": true, "title": "Dr",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"type": "work", "value": "ada@example.com", "primary": true}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "R&D"},
    });
    let ada = client.create(&full).await;
    let bob = client.create(&json!({"userName": "bob@example.com"})).await;
    let deactivate = json!([{"op": "replace", "path": "active", "value": false}]);
    client.patch(&bob, &deactivate).await.assert_status(200);
    let carol =
        json!({"userName": "carol@example.com", "emails": [{"value": "carol@example.com"}]});
    let carol = client.create(&carol).await;
    let renamed = |name: &str| format!("{}{name}", "a".repeat(32));
    let soft_delete = json!([{"op": "replace", "value": {
        "active": false, "userName": renamed("carol@example.com"),
        "emails": [{"value": renamed("carol@example.com")}],
    }}]);
    client.patch(&carol, &soft_delete).await.assert_status(200);
    let dan = client.create(&json!({"userName": "dan@example.com"})).await;
    client.delete(&dan).await.assert_status(204);
    // An owner with a key that expires and one that is revoked.
    let owner = UserId::parse(&ada).unwrap();
    let (company, now) = (client.company, world.clock.now());
    let grant = |user: &_| {
        Next::Update(paradigm_scim::directory::User::granted(
            user,
            Permission::UsersManage,
        ))
    };
    world.change(company, owner, grant).await;
    let soon = now + SignedDuration::from_hours(24);
    world.key(company, owner, Some(soon)).await;
    let (revoked, _) = world.key(company, owner, None).await;
    let revoke = |user: &paradigm_scim::directory::User| {
        let (owner, changes) = user.without_key(revoked);
        Next::UpdateWithKeys(owner, changes)
    };
    world.change(company, owner, revoke).await;
    for (operation, status) in [
        (Operation::Suspend, CompanyStatus::Suspended),
        (Operation::Resume, CompanyStatus::Active),
    ] {
        world.clock.advance(SignedDuration::from_secs(1));
        let change = world.operator(company, operation);
        world
            .store
            .set_company_status(&change, status)
            .await
            .unwrap();
    }
    let items = items(&dynamodb(&embedded.config())).await;
    let items = items.into_iter().map(|item| {
        let item: serde_dynamo::Item = item.into();
        serde_json::to_value(item).unwrap()
    });
    json!({
        "company": company.to_string(), "token": client.token, "key": client.key.to_string(),
        "administrator": client.administrator.to_string(),
        "ada": ada, "bob": bob, "carol": carol, "dan": dan,
        "items": items.collect::<Vec<_>>(),
    })
}

async fn items(dynamodb: &DynamoDb) -> Vec<Item> {
    let output = dynamodb.scan().table_name(TABLE).send().await.unwrap();
    assert!(output.last_evaluated_key.is_none());
    output.items.unwrap_or_default()
}

/// What kind of item it is, and in what state.
fn kind(item: &Value) -> String {
    let (pk, sk) = (
        item["PK"]["S"].as_str().unwrap(),
        item["SK"]["S"].as_str().unwrap(),
    );
    let is_of_user = pk.contains("#USER#");
    match (pk, sk) {
        _ if sk.starts_with("AUDIT#") && is_of_user => "audit of a user".to_owned(),
        // Made of nothing, it has no state before, as a new user has none; every reader can do without.
        _ if sk.starts_with("AUDIT#") && item["operation"]["S"] == "create" => {
            "audit of the new company".to_owned()
        }
        _ if sk.starts_with("AUDIT#") => "audit of the company".to_owned(),
        (_, "USER") if is_of_user => format!("user {}", item["state"]["S"].as_str().unwrap()),
        (_, "COMPANY") => "company".to_owned(),
        (_, "KEY") if item.get("revoked").is_some() => "revoked key".to_owned(),
        (_, "KEY") => "key".to_owned(),
        _ if sk.starts_with("SHARD#") => "counter".to_owned(),
        _ => "look-up".to_owned(),
    }
}

/// For each kind the attributes that all items of it have, with their types.
fn shapes(release: &Value) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut shapes = BTreeMap::<String, BTreeMap<String, String>>::new();
    for item in release["items"].as_array().unwrap() {
        let attributes: BTreeMap<String, String> = item
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                (
                    name.clone(),
                    value.as_object().unwrap().keys().next().unwrap().clone(),
                )
            })
            .collect();
        shapes
            .entry(kind(item))
            .and_modify(|shape| shape.retain(|name, kind| attributes.get(name) == Some(kind)))
            .or_insert(attributes);
    }
    shapes
}

#[tokio::test]
async fn what_this_release_writes_has_all_that_the_one_before_reads() {
    let now = shapes(&written().await);
    let releases = data_files("releases");
    assert!(!releases.is_empty());
    for (name, release) in releases {
        for (kind, before) in shapes(&release) {
            for (attribute, of_type) in before {
                let now = now[&kind].get(&attribute);
                assert_eq!(
                    now,
                    Some(&of_type),
                    "{attribute} of {kind}, which {name} has"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_the_release_before_has_written_is_served() {
    for (name, release) in data_files("releases") {
        let embedded = Embedded::in_memory().unwrap();
        let world = World::on(embedded.store(TABLE).await.unwrap());
        let dynamodb = dynamodb(&embedded.config());
        for item in release["items"].as_array().unwrap() {
            let item: serde_dynamo::Item = serde_json::from_value(item.clone()).unwrap();
            let put = dynamodb.put_item().table_name(TABLE);
            put.set_item(Some(item.into())).send().await.unwrap();
        }
        let text = |member: &str| release[member].as_str().unwrap().to_owned();
        let client = Client {
            world: &world,
            company: paradigm_scim::directory::CompanyId::parse(&text("company")).unwrap(),
            administrator: UserId::parse(&text("administrator")).unwrap(),
            key: KeyId::parse(&text("key")).unwrap(),
            token: text("token"),
        };
        let (ada, bob, carol, dan) = (text("ada"), text("bob"), text("carol"), text("dan"));

        let list = client.get("/Users").await;
        assert_eq!(list.total(), 4, "{name}");
        let user = client.get(&format!("/Users/{ada}")).await;
        assert_eq!(user.json()["name"]["familyName"], "Lovelace");
        for filter in [
            "userName eq \"ADA@example.com\"",
            "externalId eq \"e-1\"",
            "emails.value eq \"ada@example.com\"",
        ] {
            assert_eq!(client.filter(filter).await.total(), 1, "{name}: {filter}");
        }
        client
            .get(&format!("/Users/{dan}"))
            .await
            .assert_status(404);
        let activate = json!([{"op": "replace", "path": "active", "value": true}]);
        client.patch(&bob, &activate).await.assert_status(200);
        let restored = client.patch(&carol, &activate).await;
        assert_eq!(restored.json()["userName"], "carol@example.com", "{name}");
        client.delete(&ada).await.assert_status(204);
        assert_eq!(client.get("/Users").await.total(), 3, "{name}");
        let since = "2025-01-01T00:00:00Z".parse().unwrap();
        let company = client.company;
        let trail = world
            .store
            .audit_of_company(company, since, world.clock.now())
            .await;
        assert!(trail.unwrap().len() > 10, "{name}");
        let keys = world.store.api_keys(company).await.unwrap();
        let revoked = keys.iter().filter(|key| key.revoked.is_some()).count();
        // One was revoked then, two with their owner now.
        assert_eq!((keys.len(), revoked), (3, 2), "{name}");
    }
}

#[tokio::test]
#[ignore = "writes the items of this release, when one is made"]
async fn write_the_items_of_this_release() {
    let path = format!(
        "{}/tests/data/releases/{}.json",
        env!("CARGO_MANIFEST_DIR"),
        env!("CARGO_PKG_VERSION")
    );
    let text = serde_json::to_string_pretty(&written().await).unwrap();
    std::fs::write(path, text + "\n").unwrap();
}
