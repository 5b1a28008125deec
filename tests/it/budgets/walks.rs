//! Pages by index, one after the other.

use std::sync::{Arc, Mutex};

use crate::counting::{Usage, counted_store};
use embedded::Embedded;
use jiff::SignedDuration;
use paradigm_scim::api::Service;
use paradigm_scim::config::Config;
use serde_json::json;
use test_support::world::{Call, Client, Response, World, fill};

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
