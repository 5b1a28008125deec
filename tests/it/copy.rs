//! A directory moves to another table, of the same engine or another.

use std::sync::Arc;

use embedded::Embedded;
use jiff::{SignedDuration, Timestamp};
use paradigm_scim::config::Clock as _;
use paradigm_scim::store::Store;
use paradigm_scim::store::copy::{Comparison, Difference};
use paradigm_scim::store::dynamodb::DynamoDb;
use paradigm_scim::store::layout::{Item, Key, PK, SK, TTL, Value};
use paradigm_scim::store::memory::Memory;
use paradigm_scim::store::table::{Attributes, Table};
use paradigm_scim::store::transaction::{Action, Condition, Transaction};
use serde_json::json;

use test_support::world::{Call, TABLE, World};

fn in_memory() -> Arc<dyn Table> {
    Arc::new(Memory::new())
}

async fn on_dynamodb() -> Arc<dyn Table> {
    let engine = DynamoDb::new(&Embedded::in_memory().unwrap().config(), TABLE);
    engine.ensure_table().await.unwrap();
    Arc::new(engine)
}

fn store(table: &Arc<dyn Table>) -> Store {
    Store::on(Arc::clone(table))
}

/// Writes or deletes an item beside the store.
async fn write(table: &Arc<dyn Table>, action: Action) {
    let transaction = Transaction {
        id: "beside".to_owned(),
        actions: vec![action],
    };
    table.commit(&transaction).await.unwrap();
}

fn put(item: Item) -> Action {
    Action::Put {
        item,
        condition: Condition::Always,
    }
}

fn foreign(pk: &str, sk: &str, size: usize) -> Item {
    Item::from([
        (PK.to_owned(), Value::string(pk)),
        (SK.to_owned(), Value::string(sk)),
        (
            "text".to_owned(),
            Value::string("\u{0}é\u{10ffff}".repeat(size)),
        ),
    ])
}

async fn items(table: &Arc<dyn Table>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let page = table.scan(Attributes::All, after, 1000).await.unwrap();
        items.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return items,
        }
    }
}

fn text<'i>(item: &'i Item, name: &str) -> &'i str {
    match &item[name] {
        Value::String(text) => text,
        other => panic!("{other:?}"),
    }
}

/// Makes users in every state, audit records, keys and items of other programs; returns the token, and the time.
async fn directory(table: &Arc<dyn Table>) -> (String, Timestamp) {
    let world = World::on(store(table));
    let client = world.client().await;
    for number in 0..250 {
        let emails = json!([{"value": format!("{number}@example.com")}]);
        let user = json!({"userName": format!("u{number}"), "externalId": "x", "emails": emails});
        let id = client.create(&user).await;
        if number < 3 {
            client.delete(&id).await.assert_status(204);
        }
    }
    // A scan draws on a budget, which stays behind.
    client.filter("active eq true").await.assert_status(200);
    let user = format!("COMPANY#{}#USER#{}", client.company, client.administrator);
    // Together more than one transaction takes.
    for number in 0..20 {
        write(table, put(foreign(&user, &format!("APP#{number}"), 40_000))).await;
    }
    (client.token.clone(), world.clock.now())
}

async fn compared(source: &Store, target: &Store, now: Timestamp) -> Comparison {
    source.compare(target, now, |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_directory_moves_to_another_engine_and_back() {
    let (first, second, third) = (in_memory(), on_dynamodb().await, in_memory());
    let (token, now) = directory(&first).await;
    for (from, to) in [(&first, &second), (&second, &third)] {
        let (source, target) = (store(from), store(to));
        let mut seen = 0;
        let copied = source.copy_to(&target, now, |items| seen += items).await;
        let copied = copied.unwrap();
        assert_eq!(copied.written, copied.items);
        assert!(copied.items > 1_000, "{copied:?}");
        assert!(seen >= copied.items, "{seen}");
        let comparison = compared(&source, &target, now).await;
        assert!(comparison.is_equal(), "{comparison:?}");
        assert_eq!(comparison.items, copied.items);
    }
    let has_key = |item: &Item| text(item, PK).ends_with("#SCANS");
    assert!(items(&first).await.iter().any(has_key));
    let mut expected = items(&first).await;
    expected.retain(|item| !has_key(item));
    let mut moved = items(&third).await;
    for items in [&mut expected, &mut moved] {
        items.sort_by(|a, b| (text(a, PK), text(a, SK)).cmp(&(text(b, PK), text(b, SK))));
    }
    assert!(moved == expected, "every item is as it was, every byte");
    // The old key works on the new table.
    let world = World::on(store(&third));
    let call = Call::new("GET", "/Users").header("authorization", &format!("Bearer {token}"));
    let listed = world.send(call).await;
    listed.assert_status(200);
    assert_eq!(listed.total(), 248);
    assert_eq!(test_support::findings::findings(&store(&third)).await, []);
}

#[tokio::test]
async fn a_copy_that_is_repeated_writes_only_what_is_not_there() {
    let (from, to) = (in_memory(), in_memory());
    let (_, now) = directory(&from).await;
    let (source, target) = (store(&from), store(&to));
    let all = source.copy_to(&target, now, |_| {}).await.unwrap();
    // As after an interruption: some items are not there.
    for item in items(&to).await.iter().take(37) {
        let key = Key {
            pk: text(item, PK).to_owned(),
            sk: text(item, SK).to_owned(),
        };
        let condition = Condition::Exists;
        write(&to, Action::Delete { key, condition }).await;
    }
    let again = source.copy_to(&target, now, |_| {}).await.unwrap();
    assert_eq!((again.items, again.written), (all.items, 37));
    assert!(compared(&source, &target, now).await.is_equal());
}

#[tokio::test]
async fn a_difference_is_found_wherever_it_is() {
    let (from, to) = (in_memory(), in_memory());
    let (_, now) = directory(&from).await;
    let (source, target) = (store(&from), store(&to));
    source.copy_to(&target, now, |_| {}).await.unwrap();
    let key = |sk: &str| Key {
        pk: "A".to_owned(),
        sk: sk.to_owned(),
    };
    for (table, sk, size) in [
        (&from, "missing", 1),
        (&from, "changed", 1),
        (&to, "changed", 2),
        (&to, "additional", 1),
    ] {
        write(table, put(foreign("A", sk, size))).await;
    }
    // An item that is over may be dropped by either engine.
    let mut over = foreign("A", "over", 1);
    over.insert(TTL.to_owned(), Value::number(now.as_second()));
    write(&to, put(over.clone())).await;
    over.insert(SK.to_owned(), Value::string("over too"));
    write(&from, put(over.clone())).await;
    let comparison = compared(&source, &target, now).await;
    assert_eq!(
        comparison.named,
        [
            (Difference::Changed, key("changed")),
            (Difference::Missing, key("missing")),
            (Difference::Additional, key("additional")),
        ]
    );
    assert!(comparison.counts.values().all(|count| *count == 1));
    let additional = source.additional(&target, now, |_| {}).await.unwrap();
    assert_eq!(additional, [key("additional")]);
    // A second before, they are not over.
    let before = now - SignedDuration::from_secs(1);
    let comparison = compared(&source, &target, before).await;
    assert_eq!(comparison.counts[&Difference::Missing], 2);
    assert_eq!(comparison.counts[&Difference::Additional], 2);
}
