//! What a page has.

use super::{document_of, search};
use paradigm_scim::directory::user::MAX_DOCUMENT_BYTES;
use scim::compare::MAX_SORTED_CHARS;
use scim::page::MAX_COUNT;
use serde_json::json;
use test_support::world::{Call, World, fill_with};

/// Most bytes of the users in a page.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Most bytes of documents that are read for a page.
const MAX_PAGE_READ_BYTES: usize = 12 * 1024 * 1024;

#[tokio::test]
async fn a_page() {
    let world = World::new().await;
    let client = world.client().await;
    for number in 0..MAX_COUNT {
        client
            .create(&json!({"userName": format!("u{number}")}))
            .await;
    }
    for (count, returned) in [
        (MAX_COUNT - 1, MAX_COUNT - 1),
        (MAX_COUNT, MAX_COUNT),
        (MAX_COUNT + 1, MAX_COUNT),
    ] {
        let query = format!("count={count}");
        let page = client.send(Call::new("GET", "/Users").query(&query)).await;
        assert_eq!(page.user_names().len(), returned, "{query}");
        assert_eq!(page.total(), MAX_COUNT as u64 + 1);
    }
    let default = client.get("/Users").await;
    assert_eq!(default.user_names().len(), 50);
}

#[tokio::test]
async fn bytes_of_a_page() {
    let world = World::new().await;
    let client = world.client().await;
    let user = |number: usize, title: usize| json!({"userName": format!("u{number}"), "active": true, "title": "t".repeat(title)});
    let users = 65;
    let mut all = 0;
    let mut id = String::new();
    for number in 1..=users {
        // The last makes the difference.
        let title = if number == users { 0 } else { 64_200 };
        let created = client.post(&user(number, title)).await;
        all += created.json().to_string().len();
        id = created.id();
    }
    let administrator = format!("/Users/{}", client.administrator);
    all += client.get(&administrator).await.json().to_string().len();
    let page = async |query: &str| {
        let page = client.send(Call::new("GET", "/Users").query(query)).await;
        let next = page.json()["nextCursor"].as_str().map(str::to_owned);
        (page.user_names().len(), next)
    };
    let most = MAX_PAGE_BYTES - all;
    for title in [most - 1, most] {
        let last = user(users, title);
        client.put(&id, &last).await.assert_status(200);
        assert_eq!(page("count=100&cursor").await, (users + 1, None));
    }
    client
        .put(&id, &user(users, most + 1))
        .await
        .assert_status(200);
    assert_eq!(page("count=100").await.0, users);
    let (number, next) = page("count=100&cursor").await;
    assert_eq!(number, users);
    let rest = format!("count=100&cursor={}", next.unwrap());
    assert_eq!(page(&rest).await, (1, None));
}

#[tokio::test]
async fn bytes_that_are_read_for_a_page() {
    let (world, table) = World::with_table();
    let client = world.client().await;
    let users = MAX_PAGE_READ_BYTES / MAX_DOCUMENT_BYTES;
    fill_with(
        &table,
        client.company,
        users,
        document_of(MAX_DOCUMENT_BYTES),
    )
    .await;
    // The administrator is the first, so the last user does not fit.
    let names = ("attributes", "userName");
    let page = client.send(search(&[names, ("count", "200")])).await;
    assert_eq!(page.user_names().len(), users);
    let mut seen = 0;
    let mut cursor = Some(String::new());
    while let Some(from) = cursor {
        let query = [names, ("count", "200"), ("cursor", from.as_str())];
        let page = client.send(search(&query)).await;
        seen += page.user_names().len();
        cursor = page.json()["nextCursor"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, users + 1);
}

#[tokio::test]
async fn characters_that_a_list_is_sorted_by() {
    let world = World::new().await;
    let client = world.client().await;
    let title = |same: usize, last: char| format!("{}{last}", "é".repeat(same));
    // Those who are created first would come last.
    for (name, title) in [
        ("first", title(MAX_SORTED_CHARS, 'b')),
        ("second", title(MAX_SORTED_CHARS, 'a')),
        ("third", title(MAX_SORTED_CHARS - 1, 'b')),
        ("fourth", title(MAX_SORTED_CHARS - 1, 'a')),
    ] {
        client
            .create(&json!({"userName": name, "title": title}))
            .await;
    }
    let sorted = client.send(search(&[("sortBy", "title")])).await;
    let expected = ["fourth", "third", "first", "second"];
    assert_eq!(sorted.user_names()[..4], expected);
}
