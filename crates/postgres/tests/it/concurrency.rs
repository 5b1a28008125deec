//! Many clients at a time.

use futures_util::future::join_all;
use serde_json::json;
use test_support::world::World;

use test_support::postgres::Database;

const CLIENTS: usize = 64;

/// Returns how often a race is run: `SCIM_TEST_ROUNDS`, or few.
fn rounds(few: usize) -> usize {
    let rounds = std::env::var("SCIM_TEST_ROUNDS").ok();
    rounds.and_then(|text| text.parse().ok()).unwrap_or(few)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn of_64_clients_that_create_one_user_name_one_succeeds() {
    let database = Database::new().await;
    let world = World::on(database.store(32));
    let client = world.client().await;
    let users = rounds(20);
    for round in 0..users {
        let body = json!({"userName": format!("user{round}@example.com"), "externalId": "same"});
        let responses = join_all((0..CLIENTS).map(|_| client.post(&body))).await;
        let with = |status| responses.iter().filter(|it| it.status == status).count();
        assert_eq!((with(201), with(409)), (1, CLIENTS - 1), "round {round}");
    }
    assert_eq!(client.get("/Users").await.total(), users as u64 + 1);
    drop(world);
    assert_eq!(deadlocks(&database).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn racing_renames_never_deadlock_and_leave_no_name_behind() {
    const USERS: usize = 16;
    let database = Database::new().await;
    let world = World::on(database.store(32));
    let client = world.client().await;
    let mut ids = Vec::new();
    for user in 0..USERS {
        let body = json!({"userName": format!("{user}@example.com"), "externalId": "same", "emails": [{"value": "same@example.com"}]});
        ids.push(client.create(&body).await);
    }
    for round in 0..rounds(20) {
        // Each user wants the name of another, and all want one of a few free ones.
        let renames = ids.iter().enumerate().map(|(user, id)| {
            let name = (user * 7 + round * 3) % (USERS + 4);
            let other = format!("{}@example.com", (name + 1) % USERS);
            let operations = json!([
                {"op": "replace", "path": "userName", "value": format!("{name}@example.com")},
                {"op": "replace", "path": "emails", "value": [{"value": other}]},
            ]);
            let client = &client;
            async move { client.patch(id, &operations).await.status }
        });
        for status in join_all(renames).await {
            assert!([200, 409].contains(&status), "{status}");
        }
    }
    let names = database.number(
        "SELECT count(*) FROM paradigm_scim.item WHERE kind = 'lookup' AND pk LIKE '%#userName#%'",
    );
    assert_eq!(names.await, USERS as i64 + 1);
    drop(world);
    assert_eq!(deadlocks(&database).await, 0);
}

/// Returns how many deadlocks the server has found. Its backends report them when they end.
async fn deadlocks(database: &Database) -> i64 {
    database.until_alone().await;
    database
        .number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        .await
}
