//! The engine does what the one in memory does.

use std::sync::Arc;

use paradigm_scim::store::table::Table;
use test_support::histories::{Plan, assert_agreement};

use test_support::postgres::Database;

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn generated_histories_agree_with_the_engine_in_memory() {
    let database = Database::new().await;
    let engine: Arc<dyn Table> = Arc::new(database.engine(2));
    let tally = assert_agreement(&[("PostgreSQL", engine)], Plan::of(10_000)).await;
    println!("{tally}");
}
