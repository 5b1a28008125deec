//! What a page costs: the same number of calls at any number of users.

use std::collections::BTreeMap;
use std::time::Instant;

use paradigm_scim::store::usage::{Usage, measured};
use serde_json::json;
use test_support::counted::Calls;
use test_support::engine::Engine;
use test_support::world::{Client, fill};

use super::Desk;

/// Users that are added between the two measurements, unless `DIRECTORY_SIZE` says otherwise: more than an engine reads
/// at a time.
const MANY: usize = 3000;

/// The calls of each page, and what they cost.
type Costs = BTreeMap<&'static str, (Calls, Usage, usize)>;

async fn costs(desk: &Desk, client: &Client<'_>, user: &str) -> Costs {
    let cookie = desk.open().await;
    let company = client.company;
    let pages = [
        ("overview", "/".to_owned()),
        ("companies", "/companies".to_owned()),
        ("company", format!("/companies/{company}")),
        ("users", format!("/companies/{company}/users")),
        ("user", format!("/companies/{company}/users/{user}")),
        ("keys", format!("/companies/{company}/keys")),
        ("requests", "/requests".to_owned()),
        ("health", "/health".to_owned()),
    ];
    let mut costs = Costs::new();
    for (name, path) in pages {
        desk.table.take();
        let started = Instant::now();
        let (page, usage) = measured(desk.page(&cookie, &path)).await;
        println!("{name} | {} ms", started.elapsed().as_millis());
        costs.insert(name, (desk.table.take(), usage, page.len()));
    }
    let users = format!("/companies/{company}/users");
    for (name, value) in [
        ("found by userName", "ada@example.com"),
        ("found by email", "mail@example.com"),
    ] {
        desk.table.take();
        let (response, usage) =
            measured(desk.post(&cookie, &users, &format!("value={value}"))).await;
        assert!(response.body.contains("1 user found"), "{}", response.body);
        costs.insert(name, (desk.table.take(), usage, response.body.len()));
    }
    costs
}

async fn a_page_makes_as_many_calls_for_many_users_as_for_few(engine: Engine) {
    let desk = Desk::on(engine).await;
    let client = desk.world.client().await;
    let ada = json!({"userName": "ada@example.com", "emails": [{"value": "mail@example.com"}]});
    let user = client.create(&ada).await;
    fill(desk.raw(), client.company, 23).await;
    let few = costs(&desk, &client, &user).await;
    let size = std::env::var("DIRECTORY_SIZE");
    let many = size.map_or(MANY, |size| size.parse().unwrap());
    fill(desk.raw(), client.company, many).await;
    let many = costs(&desk, &client, &user).await;
    for (name, (calls, usage, length)) in &many {
        assert_eq!(calls, &few[name].0, "{name}");
        assert!(*length < 100_000, "{name}: {length} bytes");
        // Shown by --nocapture.
        let calls: Vec<_> = calls
            .iter()
            .map(|(call, times)| format!("{times} {call}"))
            .collect();
        let units = usage.read_units;
        println!(
            "{engine:?} | {name} | {} | {units} units | {length} bytes",
            calls.join(", ")
        );
    }
    let expected = |calls: &[(&'static str, usize)]| calls.iter().copied().collect::<Calls>();
    for (name, calls) in [
        // A company, its counters, its keys, and 30 days of its trail.
        (
            "overview",
            expected(&[("read_index", 32), ("get_many", 2), ("read_partition", 1)]),
        ),
        ("companies", expected(&[("read_index", 1), ("get_many", 1)])),
        (
            "company",
            expected(&[
                ("get", 1),
                ("read_index", 31),
                ("get_many", 1),
                ("read_partition", 1),
            ]),
        ),
        // 25 users, each with the last change.
        (
            "users",
            expected(&[
                ("get", 1),
                ("read_index", 2),
                ("get_many", 2),
                ("read_partition", 26),
            ]),
        ),
        (
            "user",
            expected(&[
                ("get", 2),
                ("read_index", 1),
                ("get_many", 1),
                ("read_partition", 1),
            ]),
        ),
        (
            "keys",
            expected(&[("get", 1), ("read_index", 1), ("get_many", 1)]),
        ),
        ("requests", expected(&[])),
        ("health", expected(&[("readiness", 1)])),
        (
            "found by userName",
            expected(&[
                ("get", 3),
                ("read_index", 1),
                ("get_many", 2),
                ("read_partition", 3),
            ]),
        ),
        (
            "found by email",
            expected(&[
                ("get", 2),
                ("read_index", 1),
                ("get_many", 2),
                ("read_partition", 3),
            ]),
        ),
    ] {
        assert_eq!(many[name].0, calls, "{name}");
    }
}

/// A day on which a whole directory was brought in is not read to its end.
async fn a_day_with_very_many_changes_is_counted_up_to_a_limit(engine: Engine) {
    let desk = Desk::on(engine).await;
    let client = desk.world.client().await;
    for number in 0..510 {
        let user = json!({"userName": format!("u{number}")});
        client.create(&user).await;
    }
    let cookie = desk.open().await;
    desk.table.take();
    let page = desk.page(&cookie, "/").await;
    assert!(page.contains("500 or more"), "{page}");
    assert_eq!(desk.table.take()["read_index"], 32);
}

test_support::on_every_engine!(
    a_page_makes_as_many_calls_for_many_users_as_for_few,
    a_day_with_very_many_changes_is_counted_up_to_a_limit,
);
