//! Many writers at once: one name goes to one user, and no change is lost.

use std::sync::Arc;

use paradigm_scim::store::embedded::Embedded;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Call, World};

const WRITERS: usize = 24;

async fn statuses(world: &Arc<World>, calls: Vec<Call>, token: &str) -> Vec<u16> {
    let mut tasks = JoinSet::new();
    for call in calls {
        let world = Arc::clone(world);
        let call = call.header("authorization", &format!("Bearer {token}"));
        tasks.spawn(async move { world.send(call).await.status });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_creators_gets_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let database = Embedded::in_file(&folder.path().join("store")).unwrap();
    let store = database.store("test").await.unwrap();
    let world = Arc::new(World::on(store));
    let client = world.client().await;
    let post = |number: usize| {
        let name = if number.is_multiple_of(2) {
            "race@example.com"
        } else {
            "RACE@example.com"
        };
        Call::new("POST", "/Users").json(&json!({"userName": name}))
    };
    let found = statuses(&world, (0..WRITERS).map(post).collect(), &client.token).await;
    assert_eq!(found[0], 201);
    assert!(found[1..].iter().all(|status| *status == 409), "{found:?}");
    assert_eq!(
        client
            .filter("userName eq \"race@example.com\"")
            .await
            .total(),
        1
    );
    assert_eq!(client.get("/Users").await.total(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn patches_of_different_attributes_all_survive() {
    let world = Arc::new(World::new().await);
    let client = world.client().await;
    let id = client.create(&json!({"userName": "u"})).await;
    let attributes = [
        "title",
        "nickName",
        "displayName",
        "locale",
        "timezone",
        "userType",
    ];
    let patch = |attribute: &&str| {
        Call::new("PATCH", &format!("/Users/{id}")).json(&json!({
            "Operations": [{"op": "add", "path": attribute, "value": "set"}],
        }))
    };
    let found = statuses(
        &world,
        attributes.iter().map(patch).collect(),
        &client.token,
    )
    .await;
    assert_eq!(found, [200; 6]);
    let user = client.get(&format!("/Users/{id}")).await;
    for attribute in attributes {
        assert_eq!(user.json()[attribute], "set");
    }
    assert_eq!(user.json()["meta"]["version"], "W/\"7\"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_changes_of_one_version_one_wins() {
    let world = Arc::new(World::new().await);
    let client = world.client().await;
    let id = client.create(&json!({"userName": "u"})).await;
    let patch = |number: usize| {
        Call::new("PATCH", &format!("/Users/{id}"))
            .json(&json!({
                "Operations": [{"op": "add", "path": "title", "value": number.to_string()}],
            }))
            .header("if-match", "W/\"1\"")
    };
    let found = statuses(&world, (0..WRITERS).map(patch).collect(), &client.token).await;
    assert_eq!(found[0], 200);
    assert!(found[1..].iter().all(|status| *status == 412), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_deletes_one_finds_the_user() {
    let world = Arc::new(World::new().await);
    let client = world.client().await;
    let id = client
        .create(&json!({"userName": "u", "emails": [{"value": "u"}]}))
        .await;
    let delete = |_| Call::new("DELETE", &format!("/Users/{id}"));
    let found = statuses(&world, (0..WRITERS).map(delete).collect(), &client.token).await;
    assert_eq!(found[0], 204);
    assert!(found[1..].iter().all(|status| *status == 404), "{found:?}");
    assert_eq!(client.get("/Users").await.total(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn crossing_renames_never_share_a_name() {
    let world = Arc::new(World::new().await);
    let client = world.client().await;
    let first = client.create(&json!({"userName": "first"})).await;
    let second = client.create(&json!({"userName": "second"})).await;
    let rename = |id: &str, name: &str| {
        Call::new("PATCH", &format!("/Users/{id}")).json(&json!({
            "Operations": [{"op": "replace", "path": "userName", "value": name}],
        }))
    };
    for _ in 0..8 {
        let calls = vec![
            rename(&first, "second"),
            rename(&second, "first"),
            rename(&first, "free"),
            rename(&second, "free"),
        ];
        let found = statuses(&world, calls, &client.token).await;
        assert!(
            found.iter().all(|status| [200, 409].contains(status)),
            "{found:?}"
        );
        let mut bearers = 0;
        for name in ["first", "second", "free"] {
            bearers += client
                .filter(&format!("userName eq \"{name}\""))
                .await
                .total();
        }
        assert_eq!(bearers, 2);
    }
}
