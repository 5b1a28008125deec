//! Items and transactions to write.

use paradigm_scim::store::layout::{Item, Key, PK, SK, Value};
use paradigm_scim::store::table::Table;
use paradigm_scim::store::transaction::{Action, Condition, Transaction};
use uuid::Uuid;

pub(crate) fn key(pk: &str, sk: &str) -> Key {
    Key {
        pk: pk.to_owned(),
        sk: sk.to_owned(),
    }
}

/// Returns an item with these attributes.
pub(crate) fn item<const N: usize>(key: &Key, attributes: [(&str, Value); N]) -> Item {
    let mut item = Item::from([
        (PK.to_owned(), Value::string(&key.pk)),
        (SK.to_owned(), Value::string(&key.sk)),
    ]);
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    item
}

pub(crate) fn put(item: Item, condition: Condition) -> Action {
    Action::Put { item, condition }
}

pub(crate) fn transaction(actions: Vec<Action>) -> Transaction {
    Transaction {
        id: Uuid::now_v7().to_string(),
        actions,
    }
}

/// Commits actions that must succeed.
pub(crate) async fn write(table: &dyn Table, actions: Vec<Action>) {
    table.commit(&transaction(actions)).await.unwrap();
}
