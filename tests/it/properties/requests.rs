//! Any request, through the whole of the service: never a panic, never a 500, always SCIM's form.

use std::cell::RefCell;
use std::collections::BTreeMap;

use paradigm_scim::directory::USER;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::generate::{config, json_value, nearly, user};
use super::{REQUESTS, over_the_store};
use test_support::world::{Call, Client, Response};

/// Requests that follow each other in one company at most; half of them on average.
const MAX_SEQUENCE: u32 = 200;
/// Stands for the id of a user who was there a moment ago.
const SOMEBODY: &str = "SOMEBODY";

#[derive(Debug, Clone)]
struct Generated {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// Method and path.
fn target() -> impl Strategy<Value = (&'static str, String)> {
    let apt = select(vec![
        ("GET", "/Users"),
        ("POST", "/Users"),
        ("GET", "/Users/SOMEBODY"),
        ("PUT", "/Users/SOMEBODY"),
        ("PATCH", "/Users/SOMEBODY"),
        ("PATCH", "/Users/SOMEBODY"),
        ("DELETE", "/Users/SOMEBODY"),
        ("POST", "/.search"),
        ("GET", "/"),
        ("POST", "/Bulk"),
        ("GET", "/Me"),
    ]);
    let method = select(vec![
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW",
    ]);
    let path = select(vec![
        "/Users",
        "/Users/SOMEBODY",
        "/Users/.search",
        "/Groups/.search",
        "/.search",
        "/Me",
        "/Bulk",
        "/Groups",
        "/Groups/SOMEBODY",
        "/Schemas",
        "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
        "/ResourceTypes",
        "/ResourceTypes/User",
        "/ServiceProviderConfig",
        "/openapi.json",
        "//Users//",
        "/users/",
        "/Users/%2e%2e/Users",
        "",
    ]);
    prop_oneof![
        12 => apt.prop_map(|(method, path)| (method, path.to_owned())),
        3 => (method.clone(), path.prop_map(str::to_owned)),
        1 => (method, nearly().prop_map(|text| format!("/Users/{text}"))),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let name = select(vec![
        "filter",
        "sortBy",
        "sortOrder",
        "startIndex",
        "count",
        "cursor",
        "attributes",
        "excludedAttributes",
        "aadOptscim062020",
    ]);
    let number = any::<i32>().prop_map(|number| number.to_string());
    let value = prop_oneof![4 => nearly(), 1 => number, 1 => Just("descending".to_owned())];
    let pair = (name, value, any::<bool>()).prop_map(|(name, value, is_encoded)| {
        if is_encoded {
            format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC))
        } else {
            format!("{name}={value}")
        }
    });
    let pairs = proptest::collection::vec(pair, 1..4).prop_map(|pairs| pairs.join("&"));
    prop_oneof![1 => Just(String::new()), 1 => pairs]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let operations = proptest::collection::vec(
        (
            select(vec!["add", "Replace", "remove", "PUT", ""]),
            nearly(),
            json_value(),
        ),
        0..4,
    );
    let patch = operations.prop_map(|operations| {
        let operations: Vec<Value> = operations
            .into_iter()
            .map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
            .collect();
        json!({"Operations": operations})
    });
    let write = (select(vec!["POST", "PUT", "PATCH", "DELETE"]), user(&USER));
    let bulk = proptest::collection::vec(write, 0..4).prop_map(|writes| {
        let operations: Vec<Value> = writes
            .into_iter()
            .map(|(method, user)| {
                let path = if method == "POST" {
                    "/Users"
                } else {
                    "/Users/SOMEBODY"
                };
                json!({"method": method, "path": path, "bulkId": "b", "data": user})
            })
            .collect();
        json!({"Operations": operations})
    });
    let json = prop_oneof![
        3 => user(&USER).prop_map(Value::Object),
        3 => patch,
        1 => bulk,
        2 => json_value(),
    ];
    prop_oneof![
        12 => json.prop_map(|json| json.to_string().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..64),
        1 => Just(Vec::new()),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let name = select(vec![
        "accept",
        "content-type",
        "if-match",
        "if-none-match",
        "authorization",
        "x-forwarded-host",
    ]);
    let value = prop_oneof![
        2 => select(vec!["application/scim+json", "application/json", "text/html", "*/*", "W/\"1\"", "W/\"2\", \"1\"", "*"])
            .prop_map(str::to_owned),
        1 => "[ -~]{0,40}",
    ];
    let few = proptest::collection::vec((name, value), 1..3);
    prop_oneof![3 => Just(Vec::new()), 1 => few]
}

fn request() -> impl Strategy<Value = Generated> {
    (target(), query(), headers(), body()).prop_map(|((method, path), query, headers, body)| {
        Generated {
            method,
            path,
            query,
            headers,
            body,
        }
    })
}

async fn send(client: &Client<'_>, generated: &Generated, somebody: &str) -> Response {
    let body = generated.body.clone();
    let body = match String::from_utf8(body) {
        Ok(text) => text.replace(SOMEBODY, somebody).into_bytes(),
        Err(other) => other.into_bytes(),
    };
    let mut call = Call::new(
        generated.method,
        &generated.path.replace(SOMEBODY, somebody),
    )
    .query(&generated.query)
    .body(body);
    for (name, value) in &generated.headers {
        call = call.header(name, value);
    }
    client.send(call).await
}

/// Returns what is wrong with a response.
fn fault(method: &str, response: &Response) -> Option<&'static str> {
    let status = response.status;
    if !matches!(status, 200..=204 | 304 | 400..=415 | 501) {
        return Some("a status that no rule gives");
    }
    if response.header("content-length").is_some() {
        return Some("a length, which is the server's to say");
    }
    let Some(body) = &response.body else {
        let may_be_empty = matches!(status, 204 | 304) || matches!(method, "HEAD" | "OPTIONS");
        return (!may_be_empty).then_some("no body");
    };
    let is_error = body["schemas"][0] == "urn:ietf:params:scim:api:messages:2.0:Error";
    if is_error != (status >= 400) {
        return Some("an error that is none, or none that is one");
    }
    if is_error && body["status"].as_str() != Some(&status.to_string()) {
        return Some("another status in the body");
    }
    None
}

#[test]
fn no_request_is_too_much() {
    let mut config = config(REQUESTS);
    let requests = config.cases;
    config.cases = requests.div_ceil(MAX_SEQUENCE / 2);
    let sequence = proptest::collection::vec(request(), 1..=MAX_SEQUENCE as usize);
    let statuses = RefCell::new(BTreeMap::<u16, u32>::new());
    over_the_store(config, &sequence, async |client, sequence| {
        // Not the administrator: without them, the rest of the sequence would be refused.
        let mut somebody = client
            .create(&json!({"userName": "somebody@example.com"}))
            .await;
        for generated in &sequence {
            let response = send(client, generated, &somebody).await;
            if let Some(fault) = fault(generated.method, &response) {
                let body = String::from_utf8_lossy(&generated.body);
                let failure = format!("{fault}: {generated:?}\n{body}\n{response:?}");
                return Err(TestCaseError::fail(failure));
            }
            *statuses.borrow_mut().entry(response.status).or_default() += 1;
            if response.status == 201 {
                somebody = response.id();
            }
        }
        Ok(())
    });
    let statuses = statuses.into_inner();
    let sent: u32 = statuses.values().sum();
    println!("{sent} requests, by status: {statuses:?}");
    // Those that change something are among them.
    for status in [200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 412, 501] {
        assert!(statuses.contains_key(&status), "no {status}: {statuses:?}");
    }
}
