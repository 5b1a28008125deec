//! Every engine must do what the one in memory does, and lose nothing when tasks race.

use test_support::engine::Engine;
use test_support::histories::races::{Races, assert_nothing_lost};
use test_support::histories::{Plan, assert_agreement};
use test_support::on_every_engine;

on_every_engine!(racing_tasks_lose_nothing);

#[tokio::test]
async fn engines_agree_on_generated_histories() {
    let engines = [("DynamoDB", Engine::DynamoDb.table().await)];
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

async fn racing_tasks_lose_nothing(engine: Engine) {
    let (tasks, rounds) = match engine {
        Engine::InMemory => (16, 200),
        Engine::DynamoDb => (8, 10),
        Engine::PostgreSql => (16, 50),
    };
    let races = Races { tasks, rounds };
    assert_nothing_lost(&format!("{engine:?}"), engine.table().await, races).await;
}
