//! Every request under every fault of DynamoDB, once, repeatedly and for good: the client sees success, or 503
//! with `Retry-After`, before API Gateway gives up; afterwards all of a change is there or nothing of it, and all
//! of it after a success.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::faults::{Fault, THROTTLED, world};
use test_support::data::assert_none;
use test_support::world::{Call, Client, encode};

const FAULTS: [(&str, Fault); 14] = [
    ("throttled", Fault::Responded(400, THROTTLED)),
    ("conflict", Fault::Conflict),
    ("failed", Fault::Responded(500, "")),
    ("reset", Fault::Lost),
    ("reset after", Fault::ResponseLost),
    ("closed", Fault::Closed),
    ("closed after", Fault::ClosedAfter),
    ("overtaken", Fault::Overtaken),
    ("silent", Fault::Silent),
    ("silent after", Fault::SilentAfter),
    ("garbled", Fault::Garbled),
    ("unprocessed", Fault::Unprocessed),
    ("half processed", Fault::HalfProcessed),
    ("slow", Fault::Late(Duration::from_millis(1_500))),
];

/// How often a fault happens: requests that are spared first, and those it then happens to.
const TIMES: [(&str, usize, usize); 4] = [
    ("1st", 0, 1),
    ("2nd", 1, 1),
    ("2nd-4th", 1, 3),
    ("all", 0, usize::MAX),
];

/// Time within which every request has its response: a Lambda ends after 29 s.
const DEADLINE: Duration = Duration::from_secs(25);

/// A request, and what it does.
struct Operation {
    name: &'static str,
    call: fn(&str) -> Call,
    success: u16,
    /// The state of its user afterwards, as [`state`] shows it; `None` if it does not change.
    after: Option<fn() -> Value>,
}

fn patch(id: &str, operations: &Value) -> Call {
    Call::new("PATCH", &format!("/Users/{id}")).json(&json!({"Operations": operations}))
}

fn query(parameters: &[(&str, &str)]) -> Call {
    Call::new("GET", "/Users").query(&encode(parameters))
}

/// Returns the user that requests are about.
fn user() -> Value {
    json!({"userName": "ada", "externalId": "e", "title": "Dr", "emails": [
        {"type": "work", "value": "work@x.org"}, {"type": "home", "value": "home@x.org"},
    ]})
}

const OPERATIONS: [Operation; 13] = [
    Operation {
        name: "GET",
        call: |id| Call::new("GET", &format!("/Users/{id}")),
        success: 200,
        after: None,
    },
    Operation {
        name: "userName eq",
        call: |_| query(&[("filter", "userName eq \"ada\"")]),
        success: 200,
        after: None,
    },
    Operation {
        name: "emails eq",
        call: |_| query(&[("filter", "emails.value eq \"work@x.org\"")]),
        success: 200,
        after: None,
    },
    Operation {
        name: "list",
        call: |_| query(&[("count", "10")]),
        success: 200,
        after: None,
    },
    Operation {
        name: "cursor, sorted",
        call: |_| query(&[("cursor", ""), ("sortBy", "title")]),
        success: 200,
        after: None,
    },
    Operation {
        name: "POST",
        call: |_| Call::new("POST", "/Users").json(&json!({"userName": "bob", "externalId": "b"})),
        success: 201,
        after: Some(|| json!(["ada", "Dr", 2, 3])),
    },
    Operation {
        name: "PATCH",
        call: |id| {
            patch(
                id,
                &json!([{"op": "replace", "path": "title", "value": "Prof"}]),
            )
        },
        success: 200,
        after: Some(|| json!(["ada", "Prof", 2, 2])),
    },
    Operation {
        name: "PATCH If-Match",
        call: |id| {
            let title = json!([{"op": "replace", "path": "title", "value": "Prof"}]);
            patch(id, &title).header("if-match", "W/\"1\"")
        },
        success: 200,
        after: Some(|| json!(["ada", "Prof", 2, 2])),
    },
    Operation {
        name: "PATCH remove",
        call: |id| {
            patch(
                id,
                &json!([{"op": "remove", "path": "emails[type eq \"home\"]"}]),
            )
        },
        success: 200,
        after: Some(|| json!(["ada", "Dr", 1, 2])),
    },
    Operation {
        name: "soft delete",
        call: |id| {
            let name = format!("{}ada", "a".repeat(32));
            patch(
                id,
                &json!([{"op": "replace", "value": {"active": false, "userName": name}}]),
            )
        },
        success: 200,
        after: Some(|| json!([format!("{}ada", "a".repeat(32)), "Dr", 2, 2])),
    },
    Operation {
        name: "PUT",
        call: |id| Call::new("PUT", &format!("/Users/{id}")).json(&json!({"userName": "eve"})),
        success: 200,
        after: Some(|| json!(["eve", null, 0, 2])),
    },
    Operation {
        name: "DELETE",
        call: |id| Call::new("DELETE", &format!("/Users/{id}")),
        success: 204,
        after: Some(|| json!([null, null, 0, 1])),
    },
    Operation {
        name: "bulk",
        call: |id| {
            let operation = json!({"op": "replace", "path": "title", "value": "Prof"});
            let data = json!({"Operations": [operation]});
            let operation =
                json!({"method": "PATCH", "path": format!("/Users/{id}"), "data": data});
            Call::new("POST", "/Bulk").json(&json!({"Operations": [operation]}))
        },
        success: 200,
        after: Some(|| json!(["ada", "Prof", 2, 2])),
    },
];

