//! The scan budget: requests that read the users of a company one after another take a bounded share of the table's
//! capacity. Everything else is served whatever the budget.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::types::AttributeValue;
use embedded::Embedded;
use jiff::SignedDuration;
use paradigm_scim::directory::CompanyId;
use paradigm_scim::store::{MAX_SCANNED_USERS, SCAN_UNITS_PER_MINUTE};
use serde_json::json;

use test_support::world::{Call, World, dynamodb, encode, fill, fill_with};

const TABLE: &str = "test";

/// Returns an embedded database, its API, and a service on it.
async fn directory() -> (Embedded, DynamoDb, World) {
    let embedded = Embedded::in_memory().unwrap();
    let dynamodb = dynamodb(&embedded.config());
    let world = World::on(embedded.store(TABLE).await.unwrap());
    (embedded, dynamodb, world)
}

fn key(company: CompanyId, name: &str, sort: &str) -> HashMap<String, AttributeValue> {
    let text = AttributeValue::S;
    HashMap::from([
        ("PK".to_owned(), text(format!("COMPANY#{company}#{name}"))),
        ("SK".to_owned(), text(sort.to_owned())),
    ])
}

/// Returns the key of a company's budget of the minute in which tests begin.
fn budget(company: CompanyId) -> HashMap<String, AttributeValue> {
    key(company, "SCANS", "MINUTE#2026-01-01T00:00:00Z")
}

/// Returns what was drawn from a company's budget, and when DynamoDB drops it.
async fn drawn(dynamodb: &DynamoDb, company: CompanyId) -> Option<(usize, i64)> {
    let get = dynamodb.get_item().table_name(TABLE);
    let found = get.set_key(Some(budget(company))).send().await.unwrap();
    let item = found.item?;
    let number = |name: &str| item[name].as_n().unwrap().clone();
    Some((
        number("units").parse().unwrap(),
        number("ttl").parse().unwrap(),
    ))
}

async fn set(dynamodb: &DynamoDb, key: HashMap<String, AttributeValue>, name: &str, number: usize) {
    let update = dynamodb.update_item().table_name(TABLE).set_key(Some(key));
    let update = update.update_expression("SET #name = :number");
    let update = update.expression_attribute_names("#name", name);
    let number = AttributeValue::N(number.to_string());
    let update = update.expression_attribute_values(":number", number);
    update.send().await.unwrap();
}

fn list(query: &[(&str, &str)]) -> Call {
    Call::new("GET", "/Users").query(&encode(query))
}

/// Returns every kind of request that scans.
fn scans() -> Vec<Call> {
    let search = json!({"filter": "active eq true"});
    vec![
        list(&[("filter", "active eq true")]),
        list(&[("filter", "active eq true"), ("count", "0")]),
        list(&[("sortBy", "userName")]),
        list(&[("sortBy", "userName"), ("cursor", "")]),
        list(&[("filter", "active eq true"), ("cursor", "")]),
        list(&[("filter", "active eq true"), ("cursor", ""), ("count", "0")]),
        Call::new("POST", "/Users/.search").json(&search),
        Call::new("POST", "/.search").json(&search),
    ]
}

#[tokio::test]
async fn a_companys_scans_are_refused_beyond_its_budget_until_the_minute_ends() {
    let (_embedded, dynamodb, world) = directory().await;
    let (client, other) = (world.client().await, world.client().await);
    // Two units are left, which is what a scan of one user takes.
    set(
        &dynamodb,
        budget(client.company),
        "units",
        SCAN_UNITS_PER_MINUTE - 2,
    )
    .await;
    let active = || list(&[("filter", "active eq true")]);
    client.send(active()).await.assert_status(200);
    world.clock.advance(SignedDuration::from_millis(12_345));
    for (index, scan) in scans().into_iter().enumerate() {
        let response = client.send(scan).await;
        response.assert_error(429, None);
        // The 48th second of the minute is not over.
        assert_eq!(response.header("retry-after"), Some("48"), "{index}");
        let detail = response.json()["detail"].as_str().unwrap();
        assert!(
            detail.contains("48 s") && detail.contains("userName"),
            "{detail}"
        );
    }
    let (units, _) = drawn(&dynamodb, client.company).await.unwrap();
    assert_eq!(units, SCAN_UNITS_PER_MINUTE, "a refused scan draws nothing");
    other.send(active()).await.assert_status(200);
    world.clock.advance(SignedDuration::from_secs(48));
    for scan in scans() {
        client.send(scan).await.assert_status(200);
    }
}

