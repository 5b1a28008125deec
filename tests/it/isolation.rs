//! One company neither sees, changes, counts nor learns of another's users: on every route, whatever
//! refers to something of the other company is answered like something that does not exist, with
//! the same status, headers, body and calls to DynamoDB.

use http::Method;
use paradigm_scim::api::route::{Endpoint, ROUTES, Route};
use paradigm_scim::directory::Token;
use paradigm_scim::store::embedded::Embedded;
use serde_json::{Value, json};

use crate::counting::{Calls, counted_store};
use crate::support::{Answer, Call, Client, World, assert_none, encode};

/// Something of the other company's, and something of the same kind that is nobody's.
struct Reference {
    kind: &'static str,
    foreign: String,
    absent: String,
}

/// Requests on a route in which the two may stand.
fn requests(route: &Route, reference: &Reference) -> Vec<(String, Call, Call)> {
    let both = |make: &dyn Fn(&str) -> Call| (make(&reference.foreign), make(&reference.absent));
    let mut found = Vec::new();
    let mut add = |place: &str, (foreign, absent): (Call, Call)| {
        let about = format!(
            "{} {}, {} {place}",
            route.method, route.path, reference.kind
        );
        found.push((about, foreign, absent));
    };
    let at = |id: &str| {
        let path = route.path.replace("{id}", id);
        let call = Call::new(route.method.as_str(), &path);
        match route.method {
            Method::POST | Method::PUT => call.json(&body_for(route.endpoint)),
            Method::PATCH => call.json(
                &json!({"Operations": [{"op": "replace", "path": "active", "value": false}]}),
            ),
            _ => call,
        }
    };
    if reference.kind == "id" && route.path.contains("{id}") {
        add("in the path", both(&at));
    }
    let filters: &[&str] = match reference.kind {
        "id" => &["id eq", "manager eq", "manager.value eq"],
        "userName" => &[
            "userName eq",
            "userName sw",
            "not (title pr) and userName eq",
        ],
        "email" => &[
            "emails.value eq",
            "emails[type eq \"work\"].value eq",
            "emails.value ew",
        ],
        "externalId" => &["externalId eq", "externalId co"],
        _ => &[],
    };
    for filter in filters {
        let filtered = |value: &str| format!("{filter} \"{value}\"");
        match route.endpoint {
            Endpoint::ListUsers => add(
                filter,
                both(&|value| at("").query(&encode(&[("filter", &filtered(value))]))),
            ),
            Endpoint::SearchUsers | Endpoint::SearchAll => add(
                filter,
                both(&|value| at("").json(&json!({"filter": filtered(value)}))),
            ),
            _ => {}
        }
    }
    if reference.kind == "cursor" {
        match route.endpoint {
            Endpoint::ListUsers => add("", both(&|value| at("").query(&format!("cursor={value}")))),
            Endpoint::SearchUsers | Endpoint::SearchAll => {
                add("", both(&|value| at("").json(&json!({"cursor": value}))));
            }
            _ => {}
        }
    }
    if reference.kind == "id" {
        let manager = |value: &str| json!({"userName": "u@x.org", "manager": value});
        match route.endpoint {
            Endpoint::Bulk => {
                for (method, data) in [
                    ("PUT", manager("x")),
                    (
                        "PATCH",
                        json!({"Operations": [{"op": "remove", "path": "title"}]}),
                    ),
                    ("DELETE", Value::Null),
                ] {
                    let operation = |value: &str| {
                        let path = format!("/Users/{value}");
                        json!({"Operations": [{"method": method, "path": path, "data": data}]})
                    };
                    add(method, both(&|value| at("").json(&operation(value))));
                }
            }
            Endpoint::PatchMe => {
                let patch = |value: &str| json!({"Operations": [{"op": "add", "path": "manager", "value": value}]});
                add("as manager", both(&|value| at("").json(&patch(value))));
            }
            _ => {}
        }
    }
    if reference.kind == "ETag" && route.path == "/Me" && route.method != Method::POST {
        add(
            "in If-Match",
            both(&|value| at("").header("if-match", value)),
        );
    }
    if reference.kind == "token" {
        add(
            "",
            both(&|value| at("nobody").header("authorization", &format!("Bearer {value}"))),
        );
    }
    found
}

fn body_for(endpoint: Endpoint) -> Value {
    match endpoint {
        Endpoint::Bulk => json!({"Operations": [{"method": "DELETE", "path": "/Users/nobody"}]}),
        Endpoint::SearchUsers | Endpoint::SearchAll => json!({"count": 1}),
        Endpoint::ReplaceMe => json!({"userName": "administrator@example.com"}),
        _ => json!({"userName": "someone@example.com"}),
    }
}

