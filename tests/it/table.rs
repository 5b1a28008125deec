//! What `docs/table.md` promises to programs beside SCIM, done with the plain SDK as it says.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use embedded::Embedded;
use paradigm_scim::store::Store;
use scim::compare::fold;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use test_support::world::{Client, World, dynamodb, make_table};

type Item = HashMap<String, AttributeValue>;

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn key(pk: String, sk: &str) -> Item {
    HashMap::from([("PK".to_owned(), text(pk)), ("SK".to_owned(), text(sk))])
}

/// What a program beside SCIM has: a client of DynamoDB, a company's id, and the page.
struct Program<'p> {
    dynamodb: &'p DynamoDb,
    company: String,
}

impl Program<'_> {
    async fn get(&self, key: Item) -> Option<Item> {
        let get = self.dynamodb.get_item().table_name("test");
        let output = get.set_key(Some(key)).consistent_read(true).send().await;
        output.unwrap().item
    }

    fn user_key(&self, id: &str) -> Item {
        key(format!("COMPANY#{}#USER#{id}", self.company), "USER")
    }

    async fn id_by_user_name(&self, user_name: &str) -> Option<String> {
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(fold(user_name)));
        let pk = format!("COMPANY#{}#userName#{hash}", self.company);
        let lookup = self.get(key(pk, "USER")).await?;
        Some(lookup["userId"].as_s().unwrap().clone())
    }

    /// Deactivates a user as it was read; whether it still was so.
    async fn deactivate(&self, id: &str, read: &Item) -> bool {
        let mut document: Value = serde_json::from_str(read["document"].as_s().unwrap()).unwrap();
        document["active"] = json!(false);
        let version: u64 = read["version"].as_n().unwrap().parse().unwrap();
        let update = Update::builder()
            .table_name("test")
            .set_key(Some(self.user_key(id)))
            .update_expression(
                "SET document = :document, #state = :state, lastModified = :now, version = :next, writeId = :new",
            )
            .condition_expression("version = :read AND attribute_exists(document)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":document", text(&document))
            .expression_attribute_values(":state", text("deactivated"))
            .expression_attribute_values(":now", text("2026-01-02T00:00:00Z"))
            .expression_attribute_values(":next", AttributeValue::N((version + 1).to_string()))
            .expression_attribute_values(":new", text("a-write-of-the-program"))
            .expression_attribute_values(":read", read["version"].clone());
        let mut record = self.user_key(id);
        let sort_key = "AUDIT#2026-01-02T00:00:00.000000000Z#program-1";
        record.insert("SK".to_owned(), text(sort_key));
        for (name, value) in [
            ("actor", "program"),
            ("operation", "deactivate"),
            ("before", "active"),
            ("after", "deactivated"),
            ("ByCompanySK", "2026-01-02T00:00:00.000000000Z"),
        ] {
            record.insert(name.to_owned(), text(value));
        }
        let day = format!("COMPANY#{}#AUDIT#2026-01-02", self.company);
        record.insert("ByCompanyPK".to_owned(), text(day));
        let attributes = AttributeValue::Ss(vec!["active".to_owned()]);
        record.insert("attributes".to_owned(), attributes);
        record.insert("ttl".to_owned(), AttributeValue::N("1900000000".to_owned()));
        let put = Put::builder().table_name("test").set_item(Some(record));
        let written = self
            .dynamodb
            .transact_write_items()
            .transact_items(
                TransactWriteItem::builder()
                    .update(update.build().unwrap())
                    .build(),
            )
            .transact_items(
                TransactWriteItem::builder()
                    .put(put.build().unwrap())
                    .build(),
            )
            .send()
            .await;
        written.is_ok()
    }
}

async fn scim_user(client: &Client<'_>, id: &str) -> Value {
    client.get(&format!("/Users/{id}")).await.json().clone()
}

#[tokio::test]
async fn a_program_beside_scim_finds_changes_and_accompanies_users() {
    let config = Embedded::in_memory().unwrap().config();
    let store = Store::new(&config, "test");
    make_table(&config, "test").await;
    let dynamodb = dynamodb(&config);
    let world = World::on(store);
    let client = world.client().await;
    let program = Program {
        dynamodb: &dynamodb,
        company: client.company.to_string(),
    };
    let user = json!({"userName": "Straße@example.com", "title": "T"});
    let id = client.create(&user).await;

    // Finding, and items of its own.
    let found = program.id_by_user_name("STRASSE@example.com").await;
    assert_eq!(found.as_deref(), Some(id.as_str()));
    let mut own = program.user_key(&id);
    own.insert("SK".to_owned(), text("APP#sessions"));
    own.insert("sessions".to_owned(), text("2"));
    let own_key = HashMap::from([
        ("PK".to_owned(), own["PK"].clone()),
        ("SK".to_owned(), own["SK"].clone()),
    ]);
    dynamodb
        .put_item()
        .table_name("test")
        .set_item(Some(own))
        .send()
        .await
        .unwrap();

    // Changing, on the version read; a change based on an older version is refused.
    let read = program.get(program.user_key(&id)).await.unwrap();
    assert_eq!(read["state"], text("active"));
    let patch = json!([{"op": "replace", "path": "title", "value": "Dr"}]);
    client.patch(&id, &patch).await.assert_status(200);
    assert!(!program.deactivate(&id, &read).await);
    let read = program.get(program.user_key(&id)).await.unwrap();
    assert!(program.deactivate(&id, &read).await);
    let seen = scim_user(&client, &id).await;
    assert_eq!(
        (&seen["active"], &seen["title"]),
        (&json!(false), &json!("Dr"))
    );
    assert_eq!(seen["meta"]["version"], "W/\"3\"");

    // SCIM goes on from there, the audit trail records it, and what is the program's own stays.
    let restore = json!([{"op": "replace", "path": "active", "value": true}]);
    client.patch(&id, &restore).await.assert_status(200);
    client.delete(&id).await.assert_status(204);
    let user_id = paradigm_scim::directory::UserId::parse(&id).unwrap();
    let since = jiff::Timestamp::UNIX_EPOCH;
    let trail = world
        .store
        .audit_of_user(client.company, user_id, since)
        .await
        .unwrap();
    assert!(trail.iter().any(|entry| entry.actor == "program"));
    let until = "2026-01-03T00:00:00Z".parse().unwrap();
    let trail = world.store.audit_of_company(
        client.company,
        "2026-01-01T00:00:00Z".parse().unwrap(),
        until,
    );
    assert!(
        trail
            .await
            .unwrap()
            .iter()
            .any(|entry| entry.actor == "program")
    );
    assert!(program.get(own_key).await.is_some());
    let read = program.get(program.user_key(&id)).await.unwrap();
    assert_eq!(read["state"], text("anonymised"));
    assert_eq!(program.id_by_user_name("Straße@example.com").await, None);
}
