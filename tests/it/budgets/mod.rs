//! What each request costs in DynamoDB: calls and capacity, exactly, whatever the number of users. `docs/cost.md`
//! has the table; `UPDATE_DOCS=1 cargo test budgets` writes it again.

mod growing;
mod requests;
mod walks;

use std::sync::{Arc, Mutex};

use crate::counting::{Calls, Usage, counted_store};
use embedded::Embedded;
use test_support::world::{Call, Client, Response, World};

use growing::measure_growing;
use requests::measure;

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