/// Everything an answer tells, with the reference itself taken out.
fn told(answer: &Answer, value: &str) -> String {
    let body = answer.body.clone().unwrap_or_default().to_string();
    let headers: Vec<String> = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    format!("{} {headers:?} {body}", answer.status).replace(value, "REFERENCE")
}

async fn everything(client: &Client<'_>) -> Value {
    client.get("/Users").await.json().clone()
}

#[tokio::test]
async fn nothing_of_another_company_can_be_reached_or_learned() {
    let (store, usage) = counted_store(&Embedded::in_memory().unwrap()).await;
    let world = World::on(store);
    let (ours, theirs) = (world.client().await, world.client().await);
    let id = theirs
        .create(&json!({
            "userName": "theirs@example.com", "externalId": "their-external", "title": "T",
            "emails": [{"value": "theirs@example.com", "type": "work"}],
        }))
        .await;
    let page = Call::new("GET", "/Users").query("cursor&count=1");
    let cursor = theirs.send(page).await.json()["nextCursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut other = cursor.clone().into_bytes();
    other.reverse();
    let wrong_secret = Token::new(theirs.key, &[1; 32]).reveal().to_string();
    let unknown = paradigm_scim::directory::KeyId::new(u64::MAX - 7);
    let unknown = Token::new(unknown, &[1; 32]).reveal().to_string();
    let reference = |kind, foreign: &str, absent: &str| Reference {
        kind,
        foreign: foreign.to_owned(),
        absent: absent.to_owned(),
    };
    let references = [
        reference("id", &id, "00000000-0000-4000-8000-000000000000"),
        reference("userName", "theirs@example.com", "nobody@example.com"),
        reference("email", "theirs@example.com", "nobody@example.com"),
        reference("externalId", "their-external", "nobodys-external"),
        reference("cursor", &cursor, &String::from_utf8(other).unwrap()),
        reference("ETag", "W/\"1\"", "W/\"99\""),
        reference("token", &wrong_secret, &unknown),
    ];
    let before = everything(&theirs).await;
    let (mut number, mut failures) = (0, Vec::new());
    // The first use of a key on a day is noted; that is no request's own doing.
    ours.get("/Users").await.assert_status(200);
    for reference in &references {
        for route in ROUTES {
            for (about, foreign, absent) in requests(route, reference) {
                number += 1;
                let mut answers: Vec<(String, Calls)> = Vec::new();
                for (call, value) in [(foreign, &reference.foreign), (absent, &reference.absent)] {
                    usage.lock().unwrap().calls.clear();
                    let answer = if reference.kind == "token" {
                        world.send(call).await
                    } else {
                        ours.send(call).await
                    };
                    answers.push((told(&answer, value), usage.lock().unwrap().calls.clone()));
                }
                // Shown by --nocapture: the matrix.
                println!("{about}: {}", answers[0].0.split(' ').next().unwrap());
                if without_progress(&answers[0]) != without_progress(&answers[1]) {
                    failures.push(format!("{about}:\n  {:?}\n  {:?}", answers[0], answers[1]));
                }
            }
        }
    }
    assert!(number > 80, "only {number} requests");
    assert_none(&failures);
    assert_eq!(everything(&theirs).await, before);
}

/// What moves with every change of our own user: version and time.
fn without_progress((told, calls): &(String, Calls)) -> (String, Calls) {
    let mut text = told.clone();
    while let Some(start) = text.find("W/\\\"").or_else(|| text.find("W/\"")) {
        let end = text[start..]
            .find(['}', ',', ']'])
            .map_or(text.len(), |end| start + end);
        text.replace_range(start..end, "VERSION");
    }
    (text, calls.clone())
}

#[tokio::test]
async fn names_are_unique_in_a_company_only() {
    let world = World::new().await;
    let (ours, theirs) = (world.client().await, world.client().await);
    let body = json!({"userName": "shared@example.com", "externalId": "x"});
    let id = theirs.create(&body).await;
    ours.create(&body).await;
    assert_eq!(ours.filter("externalId eq \"x\"").await.total(), 1);
    assert_eq!(ours.get("/Users").await.total(), 2);
    let unchanged = theirs.get(&format!("/Users/{id}")).await;
    assert_eq!(unchanged.json()["meta"]["version"], "W/\"1\"");
}