/// Returns the name and title of the user, how many of the two emails lead to them, and the number of users; every
/// name and email of any time must lead to the user that has it, or to none.
async fn state(client: &Client<'_>, id: &str) -> Value {
    let user = client.get(&format!("/Users/{id}")).await;
    let member = |name: &str| {
        user.body
            .as_ref()
            .map_or(Value::Null, |user| user[name].clone())
    };
    let (name, title) = (member("userName"), member("title"));
    let mut emails = 0;
    for email in ["work@x.org", "home@x.org"] {
        emails += client
            .filter(&format!("emails.value eq \"{email}\""))
            .await
            .total();
    }
    let deleted = format!("{}ada", "a".repeat(32));
    for candidate in ["ada", "eve", &deleted] {
        let found = client
            .filter(&format!("userName eq \"{candidate}\""))
            .await
            .total();
        assert_eq!(found == 1, name == candidate, "{candidate} of {name}");
    }
    let with_e = client.filter("externalId eq \"e\"").await.total();
    assert_eq!(with_e == 1, member("externalId") == "e");
    json!([
        name,
        title,
        emails,
        client.send(query(&[("count", "0")])).await.json()["totalResults"]
    ])
}

/// Returns the status of the response, and what is wrong with it.
async fn run(operation: &Operation, fault: Fault, skip: usize, times: usize) -> (u16, Vec<String>) {
    let (world, switch) = world(fault).await;
    let client = world.client().await;
    let id = client.create(&user()).await;
    let before = json!(["ada", "Dr", 2, 2]);
    switch.set(skip, times);
    let started = Instant::now();
    let response = client.send((operation.call)(&id)).await;
    let taken = started.elapsed();
    switch.set(0, 0);
    let mut status = response.status;
    if operation.name == "bulk" && status == 200 {
        let of_operation = &response.json()["Operations"][0]["status"];
        status = of_operation.as_str().unwrap().parse().unwrap();
    }
    let mut wrong = Vec::new();
    if taken > DEADLINE {
        wrong.push(format!("responded after {taken:?}"));
    }
    if status != operation.success && status != 503 {
        wrong.push(format!("responded {status}: {:?}", response.body));
    }
    if response.status == 503 && response.header("retry-after").is_none() {
        wrong.push("503 without Retry-After".to_owned());
    }
    let after = operation
        .after
        .map_or_else(|| before.clone(), |after| after());
    let now = state(&client, &id).await;
    let is_done = status == operation.success;
    if now != after && (is_done || now != before) {
        wrong.push(format!(
            "{status}, and then there is {now}, not {after} or before {before}"
        ));
    }
    // A client that got 503 sends the request again, and succeeds.
    if status == 503 && operation.name != "PATCH If-Match" && operation.name != "PATCH remove" {
        let again = client.send((operation.call)(&id)).await.status;
        let was_done = now == after;
        let is_right = match again {
            // What took effect before cannot take effect again.
            409 | 404 => was_done,
            again => again == operation.success,
        };
        if !is_right || state(&client, &id).await != after {
            wrong.push(format!("sent again, it is {again}"));
        }
    }
    (status, wrong)
}

/// Shown by --nocapture: the responses of each operation under each fault, as often as in [`TIMES`].
#[tokio::test(start_paused = true)]
async fn every_request_under_every_fault_succeeds_or_can_be_sent_again() {
    let mut failures = Vec::new();
    let times: Vec<&str> = TIMES.iter().map(|(times, ..)| *times).collect();
    println!("{:<16} {:<14} {}", "request", "fault", times.join(" "));
    for operation in &OPERATIONS {
        for (fault_name, fault) in FAULTS {
            let mut statuses = Vec::new();
            for (times_name, skip, times) in TIMES {
                let (status, wrong) = run(operation, fault, skip, times).await;
                statuses.push(status.to_string());
                let about = format!("{} {fault_name} {times_name}", operation.name);
                failures.extend(wrong.into_iter().map(|wrong| format!("{about}: {wrong}")));
            }
            println!(
                "{:<16} {fault_name:<14} {}",
                operation.name,
                statuses.join(" ")
            );
        }
    }
    assert_none(&failures);
}
