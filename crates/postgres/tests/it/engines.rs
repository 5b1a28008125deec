//! The engine does what the one in memory does, and loses nothing when tasks race.

use std::sync::Arc;

use paradigm_scim::store::table::Table;
use test_support::histories::races::{Races, assert_nothing_lost};
use test_support::histories::{Plan, assert_agreement};

use crate::database::Database;

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn generated_histories_agree_with_the_engine_in_memory() {
    let database = Database::new().await;
    let engine: Arc<dyn Table> = Arc::new(database.engine(2));
    let tally = assert_agreement(&[("PostgreSQL", engine)], Plan::of(10_000)).await;
    println!("{tally}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn racing_tasks_lose_nothing() {
    let database = Database::new().await;
    let races = Races {
        tasks: 16,
        rounds: 50,
    };
    assert_nothing_lost("PostgreSQL", Arc::new(database.engine(16)), races).await;
}
