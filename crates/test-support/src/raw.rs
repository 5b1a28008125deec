//! A table as a program has it that keeps no rule of the directory.

use std::sync::Arc;

use embedded::Embedded;
use paradigm_scim::store::dynamodb::DynamoDb;
use paradigm_scim::store::layout::{Item, Key, PK, SK, Value};
use paradigm_scim::store::table::{Attributes, Table};
use paradigm_scim::store::transaction::{Action, Condition, Transaction};
use uuid::Uuid;

use crate::world::TABLE;

/// Most items of one page.
const PAGE_SIZE: usize = 1_000;

/// A table of any engine.
#[derive(Debug, Clone)]
pub struct RawTable(pub Arc<dyn Table>);

impl From<&Embedded> for RawTable {
    fn from(embedded: &Embedded) -> Self {
        Self(Arc::new(DynamoDb::new(&embedded.config(), TABLE)))
    }
}

impl From<&Self> for RawTable {
    fn from(table: &Self) -> Self {
        table.clone()
    }
}

impl RawTable {
    /// Returns all items, in the order of their keys.
    pub async fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .0
                .scan(Attributes::All, after, PAGE_SIZE)
                .await
                .unwrap();
            items.extend(page.items);
            after = page.next;
            if after.is_none() {
                items.sort_by_cached_key(key_of);
                return items;
            }
        }
    }

    /// Writes items, whatever is there.
    pub async fn put(&self, items: impl IntoIterator<Item = Item>) {
        let put = |item| Action::Put {
            item,
            condition: Condition::Always,
        };
        self.commit(items.into_iter().map(put).collect()).await;
    }

    /// Deletes an item.
    pub async fn delete(&self, item: &Item) {
        let key = key_of(item);
        let condition = Condition::Always;
        self.commit(vec![Action::Delete { key, condition }]).await;
    }

    async fn commit(&self, actions: Vec<Action>) {
        let id = Uuid::now_v7().to_string();
        self.0.commit(&Transaction { id, actions }).await.unwrap();
    }
}

/// Returns the key of an item.
pub fn key_of(item: &Item) -> Key {
    let text = |name: &str| item.get(name).and_then(Value::as_string);
    let text = |name: &str| text(name).unwrap_or_default().to_owned();
    Key {
        pk: text(PK),
        sk: text(SK),
    }
}