#[tokio::test]
async fn lookups_walks_and_writes_are_served_when_the_scan_budget_is_used_up() {
    let (_embedded, dynamodb, world) = directory().await;
    let client = world.client().await;
    let user = json!({"userName": "ada@example.com", "externalId": "e", "emails": [{"value": "ada@example.com"}]});
    let id = client.create(&user).await;
    set(
        &dynamodb,
        budget(client.company),
        "units",
        SCAN_UNITS_PER_MINUTE,
    )
    .await;
    client
        .filter("active eq true")
        .await
        .assert_error(429, None);
    for filter in [
        format!("id eq \"{id}\""),
        "userName eq \"ada@example.com\"".to_owned(),
        "externalId eq \"e\"".to_owned(),
        "emails.value eq \"ada@example.com\"".to_owned(),
        "active eq true and userName eq \"ada@example.com\"".to_owned(),
    ] {
        let found = client.filter(&filter).await;
        assert_eq!(found.total(), 1, "{filter}");
        let by_cursor = list(&[("filter", &filter), ("cursor", ""), ("sortBy", "userName")]);
        client.send(by_cursor).await.assert_status(200);
    }
    // Walks without filter, by cursor and by index.
    let first = client.send(list(&[("cursor", ""), ("count", "1")])).await;
    let next = first.json()["nextCursor"].as_str().unwrap();
    let next = client.send(list(&[("cursor", next), ("count", "1")])).await;
    assert_eq!(next.user_names(), ["ada@example.com"]);
    for query in [
        [("startIndex", "1")],
        [("startIndex", "2")],
        [("count", "0")],
    ] {
        client.send(list(&query)).await.assert_status(200);
    }
    let title = json!([{"op": "replace", "path": "title", "value": "T"}]);
    client.patch(&id, &title).await.assert_status(200);
    client.put(&id, &user).await.assert_status(200);
    client
        .create(&json!({"userName": "grace@example.com"}))
        .await;
    client.delete(&id).await.assert_status(204);
}

#[tokio::test]
async fn a_scan_draws_what_it_is_estimated_to_read() {
    let (embedded, dynamodb, world) = directory().await;
    let client = world.client().await;
    fill(&embedded, client.company, 1_199).await;
    let draws = async |query: &[(&str, &str)]| {
        let before = drawn(&dynamodb, client.company).await;
        client.send(list(query)).await.assert_status(200);
        let (after, ttl) = drawn(&dynamodb, client.company).await.unwrap();
        // An hour after the minute.
        assert_eq!(ttl, 1_767_225_600 + 3_600);
        after - before.map_or(0, |(units, _)| units)
    };
    // 1,200 users, and 40 index entries a unit.
    assert_eq!(draws(&[("filter", "active eq false")]).await, 1_230);
    assert_eq!(
        draws(&[("sortBy", "userName"), ("count", "1")]).await,
        1_230
    );
    // A page by cursor reads 1,000 at most.
    assert_eq!(
        draws(&[("filter", "active eq false"), ("cursor", "")]).await,
        1_025
    );
}

#[tokio::test]
async fn a_scan_of_large_users_draws_what_it_has_read() {
    let (embedded, dynamodb, world) = directory().await;
    let client = world.client().await;
    // 13 units each, of 4 kB.
    let document = |number: usize| json!({"userName": format!("u{number}"), "active": true, "title": "t".repeat(50_000)});
    fill_with(&embedded, client.company, 99, document).await;
    // The administrator has one, and the index entries of all have three.
    let read = 99 * 13 + 1 + 3;
    for scan in [
        list(&[("filter", "active eq false")]),
        list(&[("filter", "active eq false"), ("cursor", "")]),
    ] {
        let before = drawn(&dynamodb, client.company)
            .await
            .map_or(0, |(units, _)| units);
        client.send(scan).await.assert_status(200);
        let (after, _) = drawn(&dynamodb, client.company).await.unwrap();
        assert_eq!(after - before, read);
    }
    // Though each is estimated at 103 units only, no more than the budget can be taken.
    let mut scans = 2;
    while client.filter("active eq false").await.status == 200 {
        scans += 1;
    }
    assert_eq!(scans, SCAN_UNITS_PER_MINUTE / read + 1);
}

#[tokio::test]
async fn too_large_a_directory_is_refused_before_anything_is_drawn() {
    let (_embedded, dynamodb, world) = directory().await;
    let client = world.client().await;
    let counter = key(client.company, "COUNT", "SHARD#0");
    set(&dynamodb, counter, "users", MAX_SCANNED_USERS).await;
    client
        .filter("active eq true")
        .await
        .assert_error(400, Some("tooMany"));
    assert_eq!(drawn(&dynamodb, client.company).await, None);
}

/// Suspects of `check`, of all companies.
async fn suspects(world: &World) -> usize {
    let survey = world.store.survey(None, |_| {}).await.unwrap();
    assert!(!survey.needs_recount());
    survey.into_suspects().len()
}

#[tokio::test]
async fn check_knows_scan_budgets_also_of_a_company_that_has_left() {
    let (_embedded, dynamodb, world) = directory().await;
    let client = world.client().await;
    let scanned = client.filter("active eq true").await;
    scanned.assert_status(200);
    assert_eq!(suspects(&world).await, 0);
    // What is left of a company until DynamoDB drops it.
    let left = CompanyId::new(uuid::Uuid::now_v7());
    set(&dynamodb, budget(left), "units", 1).await;
    assert_eq!(suspects(&world).await, 0);
    // Not an item of this program.
    set(&dynamodb, key(left, "SCANS", "MINUTE#soon"), "units", 1).await;
    assert!(suspects(&world).await > 0);
}
