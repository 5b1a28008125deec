//! What a user of the engine notices: nothing is half-written, and every action that failed is reported.

use futures_util::FutureExt as _;

use super::*;
use crate::store::layout::Value;
use crate::store::transaction::Condition;
use crate::store::usage::measured;

fn key(sk: &str) -> Key {
    Key {
        pk: "p".to_owned(),
        sk: sk.to_owned(),
    }
}

fn put(sk: &str, condition: Condition) -> Action {
    let item = Item::from([
        (PK.to_owned(), Value::string("p")),
        (SK.to_owned(), Value::string(sk)),
    ]);
    Action::Put { item, condition }
}

fn add(sk: &str) -> Action {
    Action::Update(Update::add(key(sk), SK, 1))
}

fn transaction(actions: Vec<Action>) -> Transaction {
    Transaction {
        id: "id".to_owned(),
        actions,
    }
}

async fn there(memory: &Memory) -> Vec<String> {
    let page = memory.scan(Attributes::All, None, 10).await.unwrap();
    let key = |item: &Item| item.get(SK).and_then(Value::as_string).map(str::to_owned);
    page.items.iter().filter_map(key).collect()
}

#[tokio::test]
async fn every_action_that_failed_is_reported_and_nothing_is_written() {
    let memory = Memory::new();
    let transaction = transaction(vec![
        put("a", Condition::Exists),
        put("b", Condition::Absent),
        put("c", Condition::Version(1)),
    ]);
    let result = memory.commit(&transaction).await;
    assert!(
        matches!(&result, Err(CommitError::Conditions(failed)) if *failed == [0, 2]),
        "{result:?}"
    );
    assert_eq!(there(&memory).await, [""; 0]);
}

#[tokio::test]
async fn a_transaction_that_cannot_succeed_writes_nothing() {
    let memory = Memory::new();
    let always = |sk: &str| put(sk, Condition::Always);
    memory
        .commit(&transaction(vec![always("a")]))
        .await
        .unwrap();
    for actions in [
        Vec::new(),
        vec![always("b"), always("b")],
        // The attribute is a string.
        vec![always("b"), add("a")],
        (0..=MAX_ACTIONS)
            .map(|number| always(&number.to_string()))
            .collect(),
    ] {
        let result = memory.commit(&transaction(actions)).await;
        assert!(
            matches!(result, Err(CommitError::Store(StoreError::Refused(_)))),
            "{result:?}"
        );
    }
    assert_eq!(there(&memory).await, ["a"]);
}

#[tokio::test]
async fn every_call_counts() {
    let memory = Memory::new();
    let calls = async {
        memory.get(key("a")).await.unwrap();
        memory.get_many(vec![key("a"), key("b")]).await.unwrap();
        memory
            .commit(&transaction(vec![put("a", Condition::Absent)]))
            .await
            .unwrap();
    };
    let ((), usage) = measured(calls).await;
    assert_eq!(
        (usage.calls, usage.read_units, usage.write_units),
        (3, 0.0, 0.0)
    );
}

#[test]
fn a_panic_under_the_lock_does_not_end_the_service() {
    let memory = Memory::new();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _items = memory.write();
        panic!("under the lock");
    }));
    assert!(result.is_err() && memory.items.is_poisoned());
    assert!(memory.get(key("a")).now_or_never().unwrap().is_ok());
}
