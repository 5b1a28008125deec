//! What each request costs in DynamoDB: calls and capacity, exactly, whatever the number of users. `docs/cost.md`
//! has the table; `UPDATE_DOCS=1 cargo test budgets` writes it again.

use std::sync::{Arc, Mutex};

use embedded::Embedded;
use jiff::SignedDuration;
use paradigm_scim::api::Service;
use paradigm_scim::config::{Clock as _, Config};
use scim::cursor::{self, MARK_BYTES, Position};
use serde_json::json;
use uuid::Uuid;

use crate::counting::{Calls, Usage, counted_store};
use test_support::world::{Call, Client, Response, World, encode, fill};

/// List price of a million request units on demand, in US dollars: us-east-1, standard table class.
const READ_PRICE: f64 = 0.125;
const WRITE_PRICE: f64 = 0.625;

fn named(calls: &[(&str, usize)]) -> Calls {
    calls
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

/// Requests that are refused, by the beginning of what they are about; the others succeed.
const REFUSED: [(&str, u16); 3] = [
    ("authentication", 404),
    ("POST, name taken", 409),
    ("DELETE, gone", 404),
];

/// A directory whose requests are measured.
struct Measured {
    world: World,
    usage: Arc<Mutex<Usage>>,
    rows: Vec<(&'static str, Usage)>,
}

impl Measured {
    async fn new(embedded: &Embedded) -> Self {
        let (store, usage) = counted_store(embedded).await;
        let world = World::on(store);
        Self {
            world,
            usage,
            rows: Vec::new(),
        }
    }

    /// Sends a request that must make these calls.
    async fn row(
        &mut self,
        client: &Client<'_>,
        about: &'static str,
        expected: &[(&str, usize)],
        call: Call,
    ) -> Response {
        let response = self.row_of(about, expected, client.send(call)).await;
        let refused = REFUSED
            .iter()
            .find(|(refused, _)| about.starts_with(refused));
        let expected = refused.map_or(200..=204, |(_, status)| *status..=*status);
        let status = response.status;
        assert!(
            expected.contains(&status),
            "{about}: {status} {:?}",
            response.body
        );
        response
    }

    /// Does what must make these calls.
    async fn row_of<T>(
        &mut self,
        about: &'static str,
        expected: &[(&str, usize)],
        work: impl Future<Output = T>,
    ) -> T {
        *self.usage.lock().unwrap() = Usage::default();
        let result = work.await;
        let usage = self.usage.lock().unwrap().clone();
        assert_eq!(usage.calls, named(expected), "{about}");
        self.rows.push((about, usage));
        result
    }
}

/// Every kind of request in a company of so many users more than the three it needs.
async fn measure(others: usize) -> Vec<(&'static str, Usage)> {
    let embedded = Embedded::in_memory().unwrap();
    let mut measured = Measured::new(&embedded).await;
    let world = World::on(measured.world.store.clone());
    let client = world.client().await;
    client.create(&json!({"userName": "other"})).await;
    fill(&embedded, client.company, others).await;
    let client = Client {
        world: &world,
        ..client
    };
    let emails =
        json!([{"type": "work", "value": "a@x.org"}, {"type": "home", "value": "b@x.org"}]);
    let user = json!({"userName": "user@x.org", "externalId": "x", "emails": emails});
    let m = &mut measured;

    // A new instance verifies the caller once, and then uses the verdict for a minute.
    client.get("/nothing").await;
    world.clock.advance(SignedDuration::from_secs(60));
    let nothing = || Call::new("GET", "/nothing");
    let cold = [("BatchGetItem", 1), ("GetItem", 1)];
    m.row(&client, "authentication, once a minute", &cold, nothing())
        .await;
    m.row(&client, "authentication, cached", &[], nothing())
        .await;
    world.clock.advance(SignedDuration::from_hours(24));
    let first_of_a_day = [("BatchGetItem", 1), ("GetItem", 1), ("UpdateItem", 1)];
    let about = "authentication, first of a day";
    m.row(&client, about, &first_of_a_day, nothing()).await;
    let store = m.world.store.clone();
    m.row_of("start of an instance", &[("GetItem", 1)], store.connect())
        .await;

    let (one, write) = (("GetItem", 1), ("TransactWriteItems", 1));
    // An id later than all there are, and earlier than the next.
    let before_the_last = Uuid::now_v7();
    let post = || Call::new("POST", "/Users").json(&user);
    let created = m.row(&client, "POST", &[write], post()).await;
    m.row(&client, "POST, name taken", &[write], post()).await;
    let path = format!("/Users/{}", created.id());
    m.row(&client, "GET by id", &[one], Call::new("GET", &path))
        .await;
    let filtered = |filter: &str| Call::new("GET", "/Users").query(&encode(&[("filter", filter)]));
    let by_id = filtered(&format!("id eq \"{}\"", created.id()));
    m.row(&client, "id eq", &[one], by_id).await;
    let miss = filtered("userName eq \"nobody\"");
    m.row(&client, "userName eq, nobody", &[one], miss).await;
    let hit = "userName eq \"USER@x.org\"";
    m.row(&client, "userName eq", &[("GetItem", 2)], filtered(hit))
        .await;
    let both = filtered("active eq true and userName eq \"user@x.org\"");
    m.row(&client, "userName eq, beside and", &[("GetItem", 2)], both)
        .await;
    let lookup = [("BatchGetItem", 1), ("Query", 1)];
    let external_id = filtered("externalId eq \"x\"");
    m.row(&client, "externalId eq", &lookup, external_id).await;
    let by_email = filtered("emails[type eq \"work\"].value eq \"a@x.org\"");
    m.row(&client, "emails…value eq", &lookup, by_email).await;
    let list = [("BatchGetItem", 1), ("Query", 2)];
    let first = || Call::new("GET", "/Users").query("count=2");
    m.row(&client, "page of 2 by index, first", &list, first())
        .await;
    let next = Call::new("GET", "/Users").query("startIndex=3&count=1");
    m.row(&client, "page of 1 by index, next", &list, next)
        .await;
    let total = Call::new("GET", "/Users").query("count=0");
    m.row(&client, "total only", &[("Query", 1)], total).await;
    let by_cursor = |query: &str| Call::new("GET", "/Users").query(&format!("cursor&{query}"));
    let page = [("BatchGetItem", 1), ("Query", 1)];
    let first = by_cursor("count=2");
    let first = m
        .row(&client, "page of 2 by cursor, first", &page, first)
        .await;
    let next = first.json()["nextCursor"].as_str().unwrap();
    let next = Call::new("GET", "/Users").query(&format!("cursor={next}&count=1"));
    m.row(&client, "page of 1 by cursor, next", &page, next)
        .await;
    let deep = sealed(before_the_last, &client);
    let deep = Call::new("GET", "/Users").query(&format!("cursor={deep}&count=1"));
    m.row(&client, "page of 1 by cursor, the last", &page, deep)
        .await;
    for (about, path) in [
        ("Users/.search, userName eq", "/Users/.search"),
        (".search, userName eq", "/.search"),
    ] {
        let search = Call::new("POST", path).json(&json!({"filter": hit}));
        m.row(&client, about, &[("GetItem", 2)], search).await;
    }
    let base = Call::new("GET", "/").query(&encode(&[("filter", hit)]));
    m.row(&client, "base URI, userName eq", &[("GetItem", 2)], base)
        .await;

    let change = [one, write];
    m.row(&client, "GET Me", &[one], Call::new("GET", "/Me"))
        .await;
    let title = json!({"Operations": [{"op": "replace", "path": "title", "value": "T"}]});
    let patch_me = Call::new("PATCH", "/Me").json(&title);
    m.row(&client, "PATCH Me", &change, patch_me).await;
    let put_me = Call::new("PUT", "/Me").json(&json!({"userName": "administrator@example.com"}));
    m.row(&client, "PUT Me", &change, put_me).await;

    let patch = || Call::new("PATCH", &path).json(&title);
    m.row(&client, "PATCH", &change, patch()).await;
    m.row(&client, "PATCH, nothing changes", &[one], patch())
        .await;
    let put = || Call::new("PUT", &path).json(&user);
    m.row(&client, "PUT", &change, put()).await;
    m.row(&client, "PUT, nothing changes", &[one], put()).await;
    let rename = json!({"Operations": [{"op": "replace", "value": {
        "active": false, "userName": format!("{}user@x.org", "a".repeat(32)),
    }}]});
    let rename = Call::new("PATCH", &path).json(&rename);
    m.row(&client, "PATCH, soft delete", &change, rename).await;
    let restore = json!({"Operations": [{"op": "replace", "path": "active", "value": true}]});
    let restore = Call::new("PATCH", &path).json(&restore);
    m.row(&client, "PATCH, restore", &change, restore).await;
    let bulk = json!({"Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"userName": "bulk"}},
        {"method": "PATCH", "path": &path, "data": title},
    ]});
    let bulk = Call::new("POST", "/Bulk").json(&bulk);
    let both = [one, ("TransactWriteItems", 2)];
    m.row(&client, "Bulk of a POST and a PATCH", &both, bulk)
        .await;
    m.row(&client, "DELETE", &change, Call::new("DELETE", &path))
        .await;
    m.row(&client, "DELETE, gone", &[one], Call::new("DELETE", &path))
        .await;
    for (about, path) in [
        ("ServiceProviderConfig", "/ServiceProviderConfig"),
        ("ResourceTypes", "/ResourceTypes"),
        ("Schemas", "/Schemas"),
        ("Groups", "/Groups"),
    ] {
        m.row(&client, about, &[], Call::new("GET", path)).await;
    }
    measured.rows
}

/// Users in the company of [`measure_growing`].
const MANY: usize = 1_003;

/// Returns what costs more the more users there are, in a company of [`MANY`].
async fn measure_growing() -> Vec<(&'static str, Usage)> {
    let embedded = Embedded::in_memory().unwrap();
    let mut measured = Measured::new(&embedded).await;
    let world = World::on(measured.world.store.clone());
    let client = world.client().await;
    fill(&embedded, client.company, MANY - 1).await;
    client.get("/nothing").await;
    let m = &mut measured;
    let query = |query: &str| Call::new("GET", "/Users").query(query);
    // The budget is drawn on, all users are read, and those on the page are read again.
    let everyone = [("BatchGetItem", 12), ("Query", 2), ("UpdateItem", 1)];
    for (about, parameters) in [
        (
            "filter without lookup, page of 2",
            "filter=title%20pr%20or%20active%20eq%20true&count=2",
        ),
        ("sorted, page of 2 by index", "sortBy=userName&count=2"),
        (
            "sorted, page of 2 by cursor",
            "sortBy=userName&count=2&cursor",
        ),
    ] {
        m.row(&client, about, &everyone, query(parameters)).await;
    }
    let nobody = query("filter=active%20eq%20false");
    let about = "filter without lookup, nobody";
    m.row(
        &client,
        about,
        &[("BatchGetItem", 11), ("Query", 2), ("UpdateItem", 1)],
        nobody,
    )
    .await;
    let nobody = query("filter=active%20eq%20false&cursor");
    let about = "the same by cursor: 1,000 users";
    m.row(
        &client,
        about,
        &[("BatchGetItem", 10), ("Query", 6), ("UpdateItem", 1)],
        nobody,
    )
    .await;
    let deep = query("startIndex=1003&count=1");
    let about = "last page of 1 by index, on another instance than the page before";
    m.row(&client, about, &[("BatchGetItem", 1), ("Query", 2)], deep)
        .await;
    measured.rows
}

/// Returns a cursor for what comes after an id.
fn sealed(after: Uuid, client: &Client<'_>) -> String {
    let position = Position {
        after,
        mark: [0; MARK_BYTES],
    };
    let mut secret = [0; 32];
    secret.copy_from_slice(&client.company.to_string().as_bytes()[4..]);
    cursor::seal(position, "\0\0", &secret, client.world.clock.now()).unwrap()
}

fn table(first_cell: &str, rows: &[(&'static str, Usage)]) -> String {
    let mut lines = vec![
        format!("{first_cell} Calls to DynamoDB | RCU | WCU | a million, US$ |"),
        "| --- | --- | --- | --- | --- |".to_owned(),
    ];
    for (about, usage) in rows {
        let calls = usage
            .calls
            .iter()
            .map(|(name, number)| format!("{number} {name}"));
        let calls = calls.collect::<Vec<_>>().join(", ");
        let price = usage.read_units * READ_PRICE + usage.write_units * WRITE_PRICE;
        let (read, write) = (usage.read_units, usage.write_units);
        lines.push(format!(
            "| {about} | {calls} | {read} | {write} | {price:.2} |"
        ));
    }
    lines.join("\n")
}

#[tokio::test]
async fn a_request_costs_the_same_among_few_and_among_many_users() {
    let among_few = measure(1).await;
    assert_eq!(measure(1_000).await, among_few);
    // `DIRECTORY_SIZE=1000000 cargo test budgets` measures more.
    let many = std::env::var("DIRECTORY_SIZE").map_or(100_000, |size| size.parse().unwrap());
    assert_eq!(measure(many).await, among_few);

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cost.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut now = page.clone();
    for (first_cell, rows) in [
        ("| Request |", among_few),
        ("| Request among 1,003 users |", measure_growing().await),
    ] {
        let (before, rest) = now.split_once(first_cell).unwrap();
        let (_, after) = rest.split_once("\n\n").unwrap();
        now = format!("{before}{}\n\n{after}", table(first_cell, &rows));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, now).unwrap();
    } else {
        assert!(
            page == now,
            "docs/cost.md is not true; UPDATE_DOCS=1 cargo test budgets writes it again"
        );
    }
}

fn names(response: &Response) -> Vec<String> {
    response
        .user_names()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// Returns the names on the page behind so many users, and what it cost.
async fn page(
    client: &Client<'_>,
    usage: &Mutex<Usage>,
    seen: usize,
    count: usize,
) -> (Vec<String>, Usage) {
    *usage.lock().unwrap() = Usage::default();
    let query = format!("startIndex={}&count={count}", seen + 1);
    let response = client.send(Call::new("GET", "/Users").query(&query)).await;
    let usage = usage.lock().unwrap().clone();
    (names(&response), usage)
}

#[tokio::test]
async fn a_walk_by_index_costs_each_page_the_same_on_one_instance() {
    let embedded = Embedded::in_memory().unwrap();
    let (store, usage) = counted_store(&embedded).await;
    let world = World::on(store.clone());
    let client = world.client().await;
    fill(&embedded, client.company, 10_000).await;
    client.get("/nothing").await;
    let (mut seen, cost) = page(&client, &usage, 0, 200).await;
    for number in 1..50 {
        let (found, cost_of_page) = page(&client, &usage, seen.len(), 200).await;
        assert_eq!(cost_of_page.calls, cost.calls, "page {number}");
        // The administrator's item on the first page is larger than the others.
        assert!(
            cost_of_page.read_units <= cost.read_units,
            "page {number}: {cost_of_page:?}"
        );
        seen.extend(found);
    }
    let mut distinct = seen.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((seen.len(), distinct.len()), (10_000, 10_000));

    // Another instance, or this one a minute later, has no bookmark.
    let config = Config {
        is_activated: true,
        ..Config::default()
    };
    let other = World {
        service: Service::new(store.clone(), config, Arc::new(world.clock.clone())),
        store,
        clock: world.clock.clone(),
    };
    let elsewhere = Client {
        world: &other,
        token: client.token.clone(),
        ..client
    };
    elsewhere.get("/nothing").await;
    let (found, cost_elsewhere) = page(&elsewhere, &usage, 9_800, 200).await;
    assert_eq!(found, seen[9_800..]);
    assert!(cost_elsewhere.read_units > 2.0 * cost.read_units);
    world.clock.advance(SignedDuration::from_secs(60));
    client.get("/nothing").await;
    let (found, cost_later) = page(&client, &usage, 9_800, 200).await;
    assert_eq!(found, seen[9_800..]);
    assert!(cost_later.read_units > 2.0 * cost.read_units);
}

#[tokio::test]
async fn a_walk_by_index_in_small_pages_costs_no_more_the_longer_it_is() {
    let embedded = Embedded::in_memory().unwrap();
    let (store, usage) = counted_store(&embedded).await;
    let world = World::on(store);
    let client = world.client().await;
    fill(&embedded, client.company, 1_200).await;
    client.get("/nothing").await;
    page(&client, &usage, 0, 1).await;
    let (_, cost) = page(&client, &usage, 1, 1).await;
    // More pages than bookmarks are kept.
    for seen in 2..1_200 {
        let (found, cost_of_page) = page(&client, &usage, seen, 1).await;
        assert_eq!((found.len(), &cost_of_page), (1, &cost), "page {seen}");
    }
}

#[tokio::test]
async fn a_walk_by_index_skips_no_user_when_others_are_deleted() {
    let world = World::new().await;
    let client = world.client().await;
    let mut ids = Vec::new();
    for number in 0..20 {
        let user = json!({"userName": format!("u{number}")});
        ids.push(client.create(&user).await);
    }
    let page = async |start: usize| {
        let query = format!("startIndex={start}&count=5");
        client.send(Call::new("GET", "/Users").query(&query)).await
    };
    // As clients walk: until they have had as many as there are said to be.
    let mut seen = Vec::new();
    loop {
        let response = page(seen.len() + 1).await;
        seen.extend(names(&response));
        if response.total() <= seen.len() as u64 {
            break;
        }
        for id in ids.drain(..2) {
            client.delete(&id).await.assert_status(204);
        }
    }
    let expected: Vec<String> = ["administrator@example.com".to_owned()]
        .into_iter()
        .chain((0..20).map(|number| format!("u{number}")))
        .collect();
    assert_eq!(seen, expected);
    // A client that begins again gets the users that there are.
    let again = page(1).await;
    assert_eq!(again.total(), 21 - 8);
    let first = ["administrator@example.com", "u8", "u9", "u10", "u11"];
    assert_eq!(names(&again), first);
}

/// An operator's listing goes on from the last user of each batch, and reads no user twice.
#[tokio::test]
async fn a_listing_of_all_users_costs_the_same_for_each_user_however_many_there_are() {
    let mut costs = Vec::new();
    for users in [400, 800] {
        let embedded = Embedded::in_memory().unwrap();
        let (store, usage) = counted_store(&embedded).await;
        let world = World::on(store);
        let company = world.client().await.company;
        // With the administrator.
        fill(&embedded, company, users - 1).await;
        *usage.lock().unwrap() = Usage::default();
        let listed = world.store.listed_users(company).await.unwrap();
        let usage = usage.lock().unwrap().clone();
        assert_eq!(listed.len(), users);
        let mut ids: Vec<_> = listed.iter().map(|user| user.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), users);
        costs.push((usage.calls.values().sum::<usize>(), usage.read_units));
    }
    let [(calls, units), (twice_calls, twice_units)] = costs[..] else {
        panic!("{costs:?}");
    };
    // One Query and one BatchGetItem for each hundred, and a Query that finds the end.
    assert_eq!((calls, twice_calls), (9, 17));
    assert!(twice_units < 2.1 * units, "{units} and {twice_units}");
}
