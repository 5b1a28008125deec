//! Many users at once.

use paradigm_scim::directory::CompanyId;
use paradigm_scim::store::layout::{Item, Key, Value as Attribute};
use paradigm_scim::store::transaction::{Condition, Update};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::raw::RawTable;

/// Users that are written at a time: also large ones fit into one transaction.
const BATCH: usize = 25;

/// Writes many users directly, without creating each.
pub async fn fill(table: impl Into<RawTable>, company: CompanyId, users: usize) {
    let document =
        |number| json!({"userName": format!("filled{number}@example.com"), "active": true});
    fill_with(table, company, users, document).await;
}

/// The same, with documents of the test's.
pub async fn fill_with(
    table: impl Into<RawTable>,
    company: CompanyId,
    users: usize,
    document: impl Fn(usize) -> Value,
) {
    let table = table.into();
    let text = |text: &str| Attribute::string(text);
    let numbers: Vec<usize> = (0..users).collect();
    for batch in numbers.chunks(BATCH) {
        let items = batch.iter().map(|user| {
            let id = Uuid::now_v7().to_string();
            let document = document(*user).to_string();
            let attributes = [
                ("PK", text(&format!("COMPANY#{company}#USER#{id}"))),
                ("SK", text("USER")),
                ("ByCompanyPK", text(&format!("COMPANY#{company}#USERS"))),
                ("ByCompanySK", text(&id)),
                ("document", text(&document)),
                ("state", text("active")),
                ("keys", Attribute::Map(Item::new())),
                ("created", text("2026-01-01T00:00:00Z")),
                ("lastModified", text("2026-01-01T00:00:00Z")),
                ("version", Attribute::number(1)),
                ("writeId", text(&id)),
            ];
            let attributes = attributes.into_iter();
            attributes
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        });
        table.put(items).await;
    }
    let counter = Update {
        key: Key {
            pk: format!("COMPANY#{company}#COUNT"),
            sk: "SHARD#0".to_owned(),
        },
        add: Some(("users", i64::try_from(users).unwrap())),
        set: Vec::new(),
        remove: Vec::new(),
        condition: Condition::Always,
    };
    table.0.update(counter).await.unwrap();
}
