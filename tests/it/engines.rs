//! Every engine must do what the one in memory does, and lose nothing when tasks race.

use std::sync::Arc;

use embedded::Embedded;
use paradigm_scim::store::dynamodb::DynamoDb;
use paradigm_scim::store::memory::Memory;
use paradigm_scim::store::table::Table;
use test_support::histories::races::{Races, assert_nothing_lost};
use test_support::histories::{Plan, assert_agreement};

async fn dynamodb() -> Arc<dyn Table> {
    let engine = DynamoDb::new(&Embedded::in_memory().unwrap().config(), "test");
    engine.ensure_table().await.unwrap();
    Arc::new(engine)
}

#[tokio::test]
async fn engines_agree_on_generated_histories() {
    let engines = [("DynamoDB", dynamodb().await)];
    let tally = assert_agreement(&engines, Plan::of(10_000)).await;
    println!("{tally}");
    // Generated operations must be about both sides of what they compare.
    for operation in ["commit", "commit twice", "update"] {
        let (written, not) = (
            tally.of(operation, "written"),
            tally.of(operation, "conditions"),
        );
        assert!(written.min(not) * 5 > written.max(not), "{tally}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_tasks_lose_nothing_in_memory() {
    let races = Races {
        tasks: 16,
        rounds: 100,
    };
    assert_nothing_lost("in memory", Arc::new(Memory::new()), races).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_tasks_lose_nothing_on_dynamodb() {
    let races = Races {
        tasks: 8,
        rounds: 10,
    };
    assert_nothing_lost("DynamoDB", dynamodb().await, races).await;
}
